"""Retraining runs in a real database: one at a time, whatever happens to their processes."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from tweetsent.errors import RunError
from tweetsent.records import Run, RunState, RunStep, Trigger
from tweetsent.runs import LEASE, Lease, Runs
from tweetsent.sessions import writing
from tweetsent.tables import RunRow, utc_now

ROOT = Path(__file__).parents[2]
DIE_RUNNING = """
import sys
from tweetsent.database import create_engine_for
from tweetsent.records import RunStep, Trigger
from tweetsent.runs import Runs
lease = Runs(create_engine_for(sys.argv[1])).start(Trigger.SCHEDULE)
lease.progress(RunStep.TRAINING, 3, 9)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def runs(engine: Engine) -> Runs:
    return Runs(engine)


def last(runs: Runs) -> Run:
    return runs.list(1)[0]


def expire(engine: Engine, by: timedelta = timedelta(seconds=1)) -> None:
    """As if no sign of life had come for longer than the lease."""
    with writing(engine) as session:
        heartbeat = time.monotonic() - (LEASE + by).total_seconds()
        session.execute(update(RunRow).values(lease_until=utc_now() - by, heartbeat=heartbeat))


def set_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """As if somebody had put the wall clock forwards, or back."""
    monkeypatch.setattr("tweetsent.runs.utc_now", lambda: utc_now() + by)


def test_a_run_is_written_down_from_its_start_to_its_end(runs: Runs) -> None:
    assert runs.list() == []
    lease = runs.start(Trigger.ADMIN)
    run = last(runs)
    assert (run.id, run.trigger, run.state) == (lease.run_id, Trigger.ADMIN, RunState.RUNNING)
    assert (run.step, run.done, run.total, run.finished_at) == (RunStep.EXPORT, 0, 0, None)

    lease.exported("ab" * 32, 12)
    lease.progress(RunStep.TRAINING, 5, 40)
    run = last(runs)
    assert (run.step, run.done, run.total) == (RunStep.TRAINING, 5, 40)
    assert (run.snapshot, run.corrections) == ("ab" * 32, 12)

    lease.made("embedded-1234")
    lease.finish(RunState.REFUSED, "no better", {"promoted": False, "frozen": [1.5, None]})
    run = last(runs)
    assert (run.state, run.reason, run.model_version) == (
        RunState.REFUSED,
        "no better",
        "embedded-1234",
    )
    assert run.decision == {"promoted": False, "frozen": [1.5, None]}
    assert run.finished_at is not None
    assert run.started_at <= run.finished_at <= utc_now()
    assert runs.get(run.id) == run
    assert runs.get(run.id + 1) is None
    runs.start(Trigger.CLI).finish(RunState.FAILED)
    assert runs.that_made("embedded-1234") == run
    assert runs.that_made("embedded-5678") is None


def test_only_one_runs_at_a_time(runs: Runs) -> None:
    first = runs.start(Trigger.CLI)
    first.progress(RunStep.TRAINING)
    with pytest.raises(RunError, match=rf"run {first.run_id} is at work since .*\(training\)"):
        runs.start(Trigger.SCHEDULE)
    first.finish(RunState.PROMOTED)
    assert runs.start(Trigger.SCHEDULE).run_id > first.run_id
    assert [run.state for run in runs.list()] == [RunState.RUNNING, RunState.PROMOTED]


def test_of_many_that_start_together_one_runs(engine: Engine) -> None:
    def start(_: int) -> Lease | None:
        try:
            return Runs(engine).start(Trigger.SCHEDULE)
        except RunError:
            return None

    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(start, range(8)))
    assert len([lease for lease in leases if lease]) == 1
    assert len(Runs(engine).list()) == 1


def test_a_run_whose_process_was_killed_does_not_block_the_next(
    sqlite_engine: Engine, url: str
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", DIE_RUNNING, url], cwd=ROOT, check=False, timeout=60
    )
    assert killed.returncode == -9
    runs = Runs(sqlite_engine)
    assert last(runs).state is RunState.RUNNING
    lease = runs.start(Trigger.CLI)  # at once: on this machine the process is seen to be gone
    dead = runs.get(lease.run_id - 1)
    assert dead is not None
    assert (dead.state, dead.step) == (RunState.FAILED, RunStep.TRAINING)
    assert dead.reason == "its process ended without a word during training"
    assert dead.finished_at is not None


def test_sweeping_writes_down_the_dead_and_leaves_the_living(runs: Runs, engine: Engine) -> None:
    runs.start(Trigger.CLI)
    runs.sweep()
    assert last(runs).state is RunState.RUNNING
    expire(engine)
    runs.sweep()
    assert last(runs).state is RunState.FAILED
    runs.sweep()


