"""What admins see of retraining runs: a message that follows one, and a report of each that ended.

Both come from the database: it does not matter which process started a run.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import numpy as np
from telegram import Bot, Message
from telegram.error import Forbidden, TelegramError

from bot import texts
from bot.handlers.replying import edit
from bot.redaction import describe
from tweetsent.errors import StoreError
from tweetsent.figures import comparison_png
from tweetsent.records import Run, RunState
from tweetsent.retraining import RetrainingService

FOLLOW_SECONDS = 5.0
"""Between two looks at a run; Telegram allows some twenty changes of a message in a minute."""
_LONGEST_CAPTION = 1024

log = logging.getLogger(__name__)


class Reporter:
    """Tells the admins of runs, until it is closed."""

    def __init__(self, retraining: RetrainingService, admin_ids: frozenset[int]) -> None:
        self._retraining = retraining
        self._admin_ids = admin_ids
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, bot: Bot) -> None:
        """Report every run that ended, those before the start too; within a running loop."""
        self._begin(self._report_all(bot))

    def follow(self, message: Message, run: Run) -> None:
        """Keep a message of the bot, which shows a run, up to date until the run ends."""
        self._begin(self._follow(message, run))

    async def close(self) -> None:
        """Stop; messages stay as they are."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, message: Message, run: Run) -> None:
        shown = run
        while shown.state is RunState.RUNNING:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                run = await self._retraining.get(run.id) or run
                if texts.run_progress(run) != texts.run_progress(shown):
                    await edit(message, texts.run_progress(run), None)
                shown = run
            except Forbidden:  # the chat is closed to the bot, which the message is in
                return
            except (StoreError, TelegramError) as error:
                log.warning("run %d can't be shown: %s", run.id, describe(error))

    async def _report_all(self, bot: Bot) -> None:
        is_failing = False
        while True:
            try:
                while (run := await self._retraining.claim_report()) is not None:
                    await self._report(bot, run)
                is_failing = False
            except StoreError as error:
                if not is_failing:
                    log.warning("runs can't be looked up: %s", describe(error))
                is_failing = True
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _report(self, bot: Bot, run: Run) -> None:
        """Send a picture with a short text to each admin."""
        log.info("run %d: %s %s", run.id, run.state, run.reason)
        text = texts.run_report(run)[:_LONGEST_CAPTION]
        picture = await asyncio.to_thread(_picture, run) if run.decision else None
        for admin_id in sorted(self._admin_ids):
            try:
                if picture:
                    await bot.send_photo(admin_id, picture, caption=text)
                else:
                    await bot.send_message(admin_id, text)
            except TelegramError as error:  # an admin who never wrote to the bot, for one
                log.warning("run %d can't be reported to an admin: %s", run.id, describe(error))


def _picture(run: Run) -> bytes:
    """Both confusion matrices of all frozen rows."""
    assert run.decision is not None
    before, after = (
        np.sum([part[f"{who}_confusion"] for part in run.decision["frozen"]], axis=0)
        for who in ("champion", "challenger")
    )
    return comparison_png(before, after, title=texts.run_picture_title(int(before.sum())))
