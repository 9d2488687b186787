"""The HTTP server of the pages."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from tweetsent.errors import TweetsentError

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Leaves the signals to its caller, and raises TweetsentError where the pages can't start."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: uvicorn would raise them again at its end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says where the pages are, once they are there."""
        with suppress(SystemExit):  # why is logged
            await super().startup(sockets)
        if not self.started:
            raise TweetsentError("the pages can't start; the lines above say why")
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            log.info("the pages are on http://%s:%d", f"[{host}]" if ":" in host else host, port)
