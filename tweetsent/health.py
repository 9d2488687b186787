"""How the bot is: the one record behind `/health` and `/saglik`."""

import asyncio
from dataclasses import dataclass

from tweetsent.errors import StoreError
from tweetsent.records import Run
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.telemetry import Latency

LONGEST_SILENCE_SECONDS = 120.0
"""How long a bot that asks for updates may go without an answer: four long polls."""
DATABASE_SECONDS = 5.0
"""How long the database may take to answer."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of one process and of what it needs."""

    database: bool
    """Whether it answers."""
    can_store: bool
    """Whether the newest updates could be stored."""
    model: str
    """Version of the model that answers."""
    model_answers: bool
    """Whether it does; one that hangs needs a restart of the process."""
    queue: int
    """Updates that wait or are in work."""
    contact_age_seconds: float | None
    """How long ago Telegram gave an answer to a question for updates, or sent one itself."""
    uptime_seconds: float
    messages: Latency | None
    """Of the last hour's messages, to the end of their handling."""
    classification: Latency | None
    """Of the last hour's texts."""
    last_run: Run | None
    """The retraining run that was begun last."""

    def problems(self, *, polls: bool) -> list[str]:
        """What is wrong, in English; of bots that poll, silence is."""
        found = [] if self.database else ["the database gives no answer"]
        if not self.model_answers:
            found.append("the model hangs")
        if not self.can_store:
            found.append("updates can't be stored")
        age = self.contact_age_seconds
        if polls and (self.uptime_seconds if age is None else age) > LONGEST_SILENCE_SECONDS:
            found.append("Telegram gives no updates")
        return found


async def check_health(service: SentimentService, retraining: RetrainingService) -> Health:
    """The state at this moment; takes seconds at most, whatever is broken."""
    telemetry = service.telemetry
    last_run = None
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            await service.ping()
            last_run = await retraining.newest()
        database = True
    except (StoreError, TimeoutError):
        database = False
    return Health(
        database=database,
        can_store=telemetry.can_store,
        model=service.model_version,
        model_answers=service.model_answers,
        queue=telemetry.queue,
        contact_age_seconds=telemetry.contact_age_seconds,
        uptime_seconds=telemetry.uptime_seconds,
        messages=telemetry.message_latency,
        classification=telemetry.classification_latency,
        last_run=last_run,
    )
