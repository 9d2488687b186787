"""Deletes predictions that nobody corrected, once they are as old as the owner lets them become."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from tweetsent.errors import StoreError
from tweetsent.service import SentimentService

_BETWEEN_SWEEPS = timedelta(days=1)

log = logging.getLogger(__name__)


async def sweep_daily(service: SentimentService, keep_days: int) -> None:
    """Delete what is older, now and then once a day, until cancelled."""
    while True:
        try:
            if deleted := await _sweep(service, datetime.now(UTC) - timedelta(days=keep_days)):
                log.info("%d predictions older than %d days were deleted", deleted, keep_days)
        except StoreError as error:  # tomorrow is another day
            log.error("old predictions can't be deleted: %s", error)
        await asyncio.sleep(_BETWEEN_SWEEPS.total_seconds())


async def _sweep(service: SentimentService, before: datetime) -> int:
    deleted = 0
    # Some at a time: messages are answered in between.
    while some := await service.delete_uncorrected(before):
        deleted += some
    return deleted
