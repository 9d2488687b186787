"""An update as it came from Telegram, read and judged once for all who ask.

Knows nothing of limits, of the store or of handlers' work.
"""

import time
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any

from telegram import Bot, Update

from bot.handlers.commands import ASKS, IS_COMMAND
from bot.handlers.messages import Addressed

RawUpdate = dict[str, Any]


class Kind(Enum):
    """What has a limit of its own."""

    MESSAGE = auto()
    COMMAND = auto()
    PRESS = auto()
    INLINE = auto()
    """A query of inline mode, of which there are many to one text."""


@dataclass(frozen=True)
class Arrival:
    """An update; what is said of one that nobody can read is the library's error."""

    raw: RawUpdate
    bot: Bot

    @cached_property
    def update(self) -> Update:
        """The update, read when it is first asked for."""
        return Update.de_json(self.raw, self.bot)

    @cached_property
    def kind(self) -> Kind | None:
        """Which limit it falls under; None for what asks nothing of the bot."""
        update = self.update
        if update.callback_query is not None:
            return Kind.PRESS
        if update.inline_query is not None:
            return Kind.INLINE
        message = update.message or update.edited_message
        if message is None:
            return None
        if IS_COMMAND.check_update(update):
            return Kind.MESSAGE if ASKS.check_update(update) else Kind.COMMAND
        # The parts of an album are messages too; only the one with the caption is answered.
        is_silent_part = message.media_group_id is not None and message.caption is None
        return Kind.MESSAGE if Addressed().filter(message) and not is_silent_part else None

    @property
    def is_quick(self) -> bool:
        """Whether it needs no model, and so needn't wait for those that do."""
        try:
            return self.kind in (Kind.COMMAND, Kind.PRESS)
        except Exception:  # noqa: BLE001 - it is for the inbox to give up
            return False

    @property
    def time(self) -> float:
        """When the user acted: after a pause of the bot a day's messages come at once."""
        message = self.update.message or self.update.edited_message
        if message is None:  # presses and queries don't say
            return time.time()
        return (message.edit_date or message.date).timestamp()
