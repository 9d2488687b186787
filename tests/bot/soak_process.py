"""The bot with the tiny classifier, at no pace and with little patience.

    python -m tests.bot.soak_process

Telegram's limits would make a soak take ten times as long, and its hangs five times. The inbox is
small, so that fetching has to wait for it.
"""

import asyncio

from telegram.ext import AIORateLimiter

from bot import application, inbox
from tests.bot import process


class Unlimited(AIORateLimiter):
    """Carries out each call at once."""

    def __init__(self) -> None:
        super().__init__(overall_max_rate=0, group_max_rate=0, max_retries=0)


if __name__ == "__main__":
    application.Throttle = Unlimited  # type: ignore[misc, assignment]
    application.TIMEOUT_SECONDS = 2.0
    inbox.CAPACITY = 500
    asyncio.run(process.main())
