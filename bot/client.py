"""The HTTP client of the Bot API for python-telegram-bot, on aiohttp.

The library's own, on httpx, computes three times as long for a call. Proxies and certificates come
from the environment, as there.
"""

from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""Causes of a NetworkError that came before the first byte was sent."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 5.0
"""How long an unused connection is kept: the other side may close it as a message leaves."""


class AiohttpRequest(BaseRequest):
    """Carries out the calls of one bot, over connections that are kept."""

    def __init__(self, *, connections: int, read_timeout: float) -> None:
        self._connections = connections
        self._read_timeout = read_timeout
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """How many seconds an answer may take, unless a call says otherwise."""
        return self._read_timeout

    async def initialize(self) -> None:
        """Opens the client, unless it is open."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                keepalive_timeout=_IDLE_SECONDS,
                ssl=httpx.create_ssl_context(),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT},
            )

    async def shutdown(self) -> None:
        """Closes the client, unless it is closed."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Status and body; raises NetworkError, and TimedOut when one doesn't come in time.

        Waiting for a free connection counts as connecting; writing has no limit of its own.
        """
        del write_timeout, pool_timeout
        if self._session is None:
            raise RuntimeError("the client isn't open")
        timeout = aiohttp.ClientTimeout(
            total=None,  # for the caller to bound
            connect=_seconds(connect_timeout, _CONNECT_SECONDS),
            sock_read=_seconds(read_timeout, self._read_timeout),
        )
        call = self._session.request(
            method,
            url,
            data=_body(request_data),
            headers=_FORM if request_data and not request_data.contains_files else None,
            timeout=timeout,
            proxy=_proxy(*urlsplit(url)[:2]),
            allow_redirects=False,
        )
        try:
            async with call as response:
                return response.status, await response.read()
        except TimeoutError as error:
            raise TimedOut from error
        except (aiohttp.ClientError, OSError) as error:
            # Other errors may quote the URL, and with it the token.
            words = f": {error}" if isinstance(error, aiohttp.ClientConnectorError) else ""
            raise NetworkError(f"{type(error).__name__}{words}") from error


def _seconds(given: Any, usual: float) -> float | None:
    """A timeout of a call; None, as the library has it, for none at all."""
    return given if given is None or isinstance(given, int | float) else usual


def _body(data: RequestData | None) -> aiohttp.FormData | bytes | None:
    if data is None:
        return None
    if not data.contains_files:
        return data.url_encoded_parameters().encode()
    form = aiohttp.FormData(data.json_parameters)
    for name, (filename, content, content_type) in data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=content_type)
    return form


@cache
def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host."""
    # The client could ask by itself, but would do so, and look for a password file, at each call.
    proxies = getproxies()
    return None if proxy_bypass(host) else proxies.get(scheme, proxies.get("all"))
