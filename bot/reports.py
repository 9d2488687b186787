"""What admins are told unasked: a message that follows a retraining run, a report of each that
ended, and each fault of the model.

All come from the database: it does not matter which process started a run or met a fault.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import numpy as np
from telegram import Bot, Message
from telegram.constants import MessageLimit
from telegram.error import BadRequest, Forbidden, TelegramError

from bot import texts
from bot.handlers.replying import edit
from bot.redaction import describe, log_once
from bot.texts.wording import shortened
from tweetsent.figures import comparison_png
from tweetsent.records import Run, RunState
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService

FOLLOW_SECONDS = 5.0
"""Between two looks at a run; Telegram allows some twenty changes of a message in a minute."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Report:
    """What an admin is told of a run or of a fault."""

    admin_id: int
    subject: str
    """In words of the log."""
    text: str
    picture: bytes | None = None


class Reporter:
    """Tells the admins of runs and faults, until it is closed."""

    def __init__(
        self,
        service: SentimentService,
        retraining: RetrainingService,
        admin_ids: frozenset[int],
    ) -> None:
        self._service = service
        self._retraining = retraining
        self._admin_ids = admin_ids
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsent: list[_Report] = []
        self._is_started = False

    def start(self, bot: Bot) -> None:
        """Report every run that ended and every fault, those before the start too; within a
        running loop.
        """
        self._is_started = True
        self._begin(self._report_all(bot))

    def follow(self, message: Message, run: Run) -> None:
        """Keep a message of the bot, which shows a run, up to date until the run ends.

        Its last state is the report, where no other message brings that.
        """
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
        failure = ""
        while shown.state is RunState.RUNNING:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                run = await self._retraining.get(run.id) or run
                if self._text(run) != self._text(shown):
                    await edit(message, self._text(run), None)
                shown = run
            except Forbidden:  # the chat is closed to the bot, which the message is in
                return
            except Exception as error:  # noqa: BLE001 - the next look may succeed
                failure = log_once(log, failure, f"run {run.id} can't be shown: {describe(error)}")

    def _text(self, run: Run) -> str:
        if self._is_started or run.state is RunState.RUNNING:
            return texts.retraining.progress(run)
        return shortened(_report_text(run), MessageLimit.MAX_TEXT_LENGTH)

    async def _report_all(self, bot: Bot) -> None:
        failure = ""
        while True:
            try:
                await self._report_new(bot)
                failure = ""
            except Exception as error:  # noqa: BLE001 - what comes later is to be reported too
                failure = log_once(log, failure, f"reports can't be made: {describe(error)}")
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _report_new(self, bot: Bot) -> None:
        """Report what ended since the last time, and before it what could not be sent then."""
        self._unsent = [report for report in self._unsent if not await _is_settled(bot, report)]
        while (run := await self._retraining.claim_report()) is not None:
            log.info("run %d: %s %s", run.id, run.state, run.reason)
            text, picture = _report_text(run), await _report_picture(run)
            await self._report(bot, f"run {run.id}", text, picture)
        while (fault := await self._service.claim_fault()) is not None:
            text = texts.models.fault(fault, self._service.model_version)
            await self._report(bot, f"the fault of model {fault.version}", text)

    async def _report(
        self, bot: Bot, subject: str, text: str, picture: bytes | None = None
    ) -> None:
        for admin_id in sorted(self._admin_ids):
            report = _Report(admin_id, subject, text, picture)
            if not await _is_settled(bot, report):
                log.warning("%s can't be reported to an admin yet: trying again", subject)
                self._unsent.append(report)


async def _is_settled(bot: Bot, report: _Report) -> bool:
    """Send a report; False when that failed for a reason that passes, and is to be repeated.

    One that may have arrived is repeated too: told twice is better than not at all.
    """
    try:
        await _send(bot, report)
    except Exception as error:  # noqa: BLE001 - one report must not stop the others
        is_final = isinstance(error, (BadRequest, Forbidden))  # who never wrote to the bot, for one
        if isinstance(error, TelegramError) and not is_final:
            return False
        log.error("%s can't be reported to an admin: %s", report.subject, describe(error))
    return True


async def _send(bot: Bot, report: _Report) -> None:
    """The picture with the text, or the text alone when that fails."""
    refusal = None
    if report.picture:
        caption = shortened(report.text, MessageLimit.CAPTION_LENGTH)
        try:
            await bot.send_photo(report.admin_id, report.picture, caption=caption)
            return
        except TelegramError as error:
            refusal = error
    await bot.send_message(report.admin_id, shortened(report.text, MessageLimit.MAX_TEXT_LENGTH))
    if refusal:
        log.warning("%s is reported without a picture: %s", report.subject, describe(refusal))


def _report_text(run: Run) -> str:
    """The report; no more than how the run ended where its decision can't be read."""
    try:
        return texts.retraining.report(run)
    except Exception as error:  # noqa: BLE001 - another version may have written it
        log.error("the decision of run %d can't be read: %s", run.id, describe(error))
        return texts.retraining.progress(run)


async def _report_picture(run: Run) -> bytes | None:
    """The picture that goes with the report, where there is one."""
    try:
        return await asyncio.to_thread(_picture, run) if run.decision else None
    except Exception as error:  # noqa: BLE001 - the text says the most
        log.error("the decision of run %d can't be drawn: %s", run.id, describe(error))
        return None


def _picture(run: Run) -> bytes:
    """Both confusion matrices of all frozen rows."""
    assert run.decision is not None
    before, after = (
        np.sum([part[f"{who}_confusion"] for part in run.decision["frozen"]], axis=0)
        for who in ("champion", "challenger")
    )
    return comparison_png(before, after, title=texts.retraining.picture_title(int(before.sum())))
