"""Who may ask for what: visitors, the owner after a login, and nobody from another site.

Gradio's events are open HTTP endpoints, so a hidden tab protects nothing: every request passes
here first. Knows nothing of what the pages hold.
"""

import hashlib
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.limits import RateLimiter
from bot.redaction import describe
from tweetsent.records import OWNER_ID

OWNER_PATH = "/yonetim"
LOGIN_PATH = "/giris"
OWNER_COOKIE = "tweetsent_owner"
VISITOR_COOKIE = "tweetsent_visitor"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SESSION_SECONDS = 12 * 3600
_VISITOR_SECONDS = 365 * 24 * 3600
_MOST_TRIES, _TRIES_SECONDS = 10, 300.0
"""How often an address may try to log in."""
_FIRST_VISITOR = 2**60
"""Beyond all of Telegram's ids, so that no cookie makes its visitor one of the bot's users."""
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""Gradio's own page needs inline scripts; nothing may come from, or go to, another host."""

log = logging.getLogger(__name__)


@dataclass
class Access:
    """The names that the pages answer to, the owner's password and the logins that hold."""

    names: Collection[str] = LOOPBACK_NAMES
    """What the Host header may say."""
    any_address: bool = False
    """Whether it may be any IP address, too: those can't be rebound as names can."""
    password: str | None = field(default=None, repr=False)
    _sessions: dict[str, float] = field(default_factory=dict, repr=False)
    """Until when each token holds."""
    _tries: RateLimiter = field(
        default_factory=lambda: RateLimiter(_MOST_TRIES, _TRIES_SECONDS), repr=False
    )

    def answers_to(self, host: str) -> bool:
        """Whether a Host header names these pages, and no name that was pointed at them."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self.names or (self.any_address and bool(ipaddress.ip_address(name)))
        except ValueError:  # it is no name, or none of ours and no address
            return False

    def may_try(self, address: str) -> bool:
        """Whether an address has not tried too often lately; each question counts as a try."""
        return self._tries.allows(address, time.monotonic_ns(), time.monotonic())

    def log_in(self, password: str) -> str | None:
        """The token of a new login; None for a wrong password."""
        right = self.password or secrets.token_hex()
        if not hmac.compare_digest(password.encode("utf-8", "replace"), right.encode()):
            return None
        now = time.monotonic()
        self._sessions = {token: end for token, end in self._sessions.items() if end > now}
        token = secrets.token_urlsafe(32)
        self._sessions[token] = now + _SESSION_SECONDS
        return token

    def log_out(self, cookies: Mapping[str, str]) -> None:
        """End a login."""
        self._sessions.pop(cookies.get(OWNER_COOKIE, ""), None)

    def is_owner(self, cookies: Mapping[str, str]) -> bool:
        """Whether a login holds."""
        return self._sessions.get(cookies.get(OWNER_COOKIE, ""), 0.0) > time.monotonic()

    def user_id(self, cookies: Mapping[str, str]) -> int:
        """Whose words a browser brings: the owner's, or of a visitor whom only its cookie knows."""
        if self.is_owner(cookies):
            return OWNER_ID
        token = cookies.get(VISITOR_COOKIE) or secrets.token_urlsafe(16)
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        return _FIRST_VISITOR + int.from_bytes(digest[:7])


class Guard:
    """The ASGI application that stands before all pages."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may pass."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no page uses web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope)
        refusal = self._refusal(request)
        is_new = scope["path"] == "/" and VISITOR_COOKIE not in request.cookies

        async def harden(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = _POLICY
                headers["referrer-policy"] = "same-origin"
                headers["x-content-type-options"] = "nosniff"
                if is_new and refusal is None:
                    carrier, token = Response(), secrets.token_urlsafe(16)
                    set_cookie(carrier, request, VISITOR_COOKIE, token, _VISITOR_SECONDS)
                    headers.append("set-cookie", carrier.headers["set-cookie"])
            await send(message)

        try:
            await (refusal or self._app)(scope, receive, harden)
        except Exception as error:  # noqa: BLE001 - the server would log a user's words with it
            if isinstance(error.__cause__, HTTPException):  # its page was closed, says Gradio
                await harden({"type": "http.response.body"})
            else:
                log.error("a request failed: %s", describe(error))

    def _refusal(self, request: Request) -> Response | None:
        if not self._access.answers_to(request.headers.get("host", "")):
            return PlainTextResponse("unknown host", 421)
        if _is_from_elsewhere(request):
            return PlainTextResponse("cross-site request", 403)
        path = request.scope["path"]
        is_owners = path == OWNER_PATH or path.startswith(f"{OWNER_PATH}/")
        if not is_owners or self._access.is_owner(request.cookies):
            return None
        if request.method == "GET" and path.rstrip("/") == OWNER_PATH:
            return RedirectResponse(LOGIN_PATH, 303)
        return PlainTextResponse("login needed", 401)


def set_cookie(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    """A cookie that no script reads and no other site sends."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
    )


def start_session(response: Response, request: Request, token: str) -> None:
    """Give a browser the token of its login."""
    set_cookie(response, request, OWNER_COOKIE, token, _SESSION_SECONDS)


def _is_from_elsewhere(request: Request) -> bool:
    """Whether another site's page asks; a link on one may lead here."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return True
    if request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return False
    return request.method != "GET" or request.headers.get("sec-fetch-mode") != "navigate"
