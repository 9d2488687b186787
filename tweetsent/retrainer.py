"""Starts retraining runs beside the bot: each is a process of its own, `tweetsent retrain`.

So a run's memory and threads are its own, and whatever becomes of it the bot goes on answering.
Which run goes on and how it ends stands in the database (`tweetsent/runs.py`), where every bot on
the same database sees it.
"""

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from tweetsent.crontab import parse_crontab
from tweetsent.records import Trigger

COMMAND = (sys.executable, "-m", "tweetsent", "retrain")
_LATE_SECONDS = 3600  # a run that fell due while the machine slept is still made up for
_STOP_SECONDS = 30.0
_HINTS = dict.fromkeys(("SIGKILL", "SIGABRT"), ": memory may have run out")
_PREFIX = "tweetsent: error: "

log = logging.getLogger(__name__)


class Retrainer:
    """The runs that this process started."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """`command` gets the trigger as its last argument."""
        self._command = command
        self._processes: set[asyncio.subprocess.Process] = set()
        self._scheduler: AsyncIOScheduler | None = None

    def schedule(self, cron: str) -> None:
        """Start a run whenever a crontab line says so, in UTC; within a running event loop."""
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._scheduler.add_job(
            self._start_scheduled,
            parse_crontab(cron),
            coalesce=True,
            misfire_grace_time=_LATE_SECONDS,
        )
        self._scheduler.start()

    async def run(self, trigger: Trigger) -> str | None:
        """Make a run, from its start to its end; returns why it could not, in English, or None.

        Most of what keeps a run from starting is known within seconds: another one is at work, or
        there is too little to learn from.
        """
        # A file and not a pipe: when this process is killed, the run goes on to its end.
        with tempfile.TemporaryFile() as said:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                trigger.value,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=said,
            )
            self._processes.add(process)
            try:
                code = await process.wait()
            finally:
                self._processes.discard(process)
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").split("\n")
        if code == 0:
            return None
        if code < 0:  # then its last line was about something else
            name = signal.Signals(-code).name
            return f"the run was ended by {name}{_HINTS.get(name, '')}"
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return last.removeprefix(_PREFIX) or f"the run ended with exit code {code}"

    async def close(self) -> None:
        """Stop the schedule, and the runs: they end as after Ctrl-C."""
        if self._scheduler:
            self._scheduler.shutdown(wait=False)
        processes = list(self._processes)
        for process in processes:
            with suppress(ProcessLookupError):  # it ended just now by itself
                process.terminate()
        if not processes:
            return
        waiting = [asyncio.create_task(process.wait()) for process in processes]
        _, late = await asyncio.wait(waiting, timeout=_STOP_SECONDS)
        if late:
            for process in processes:
                with suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait(late)

    async def _start_scheduled(self) -> None:
        reason = await self.run(Trigger.SCHEDULE)
        if reason:
            log.info("no retraining: %s", reason)
