"""The polling loop: getUpdates into the inbox, for as long as the process lives.

Telegram forgets an update once a later offset is asked for, so the offset moves on only after the
inbox has committed. No fault ends the loop: it backs off, says so once for each kind, and goes on.
"""

import asyncio
import logging

from telegram import Bot
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.request import RequestData

# The library has no public name for what its RequestData is made of.
from telegram.request._requestparameter import RequestParameter

from bot.arrival import RawUpdate
from bot.inbox import Inbox
from bot.redaction import describe
from bot.stopping import unless
from bot.transport import flood_seconds
from tweetsent.telemetry import Telemetry

POLL_SECONDS = 30
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
_NETWORK_SECONDS = 10.0
KINDS = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "inline_query",
    "my_chat_member",
]
"""The kinds of updates that handlers exist for."""

log = logging.getLogger(__name__)


class Fetcher:
    """Fetches raw updates, so that one which the library can't parse doesn't block the rest."""

    def __init__(self, bot: Bot, inbox: Inbox, telemetry: Telemetry) -> None:
        self._bot = bot
        self._inbox = inbox
        self._telemetry = telemetry
        self._offset: int | None = None
        self._failures = 0
        self._last_failure: type[Exception] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Fetches until `stop` is set."""
        while not stop.is_set():
            try:
                await unless(stop, self._inbox.room())
                updates = await unless(stop, self._get_updates())
                if updates:
                    await self._inbox.add(updates)
                    self._offset = max(update["update_id"] for update in updates) + 1
                self._note_success()
            except Exception as error:  # noqa: BLE001 - whatever it is, polling must go on
                await unless(stop, asyncio.sleep(self._delay_after(error)))

    async def _get_updates(self) -> list[RawUpdate]:
        question: dict[str, object] = {"timeout": POLL_SECONDS, "allowed_updates": KINDS}
        if self._offset is not None:
            question["offset"] = self._offset
        parameters = [RequestParameter.from_input(name, value) for name, value in question.items()]
        result = await self._bot.request.post(
            f"{self._bot.base_url}/getUpdates",
            RequestData(parameters),
            read_timeout=POLL_SECONDS + _NETWORK_SECONDS,
        )
        if not isinstance(result, list):
            raise TelegramError("getUpdates gave no list of updates")
        return result

    def _note_success(self) -> None:
        self._telemetry.contact()
        if self._failures:
            log.info("fetching updates works again after %d failed tries", self._failures)
        self._failures = 0
        self._last_failure = None

    def _delay_after(self, error: Exception) -> float:
        """Seconds to wait; logs the first failure of a streak and each that is of a new kind."""
        self._failures += 1
        if type(error) is not self._last_failure:
            _log_failure(error)
        self._last_failure = type(error)
        if isinstance(error, RetryAfter):  # too long for the HTTP client to wait it out
            return flood_seconds(error)
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(self._failures - 1, 10))


def _log_failure(error: Exception) -> None:
    if isinstance(error, InvalidToken):
        log.error("Telegram refuses TELEGRAM_BOT_TOKEN, which worked before; trying again")
    elif isinstance(error, Conflict):
        log.error("another process fetches this bot's updates: stop it; trying again")
    elif isinstance(error, NetworkError):
        log.warning("Telegram can't be reached: %s; trying again", describe(error))
    else:
        log.error("updates can't be taken in: %s; trying again", describe(error))
