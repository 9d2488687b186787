"""The HTTP server of the bot: opens a port, answers, closes it. Knows nothing of what is served."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tweetsent.errors import ConfigError
from tweetsent.settings import host_and_port

_STOP_SECONDS = 5.0
"""How long requests that are being answered may go on once the port is closed."""
IDLE_SECONDS = 75.0
"""Until when a connection must have brought the head of its next request; a proxy keeps its
connections for a shorter time, usually a minute."""
LINGER_SECONDS = 5.0
"""How long the rest of a refused request is read, for its sender to see the answer."""


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether an error is no stranger's, whose address and bytes would be logged."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


@asynccontextmanager
async def listening(
    address: str, application: web.Application, *, setting: str
) -> AsyncIterator[None]:
    """Answers on `host:port` within the block.

    Raises ConfigError, with the setting's name, when the port can't be had.
    """
    logging.getLogger("aiohttp.server").addFilter(_is_our_fault)
    # Without an access log: it would hold the addresses of users' devices.
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=_STOP_SECONDS,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=LINGER_SECONDS,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, *host_and_port(address)).start()
        except OSError as error:
            raise ConfigError(f"{setting}: can't listen on {address}: {error.strerror}") from None
        yield
    finally:
        await runner.cleanup()
