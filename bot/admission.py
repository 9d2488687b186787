"""Admission: which updates are taken in, and what those hear whose updates are not.

A refused update is not stored and never handled. Presses and all commands but one need no model,
so a busy bot takes them all the same. What a group's members say to each other is not taken in.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from telegram import Update
from telegram.constants import ChatType
from telegram.error import TelegramError

from bot import texts
from bot.arrival import Arrival, Kind
from bot.handlers.messages import Addressed
from bot.handlers.replying import reply
from bot.limits import RateLimiter, Spells
from tweetsent.settings import Settings

_MINUTE = 60.0
_MOST_NOTICES = 100
"""How many refusals may be on their way to users; more than that are silent."""


_NEED_MODEL = {Kind.MESSAGE, Kind.INLINE}
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

    def __init__(self, settings: Settings, admin_ids: frozenset[int]) -> None:
        self._settings = settings
        self._admin_ids = admin_ids
        # Telegram's times are whole seconds.
        self._started = int(time.time())
        # One for each kind: presses don't come with Telegram's time.
        self._users = {
            kind: RateLimiter(
                settings.tweetsent_user_rate * (_INLINE_SHARE if kind is Kind.INLINE else 1),
                _MINUTE,
            )
            for kind in Kind
        }
        self._groups = {kind: RateLimiter(settings.tweetsent_group_rate, _MINUTE) for kind in Kind}
        self._spells = Spells(_MINUTE)
        self._notices: set[asyncio.Task[None]] = set()

    def admits(self, arrival: Arrival, expected_wait: float) -> bool:
        """Whether to take an update that would wait so many seconds for its turn.

        An update that comes again, since storing it failed, counts once.
        """
        try:
            update, kind = arrival.update, arrival.kind
        except Exception:  # noqa: BLE001 - what nobody can read is for the inbox to give up
            return True
        if kind is None:
            return not self._is_between_others(update)
        at = arrival.time
        refusal = self._over_limit(update, kind, at)
        # What came while the bot was down is answered, however long that takes.
        if refusal is None and kind in _NEED_MODEL and at >= self._started:
            refusal = self._too_busy(update, expected_wait)
        if refusal is not None:
            self._tell(update, kind, refusal, at)
        return refusal is None

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

    def _over_limit(self, update: Update, kind: Kind, at: float) -> _Refusal | None:
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

    def _tell(self, update: Update, kind: Kind, refusal: _Refusal, at: float) -> None:
        """Says it once for many messages; a pressed button just stops waiting."""
        query, message = update.callback_query, update.message
        if len(self._notices) >= _MOST_NOTICES:
            return
        if query is not None:
            self._send(query.answer())
            return
        # A command in a group may be meant for another bot.
        if message is None or (kind is Kind.COMMAND and message.chat.type != ChatType.PRIVATE):
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