def test_a_run_of_another_machine_counts_as_alive_until_its_lease_ends(
    runs: Runs, engine: Engine
) -> None:
    runs.start(Trigger.CLI)
    with writing(engine) as session:
        session.execute(update(RunRow).values(host="another", process=1))
    with pytest.raises(RunError):
        runs.start(Trigger.CLI)
    expire(engine)
    runs.start(Trigger.CLI)


def test_signs_of_life_renew_the_lease(runs: Runs, engine: Engine) -> None:
    lease = runs.start(Trigger.CLI)
    for sign in (
        lease.renew,
        lambda: lease.progress(RunStep.TRAINING, 1, 2),
        lambda: lease.exported("s", 1),
        lambda: lease.made("m"),
    ):
        expire(engine)
        before = time.monotonic()
        sign()
        with writing(engine) as session:
            row = session.get_one(RunRow, lease.run_id)
            assert row.lease_until > utc_now() + LEASE - timedelta(minutes=1)
            assert row.heartbeat is not None
            assert row.heartbeat >= before


@pytest.mark.parametrize("by", [timedelta(days=400), -timedelta(days=400)])
def test_a_living_run_survives_another_time_of_day(
    by: timedelta, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = runs.start(Trigger.CLI)
    set_clock(monkeypatch, by)
    runs.sweep()
    with pytest.raises(RunError, match="is at work"):
        runs.start(Trigger.SCHEDULE)
    lease.finish(RunState.PROMOTED)
    assert [run.state for run in runs.list()] == [RunState.PROMOTED]


def test_a_dead_run_blocks_nothing_after_the_clock_was_put_back(
    runs: Runs, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.start(Trigger.CLI)
    expire(engine)  # though its process's id is alive: another's by now
    set_clock(monkeypatch, -timedelta(hours=5))
    runs.start(Trigger.CLI)


def test_a_run_of_before_the_machine_was_started_anew_is_dead(runs: Runs, engine: Engine) -> None:
    runs.start(Trigger.CLI)
    with writing(engine) as session:
        session.execute(update(RunRow).values(heartbeat=time.monotonic() + 3600))
    runs.start(Trigger.CLI)


def test_on_another_machine_signs_of_life_heal_a_clock_that_was_put_forwards(
    runs: Runs, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = runs.start(Trigger.CLI)
    with writing(engine) as session:
        session.execute(update(RunRow).values(host="another"))
    set_clock(monkeypatch, timedelta(hours=5))
    lease.renew()
    runs.sweep()
    assert last(runs).state is RunState.RUNNING


def test_a_run_that_lost_its_place_can_write_nothing_more(runs: Runs, engine: Engine) -> None:
    slow = runs.start(Trigger.SCHEDULE)
    expire(engine)
    other = runs.start(Trigger.CLI)
    for write in (
        lambda: slow.progress(RunStep.PROMOTION),
        lambda: slow.exported("s", 1),
        lambda: slow.made("m"),
        lambda: slow.finish(RunState.PROMOTED),
    ):
        with pytest.raises(RunError, match=f"run {slow.run_id} gave no sign of life"):
            write()
    run = runs.get(slow.run_id)
    assert run is not None
    assert (run.state, run.model_version) == (RunState.FAILED, None)
    other.finish(RunState.PROMOTED)
    with pytest.raises(RunError):
        other.finish(RunState.FAILED)


def test_a_run_that_an_admin_stops_has_ended_at_once_and_its_process_hears_of_it(
    runs: Runs,
) -> None:
    lease = runs.start(Trigger.SCHEDULE)
    lease.progress(RunStep.TRAINING, 1, 9)
    assert runs.stop(lease.run_id)
    run = last(runs)
    assert (run.state, run.step, run.reason) == (RunState.STOPPED, RunStep.TRAINING, "")
    assert run.finished_at is not None
    with pytest.raises(RunError, match="or an admin stopped it"):
        lease.finish(RunState.PROMOTED)
    assert not runs.stop(lease.run_id)
    assert not runs.stop(lease.run_id + 1)
    assert runs.start(Trigger.CLI).run_id > lease.run_id


def test_each_end_is_reported_once_and_the_oldest_first(runs: Runs, engine: Engine) -> None:
    ids = []
    for state in (RunState.REFUSED, RunState.PROMOTED):
        lease = runs.start(Trigger.CLI)
        ids.append(lease.run_id)
        lease.finish(state)
    runs.start(Trigger.CLI)  # has no end yet
    first = runs.claim_report()
    assert first is not None
    assert (first.id, first.state) == (ids[0], RunState.REFUSED)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: Runs(engine).claim_report(), range(4)))
    assert [run.id for run in told if run] == ids[1:]
    assert runs.claim_report() is None
