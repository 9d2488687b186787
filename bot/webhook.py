"""The webhook: Telegram sends updates, which are stored before it is told that they arrived.

What it isn't told so, Telegram sends again. TLS is a proxy's work.
"""

import asyncio
import hmac
import json
import logging
import secrets
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

from aiohttp import web
from telegram import Bot
from telegram.error import BadRequest

from bot.arrival import RawUpdate
from bot.fetching import KINDS
from bot.http import listening
from bot.inbox import CAPACITY, Inbox, chat_of
from bot.redaction import describe
from bot.stopping import unless
from tweetsent.errors import TelegramError
from tweetsent.settings import Settings
from tweetsent.telemetry import Telemetry

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
MAX_BYTES = 1_000_000
"""The longest message with all its marks is far shorter."""
BODY_SECONDS = 20.0
"""How long an update may take to arrive."""
_DEFAULT_PATH = "/telegram"
_CONNECTIONS = 20
"""How many updates Telegram may send at a time."""

log = logging.getLogger(__name__)


class Webhook:
    """Takes updates in on a local port that a public URL leads to."""

    def __init__(self, bot: Bot, inbox: Inbox, telemetry: Telemetry, settings: Settings) -> None:
        assert settings.telegram_webhook_url is not None
        path = urlsplit(settings.telegram_webhook_url).path
        secret = settings.telegram_webhook_secret
        self._url = settings.telegram_webhook_url + ("" if path else _DEFAULT_PATH)
        self._path = path or _DEFAULT_PATH
        self._address = settings.telegram_webhook_listen
        self._secret = secret.get_secret_value() if secret else secrets.token_urlsafe(32)
        self._bot = bot
        self._inbox = inbox
        self._telemetry = telemetry
        self._is_failing = False

    async def run(self, stop: asyncio.Event) -> None:
        """Receives until `stop` is set; the port is closed on return.

        Raises ConfigError when it can't be opened, TelegramError when Telegram refuses the URL and
        the library's errors when it can't be reached. What comes later Telegram keeps.
        """
        application = web.Application(client_max_size=MAX_BYTES)
        application.router.add_post(self._path, self._receive)
        async with listening(self._address, application, setting="TELEGRAM_WEBHOOK_LISTEN"):
            await unless(stop, self._register())
            await stop.wait()

    async def _register(self) -> None:
        try:
            await self._bot.set_webhook(
                self._url,
                allowed_updates=KINDS,
                max_connections=_CONNECTIONS,
                secret_token=self._secret,
            )
        except BadRequest as error:
            raise TelegramError(f"Telegram refuses TELEGRAM_WEBHOOK_URL: {error}") from None
        log.info("Telegram sends updates to the webhook")

    async def _receive(self, request: web.Request) -> web.Response:
        shown = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, self._secret.encode()):
            return web.Response(status=HTTPStatus.FORBIDDEN)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        update = _parse(body)
        if update is None:
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        self._telemetry.contact()
        is_stored = self._inbox.length < CAPACITY and await self._store(update)
        return web.Response(status=HTTPStatus.OK if is_stored else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _store(self, update: RawUpdate) -> bool:
        try:
            await self._inbox.add([update])
        except Exception as error:  # noqa: BLE001 - whatever it is, Telegram keeps the update
            if not self._is_failing:
                log.error("updates can't be taken in: %s; they come again", describe(error))
            self._is_failing = True
            return False
        self._is_failing = False
        return True


_TOO_LARGE = 2**63
"""Of a number that the database could hold."""


def _parse(body: bytes) -> RawUpdate | None:
    """The update in a request's body; None when it is none."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    number = update.get("update_id") if isinstance(update, dict) else None
    if type(number) is not int or max(abs(number), abs(chat_of(update) or 0)) >= _TOO_LARGE:
        return None
    return cast(RawUpdate, update)
