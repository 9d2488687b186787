"""Admission: which updates are taken in, and what those hear whose updates are not.

A refused update is not stored and never handled. Presses and all commands but one need no model,
so a busy bot takes them all the same. What a group's members say to each other is not taken in.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from telegram import Bot, Update
from telegram.constants import ChatType
from telegram.error import TelegramError

from bot import texts
from bot.handlers.commands import ASKS, IS_COMMAND
from bot.handlers.messages import Addressed
from bot.handlers.replying import reply
from bot.inbox import RawUpdate
from bot.limits import RateLimiter, Spells
from tweetsent.settings import Settings

_MINUTE = 60.0
_MOST_NOTICES = 100
"""How many refusals may be on their way to users; more than that are silent."""


class _Kind(Enum):
    """What has a limit of its own."""

    MESSAGE = auto()
    COMMAND = auto()
    PRESS = auto()
    INLINE = auto()
    """A query of inline mode, of which there are many to one text."""


_NEED_MODEL = {_Kind.MESSAGE, _Kind.INLINE}
_INLINE_SHARE = 5
"""How many times the limit of messages that of inline queries is."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What is said to whom; the same again is no news."""

    text: str
    whom: int
    """A user or a chat."""


class Admission:
    """The limits of users and groups and the bound of the queue, for one bot."""

    def __init__(self, bot: Bot, settings: Settings, admin_ids: frozenset[int]) -> None:
        self._bot = bot
        self._settings = settings
        self._admin_ids = admin_ids
        # Telegram's times are whole seconds.
        self._started = int(time.time())
        # One for each kind: presses don't come with Telegram's time.
        self._users = {
            kind: RateLimiter(
                settings.tweetsent_user_rate * (_INLINE_SHARE if kind is _Kind.INLINE else 1),
                _MINUTE,
            )
            for kind in _Kind
        }
        self._groups = {kind: RateLimiter(settings.tweetsent_group_rate, _MINUTE) for kind in _Kind}
        self._spells = Spells(_MINUTE)
        self._notices: set[asyncio.Task[None]] = set()

    def admits(self, raw: RawUpdate, expected_wait: float) -> bool:
        """Whether to take an update that would wait so many seconds for its turn.

        An update that comes again, since storing it failed, counts once.
        """
        try:
            update = Update.de_json(raw, self._bot)
            kind = _kind_of(update)
        except Exception:  # noqa: BLE001 - what nobody can read is for the inbox to give up
            return True
        if kind is None:
            return not self._is_between_others(update)
        at = _time_of(update)
        refusal = self._over_limit(update, kind, at)
        # What came while the bot was down is answered, however long that takes.
        if refusal is None and kind in _NEED_MODEL and at >= self._started:
            refusal = self._too_busy(update, expected_wait)
        if refusal is not None:
            self._tell(update, kind, refusal, at)
        return refusal is None

    def is_quick(self, raw: RawUpdate) -> bool:
        """Whether an update needs no model, and so needn't wait for those that do."""
        try:
            kind = _kind_of(Update.de_json(raw, self._bot))
        except Exception:  # noqa: BLE001 - as above
            return False
        return kind in (_Kind.COMMAND, _Kind.PRESS)

    async def close(self) -> None:
        """Gives up the notices on their way."""
        for task in self._notices:
            task.cancel()
        await asyncio.gather(*self._notices, return_exceptions=True)

    def _is_between_others(self, update: Update) -> bool:
        """Whether people talk to each other, or a channel that isn't the owner's to its readers."""
        post = update.channel_post or update.edited_channel_post
        if post is not None:
            return post.chat.id not in self._settings.tweetsent_channels
        message = update.message
        return (
            message is not None
            and message.chat.type != ChatType.PRIVATE
            and not Addressed().filter(message)
        )

    def _over_limit(self, update: Update, kind: _Kind, at: float) -> _Refusal | None:
        user, chat = update.effective_user, update.effective_chat
        if user is not None and user.id in self._admin_ids:
            return None
        if user is not None and not self._users[kind].allows(user.id, update.update_id, at):
            return _Refusal(texts.limits.too_fast(self._settings.tweetsent_user_rate), user.id)
        if chat is None or chat.type == ChatType.PRIVATE:
            return None
        if not self._groups[kind].allows(chat.id, update.update_id, at):
            rate = self._settings.tweetsent_group_rate
            return _Refusal(texts.limits.group_too_fast(rate), chat.id)
        return None

    def _too_busy(self, update: Update, expected_wait: float) -> _Refusal | None:
        chat = update.effective_chat or update.effective_user
        if chat is None or expected_wait <= self._settings.tweetsent_busy_seconds:
            return None
        return _Refusal(texts.limits.BUSY, chat.id)

    def _tell(self, update: Update, kind: _Kind, refusal: _Refusal, at: float) -> None:
        """Says it once for many messages; a pressed button just stops waiting."""
        query, message = update.callback_query, update.message
        if len(self._notices) >= _MOST_NOTICES:
            return
        if query is not None:
            self._send(query.answer())
            return
        # A command in a group may be meant for another bot.
        if message is None or (kind is _Kind.COMMAND and message.chat.type != ChatType.PRIVATE):
            return
        if self._spells.begins(refusal, at):
            self._send(reply(message, refusal.text))

    def _send(self, notice: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(_sent(notice))
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)


async def _sent(notice: Coroutine[Any, Any, object]) -> None:
    # Who can't be told now is told at the next spell.
    with suppress(TelegramError):
        await notice


def _kind_of(update: Update) -> _Kind | None:
    """Which limit an update falls under; None for what asks nothing of the bot."""
    if update.callback_query is not None:
        return _Kind.PRESS
    if update.inline_query is not None:
        return _Kind.INLINE
    message = update.message or update.edited_message
    if message is None:
        return None
    if IS_COMMAND.check_update(update):
        return _Kind.MESSAGE if ASKS.check_update(update) else _Kind.COMMAND
    # The parts of an album are messages too, of which only the one with the caption is answered.
    is_silent_part = message.media_group_id is not None and message.caption is None
    return _Kind.MESSAGE if Addressed().filter(message) and not is_silent_part else None


def _time_of(update: Update) -> float:
    """When the user acted: after a pause of the bot a day's messages come at once."""
    message = update.message or update.edited_message
    if message is None:  # presses and queries don't say
        return time.time()
    return (message.edit_date or message.date).timestamp()
