"""The HTTP server of the bot: opens a port, answers, closes it. Knows nothing of what is served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tweetsent.errors import ConfigError
from tweetsent.settings import host_and_port

_STOP_SECONDS = 5.0
"""How long requests that are being answered may go on once the port is closed."""


@asynccontextmanager
async def listening(
    address: str, application: web.Application, *, setting: str
) -> AsyncIterator[None]:
    """Answers on `host:port` within the block.

    Raises ConfigError, with the setting's name, when the port can't be had.
    """
    # Without an access log: it would hold the addresses of users' devices.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_STOP_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, *host_and_port(address)).start()
        except OSError as error:
            raise ConfigError(f"{setting}: can't listen on {address}: {error.strerror}") from None
        yield
    finally:
        await runner.cleanup()
