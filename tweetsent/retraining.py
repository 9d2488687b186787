"""What the bot may ask of retraining: start or stop a run, see where it stands, hear how it ended.

Knows nothing of Telegram. The runs themselves are other processes (`tweetsent/retrainer.py`).
"""

import asyncio
from collections.abc import Sequence

from tweetsent.errors import RunError
from tweetsent.readiness import require_material, require_ready
from tweetsent.records import Run, RunState, Trigger
from tweetsent.retrainer import Retrainer
from tweetsent.runs import Runs
from tweetsent.settings import Settings
from tweetsent.store import Store

_POLL_SECONDS = 0.5


class RetrainingService:
    """Retraining, for the handlers; methods raise StoreError when the database fails."""

    def __init__(self, settings: Settings, store: Store, runs: Runs, retrainer: Retrainer) -> None:
        self._settings = settings
        self._store = store
        self._runs = runs
        self._retrainer = retrainer
        self._processes: set[asyncio.Task[str | None]] = set()

    def schedule(self) -> None:
        """Start runs from now on when the settings say so; within a running event loop.

        Raises NotReadyError for a schedule that would never do anything.
        """
        if self._settings.tweetsent_retrain_cron:
            require_material(self._settings)
            self._retrainer.schedule(self._settings.tweetsent_retrain_cron)

    async def start(self) -> Run:
        """Start a run on an admin's word; returns it when it has begun, seconds later.

        Raises NotReadyError when a run would have too little to learn from, RunError with the last
        words of one that ended before it began.
        """
        await asyncio.to_thread(
            require_ready, self._settings, self._store, self._runs, Trigger.ADMIN
        )
        before = await self.newest()
        process = asyncio.create_task(self._retrainer.run(Trigger.ADMIN))
        self._processes.add(process)  # the event loop itself forgets tasks
        process.add_done_callback(self._processes.discard)
        while True:
            has_ended = process.done()
            newest = await self.newest()
            if newest is not None and (before is None or newest.id > before.id):
                return newest
            if has_ended:
                raise RunError(process.result() or "the run ended without a word")
            await asyncio.wait([process], timeout=_POLL_SECONDS)

    async def start_or_find(self) -> Run:
        """The run at work, whichever process began it, else a new one; errors as `start`."""
        run = await self._at_work()
        if run is None:
            try:
                run = await self.start()
            except RunError:
                run = await self._at_work()  # another process may have been faster
                if run is None:
                    raise
        return run

    async def newest(self) -> Run | None:
        """The run that was begun last, by whichever process; None before the first."""
        runs = await self.recent(1)
        return runs[0] if runs else None

    async def recent(self, count: int) -> Sequence[Run]:
        """The last so many runs, the newest first."""
        await asyncio.to_thread(self._runs.sweep)
        return await asyncio.to_thread(self._runs.list, count)

    async def get(self, run_id: int) -> Run | None:
        """One run."""
        await asyncio.to_thread(self._runs.sweep)
        return await asyncio.to_thread(self._runs.get, run_id)

    async def that_made(self, model_version: str) -> Run | None:
        """The run that a version of the model came out of, if one did."""
        return await asyncio.to_thread(self._runs.that_made, model_version)

    async def stop(self, run_id: int) -> bool:
        """End a run on an admin's word, whichever process began it; False when it had ended."""
        return await asyncio.to_thread(self._runs.stop, run_id)

    async def claim_report(self) -> Run | None:
        """An ended run that nobody told the admins of, which the caller must do now; or None."""
        await asyncio.to_thread(self._runs.sweep)
        return await asyncio.to_thread(self._runs.claim_report)

    async def _at_work(self) -> Run | None:
        run = await self.newest()
        return run if run and run.state is RunState.RUNNING else None

    async def close(self) -> None:
        """Stop the schedule and the runs that this process started."""
        await self._retrainer.close()
        await asyncio.gather(*self._processes, return_exceptions=True)
