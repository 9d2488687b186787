"""Runs as child processes: what is heard of them, on a schedule, and when the bot stops."""

import asyncio
import functools
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec

import pytest
from sqlalchemy import Engine

from tweetsent.records import RunState, Trigger
from tweetsent.retrainer import Retrainer
from tweetsent.runs import Runs

SAY = """
import sys
print("out", sys.argv[1])
for line in {lines!r}:
    print(line, file=sys.stderr)
sys.exit({code})
"""
NOTE = """
import pathlib, sys
pathlib.Path({path!r}).write_text(sys.argv[1])
"""
WAIT = """
import pathlib, signal, sys, time
def stop(*_):
    {on_stop}
signal.signal(signal.SIGTERM, stop)
pathlib.Path({path!r}).write_text("up")
time.sleep(60)
"""


ROOT = Path(__file__).parents[2]
P = ParamSpec("P")


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs a test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def retrainer(script: str) -> Retrainer:
    return Retrainer((sys.executable, "-c", script))


@pytest.mark.parametrize(
    ("lines", "code", "reason"),
    [
        ([], 0, None),
        (["training", "done"], 0, None),
        (["one", "two", "", "tweetsent: error: run 3 is at work"], 1, "run 3 is at work"),
        ([], 3, "the run ended with exit code 3"),
        (["ş" * 3000], 1, "ş" * 3000),
    ],
)
@in_loop
async def test_what_kept_a_run_from_its_end_is_its_last_line(
    lines: list[str], code: int, reason: str | None
) -> None:
    assert await retrainer(SAY.format(lines=lines, code=code)).run(Trigger.ADMIN) == reason


@in_loop
async def test_the_trigger_reaches_the_run(tmp_path: Path) -> None:
    path = tmp_path / "trigger"
    await retrainer(NOTE.format(path=str(path))).run(Trigger.ADMIN)
    assert path.read_text() == "admin"


@in_loop
async def test_a_killed_run_is_told_by_the_signal_and_not_by_its_last_line() -> None:
    script = "import os, sys; print('training', file=sys.stderr, flush=True); os.abort()"
    reason = await retrainer(script).run(Trigger.CLI)
    assert reason == "the run was ended by SIGABRT: memory may have run out"


async def up(path: Path) -> None:
    while not path.exists():
        await asyncio.sleep(0.02)


@in_loop
async def test_closing_ends_the_runs_as_ctrl_c_does(tmp_path: Path) -> None:
    path = tmp_path / "up"
    runner = retrainer(
        WAIT.format(path=str(path), on_stop="print('stopped', file=sys.stderr); sys.exit(130)")
    )
    running = asyncio.create_task(runner.run(Trigger.SCHEDULE))
    await asyncio.wait_for(up(path), 10)
    await runner.close()
    assert await running == "stopped"
    await runner.close()


OUTLIVE = """
import pathlib, sys, time
folder = pathlib.Path({folder!r})
(folder / "up").touch()
while not (folder / "go").exists():
    time.sleep(0.02)
for number in range(10_000):
    print("a line of progress", number, file=sys.stderr)
(folder / "end").touch()
"""
BOT = """
import asyncio, sys
from tweetsent.records import Trigger
from tweetsent.retrainer import Retrainer
asyncio.run(Retrainer((sys.executable, "-c", {script!r})).run(Trigger.SCHEDULE))
"""


@in_loop
async def test_a_run_goes_on_when_the_bot_is_killed(tmp_path: Path) -> None:
    script = BOT.format(script=OUTLIVE.format(folder=str(tmp_path)))
    bot = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT)
    await asyncio.wait_for(up(tmp_path / "up"), 60)
    bot.kill()
    await bot.wait()
    (tmp_path / "go").touch()
    await asyncio.wait_for(up(tmp_path / "end"), 60)


@in_loop
async def test_a_run_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tweetsent.retrainer._STOP_SECONDS", 0.2)
    path = tmp_path / "up"
    runner = retrainer(WAIT.format(path=str(path), on_stop="pass"))
    running = asyncio.create_task(runner.run(Trigger.SCHEDULE))
    await asyncio.wait_for(up(path), 10)
    await runner.close()
    assert await running == "the run was ended by SIGKILL: memory may have run out"


@in_loop
async def test_the_schedule_starts_runs_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "trigger"
    runner = retrainer(NOTE.format(path=str(path)))
    runner.schedule("30 4 * * 1")
    assert runner._scheduler is not None
    (job,) = runner._scheduler.get_jobs()
    due = job.next_run_time
    assert due.utcoffset() == timedelta(0)
    assert due.strftime("%a %H:%M") == "Mon 04:30"
    assert due > datetime.now(UTC)
    job.modify(next_run_time=datetime.now(UTC))
    await asyncio.wait_for(up(path), 10)
    assert path.read_text() == "schedule"
    started = time.monotonic()
    await runner.close()
    assert time.monotonic() - started < 5
    await asyncio.sleep(0)  # the scheduler stops in the next round of the loop
    assert not runner._scheduler.running


def fire(runner: Retrainer) -> None:
    """The time of the schedule has come."""
    assert runner._scheduler is not None
    (job,) = runner._scheduler.get_jobs()
    job.modify(next_run_time=datetime.now(UTC))


def of_folder(folder: Path) -> Retrainer:
    """One whose runs stand in the folder's database and wait for their end."""
    return Retrainer((sys.executable, "-m", "tests.bot.run_process", str(folder)))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def end(folder: Path) -> None:
    draft = folder / "draft"
    draft.write_text('{"state": "refused", "reason": "no better"}')
    draft.rename(folder / "end")  # the run looks for it all the time


@in_loop
async def test_of_two_schedules_that_fire_together_one_runs(
    sqlite_engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tweetsent.retrainer")
    runs, both = Runs(sqlite_engine), [of_folder(tmp_path), of_folder(tmp_path)]
    for runner in both:
        runner.schedule("0 3 * * *")
        fire(runner)
    await until(lambda: bool(caplog.messages) and bool(runs.list()))
    end(tmp_path)
    await until(lambda: not any(runner._processes for runner in both))
    (run,) = runs.list()
    assert (run.trigger, run.state) == (Trigger.SCHEDULE, RunState.REFUSED)
    (line,) = caplog.messages
    assert line.startswith("no retraining: ")
    assert "run 1 is at work since" in line
    for runner in both:
        await runner.close()


@in_loop
async def test_a_run_longer_than_its_period_is_let_finish_and_the_next_period_runs_again(
    sqlite_engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs, runner = Runs(sqlite_engine), of_folder(tmp_path)
    runner.schedule("0 3 * * *")
    fire(runner)
    await until(lambda: bool(runs.list()))
    fire(runner)
    await until(lambda: bool(caplog.messages))
    (skipped,) = caplog.records
    assert skipped.levelname == "WARNING"
    assert "skipped: maximum number of running instances reached" in skipped.getMessage()
    end(tmp_path)
    await until(lambda: not runner._processes)
    assert len(runs.list()) == 1  # nothing was queued
    await asyncio.sleep(0)  # the scheduler hears of the end in the next round of the loop
    fire(runner)
    await until(lambda: len(runs.list()) == 2 and not runner._processes)
    assert [run.state for run in runs.list()] == [RunState.REFUSED] * 2
    await runner.close()
