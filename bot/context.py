"""The typed context that hands the service and the admins to every handler."""

from dataclasses import dataclass
from typing import Any

from telegram.ext import Application, CallbackContext, ExtBot

from bot.announcer import Announcer
from bot.labeller import Labeller
from bot.reports import Reporter
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService


@dataclass(frozen=True, slots=True)
class BotData:
    """What all handlers share."""

    service: SentimentService
    retraining: RetrainingService
    reporter: Reporter
    announcer: Announcer
    labeller: Labeller
    admin_ids: frozenset[int]
    keep_days: int | None
    """After how many days messages are deleted that nobody corrected; None for never."""


class BotContext(CallbackContext[ExtBot[None], dict[Any, Any], dict[Any, Any], BotData]):
    """The context of one update."""

    @property
    def service(self) -> SentimentService:
        """The one way to predictions, corrections and statistics."""
        return self.bot_data.service

    @property
    def retraining(self) -> RetrainingService:
        """Starts retraining runs and knows where they stand."""
        return self.bot_data.retraining

    @property
    def reporter(self) -> Reporter:
        """Shows runs to the admins."""
        return self.bot_data.reporter

    @property
    def announcer(self) -> Announcer:
        """Sends announcements."""
        return self.bot_data.announcer

    @property
    def labeller(self) -> Labeller:
        """Labels the files that users send."""
        return self.bot_data.labeller

    @property
    def admin_ids(self) -> frozenset[int]:
        """Telegram user ids that may see the statistics and review corrections."""
        return self.bot_data.admin_ids

    @property
    def keep_days(self) -> int | None:
        """After how many days messages are deleted that nobody corrected; None for never."""
        return self.bot_data.keep_days


BotApplication = Application[
    ExtBot[None], BotContext, dict[Any, Any], dict[Any, Any], BotData, None
]
