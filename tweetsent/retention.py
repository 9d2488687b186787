"""Makes predictions anonymous that nobody corrected, once they are as old as the owner lets them.

Text, user and chat are deleted; the numbers that the statistics are made of stay.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from tweetsent.errors import StoreError
from tweetsent.service import SentimentService

_BETWEEN_SWEEPS = timedelta(days=1)

log = logging.getLogger(__name__)


async def sweep_daily(service: SentimentService, keep_days: int) -> None:
    """Make anonymous what is older, now and then once a day, until cancelled."""
    while True:
        try:
            if count := await _sweep(service, datetime.now(UTC) - timedelta(days=keep_days)):
                log.info("the texts of %d predictions older than %d days went", count, keep_days)
        except StoreError as error:  # tomorrow is another day
            log.error("old predictions can't be made anonymous: %s", error)
        await asyncio.sleep(_BETWEEN_SWEEPS.total_seconds())


async def _sweep(service: SentimentService, before: datetime) -> int:
    count = 0
    # Some at a time: messages are answered in between.
    while some := await service.anonymise_uncorrected(before):
        count += some
    return count
