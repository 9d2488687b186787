"""The HTTP server of the pages."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tweetsent.errors import TweetsentError

_STOP_SECONDS = 3

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Leaves the signals to its caller, and raises TweetsentError where the pages can't start."""

    def __init__(self, app: ASGIApp) -> None:
        self._streams = _Streams(app)
        super().__init__(
            uvicorn.Config(
                self._streams,
                access_log=False,  # it would hold the addresses of visitors
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )

    def stop(self) -> None:
        """Answer what was asked, and no more; `serve` returns then."""
        self._streams.are_over.set()
        self.should_exit = True

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


class _Streams:
    """Ends the answers that never would: for the application their clients go away.

    Those of open tabs last as long as the tabs, which the server would wait for in vain.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.are_over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_read = is_open = False
        leaving: asyncio.Task[Message] | None = None

        async def receive_until_over() -> Message:
            nonlocal is_read, leaving
            if is_read:
                leaving = leaving or asyncio.create_task(self._client_leaving(receive))
                return await asyncio.shield(leaving)  # at once when it is done: some only look
            message = await receive()
            is_read = message["type"] == "http.request" and not message.get("more_body")
            return message

        async def send_noting_the_end(message: Message) -> None:
            nonlocal is_open
            await send(message)
            is_open = message["type"] == "http.response.start" or message.get("more_body", False)

        try:
            await self._app(scope, receive_until_over, send_noting_the_end)
        finally:
            if leaving:
                leaving.cancel()
        if is_open and self.are_over.is_set():  # to a client that is gone nothing is finished
            await send({"type": "http.response.body"})

    async def _client_leaving(self, receive: Receive) -> Message:
        """After its request, a client can do no more than go away."""
        waiting = [asyncio.ensure_future(one) for one in (receive(), self.are_over.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return {"type": "http.disconnect"}
