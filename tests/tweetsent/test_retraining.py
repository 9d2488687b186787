"""Retraining as the bot asks for it, on a real database and with processes that play the run."""

import asyncio
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.tweetsent.conftest import ADMIN
from tests.tweetsent.test_readiness import correct
from tests.tweetsent.test_retrainer import SAY, in_loop
from tweetsent.errors import NotReadyError, RunError
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import RunState, RunStep, Trigger
from tweetsent.retrainer import Retrainer
from tweetsent.retraining import RetrainingService
from tweetsent.runs import Runs
from tweetsent.settings import Settings
from tweetsent.store import Store


class Bench:
    """A folder with a database, and the service on it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.folder = folder
        self.runs = Runs(engine)
        self.store = Store(engine, Pseudonymiser(b"a key for the tests only"), admin_ids={ADMIN})
        (folder / "base.csv").touch()
        self.settings = Settings(_env_file=None, tweetsent_base_data=folder / "base.csv")

    def service(self, *command: str, cron: str | None = None) -> RetrainingService:
        command = command or ("-m", "tests.bot.run_process", str(self.folder))
        settings = self.settings.model_copy(update={"tweetsent_retrain_cron": cron})
        retrainer = Retrainer((sys.executable, *command))
        return RetrainingService(settings, self.store, self.runs, retrainer)

    def end(self) -> None:
        (self.folder / "end").write_text('{"state": "refused", "reason": "no better"}')


@pytest.fixture
def bench(sqlite_engine: Engine, tmp_path: Path) -> Bench:
    bench = Bench(sqlite_engine, tmp_path)
    correct(bench.store, 20)
    return bench


@in_loop
async def test_a_run_is_returned_as_soon_as_it_has_begun_and_reported_once(bench: Bench) -> None:
    service = bench.service()
    assert await service.newest() is None
    run = await service.start()
    assert (run.state, run.trigger) == (RunState.RUNNING, Trigger.ADMIN)
    assert await service.claim_report() is None
    bench.end()
    while (report := await service.claim_report()) is None:
        await asyncio.sleep(0.02)
    assert (report.id, report.state, report.reason) == (run.id, RunState.REFUSED, "no better")
    assert await service.get(run.id) == report == await service.newest()
    assert await service.claim_report() is None
    await service.close()


@in_loop
async def test_what_keeps_a_run_from_beginning_is_raised(bench: Bench) -> None:
    service = bench.service("-c", SAY.format(lines=["tweetsent: error: no base data"], code=2))
    with pytest.raises(RunError, match=r"^no base data$"):
        await service.start()
    with pytest.raises(RunError, match="without a word"):
        await bench.service("-c", "").start()
    bench.settings = bench.settings.model_copy(update={"tweetsent_base_data": None})
    with pytest.raises(NotReadyError, match="TWEETSENT_BASE_DATA"):
        await bench.service().start()
    assert bench.runs.list() == []


@in_loop
async def test_a_service_that_is_closed_ends_its_run_and_the_report_says_where(
    bench: Bench,
) -> None:
    service = bench.service()
    run = await service.start()
    while run.step is not RunStep.TRAINING:
        run = await service.get(run.id) or run
    await service.close()
    report = await service.claim_report()
    assert report is not None
    assert (report.id, report.state) == (run.id, RunState.FAILED)
    assert report.reason == "its process ended without a word during training"


@in_loop
async def test_the_run_at_work_is_found_and_stopped_whoever_began_it(bench: Bench) -> None:
    lease = bench.runs.start(Trigger.CLI)
    service = bench.service()
    found = await service.start_or_find()
    assert (found.id, found.trigger) == (lease.run_id, Trigger.CLI)
    assert await service.stop(found.id)
    assert not await service.stop(found.id)
    other = await service.start_or_find()
    assert (other.trigger, other.state) == (Trigger.ADMIN, RunState.RUNNING)
    assert [run.id for run in await service.recent(5)] == [other.id, found.id]
    await service.close()


@in_loop
async def test_a_schedule_starts_only_where_the_settings_say_so(bench: Bench) -> None:
    for cron, count in ((None, 0), ("0 3 * * *", 1)):
        service = bench.service(cron=cron)
        service.schedule()
        scheduler = service._retrainer._scheduler
        assert (len(scheduler.get_jobs()) if scheduler else 0) == count
        await service.close()


@in_loop
async def test_a_schedule_that_would_never_do_anything_is_refused(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(update={"tweetsent_base_data": None})
    bench.service().schedule()
    with pytest.raises(NotReadyError, match="TWEETSENT_BASE_DATA is not set"):
        bench.service(cron="0 3 * * *").schedule()
