"""`tweetsent retrain` as processes, and what is left when they are killed or lack something.

All share one folder, as the runs of a bot do: each begins where the one before was broken off.
"""

import asyncio
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Result
from tests.training.test_retraining import Shop, left_over, make_shop, wait_until
from training.snapshot import read_snapshot
from tweetsent.model import BaseModel
from tweetsent.records import ModelState, Run, RunState, RunStep, Trigger
from tweetsent.retrainer import Retrainer

REAL = ("-m", "tweetsent", "retrain")


@dataclass
class Bench:
    """A bot's folder, and the command in it."""

    shop: Shop
    folder: Path
    environment: dict[str, str]

    def command(self, act: str, place: str) -> tuple[str, ...]:
        return ("-m", "tests.cli.faulty_run", act, place, str(self.folder), "retrain")

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        for name in ("held", "go"):
            (self.folder / name).unlink(missing_ok=True)
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> Result:
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=200)
        return Result(process.returncode, out, err)

    @contextmanager
    def held(self, place: str) -> Iterator[subprocess.Popen[str]]:
        """A run that waits at a place until it is let go; killed with its children at the end."""
        with self.start(*self.command("hold", place)) as process:
            try:
                wait_until(lambda: self.is_held or process.poll() is not None)
                assert process.poll() is None, process.communicate()
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    @property
    def is_held(self) -> bool:
        return (self.folder / "held").exists()

    def let_go(self) -> None:
        (self.folder / "go").touch()

    @property
    def serving(self) -> str | None:
        active = self.shop.workshop.registry.active()
        return active.version if active else None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def drafts(self) -> list[str]:
        """What is neither a whole snapshot nor the whole folder of a version."""
        for folder in self.shop.workshop.snapshots.glob("*"):
            read_snapshot(folder)
        return [path.name for path in self.data.glob("*/.*") if path.name != ".lock"]


@pytest.fixture(scope="module")
def bench(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("retraining")
    shop = make_shop(tiny_base, folder)
    settings = {
        "TWEETSENT_DATA_DIR": str(folder / "data"),
        "TWEETSENT_CACHE_DIR": str(folder / "cache"),
        "TWEETSENT_DEVICE": "cpu",
        "TWEETSENT_BASE_MODEL": tiny_base.name,
        "TWEETSENT_BASE_DATA": str(folder / "base.csv"),
        "TWEETSENT_TEST_DATA": str(folder / "test.csv"),
        "TWEETSENT_RETRAIN_THREADS": "1",
        "TWEETSENT_RETRAIN_MIN_CORRECTIONS": "1",
        "COLUMNS": "160",
        "PYTHONPATH": str(ROOT),
    }
    others = {name: value for name, value in os.environ.items() if "TWEETSENT" not in name}
    yield Bench(shop, folder, others | settings)
    shop.workshop.store.close()


def swept(bench: Bench) -> Run:
    """The last run, as the next one or a bot that looks after it writes it down."""
    bench.shop.workshop.runs.sweep()
    return bench.shop.last


def error_of(result: Result) -> str:
    """The one line that says what went wrong, after those that said what went on."""
    assert result.out == ""
    assert "Traceback" not in result.err
    *_, line = result.err.splitlines()
    assert line.startswith("tweetsent: error: ")
    assert "unexpected" not in line
    return line.removeprefix("tweetsent: error: ")


@pytest.mark.parametrize(
    ("place", "step"),
    [
        ("training.snapshot:_write_parquet", RunStep.EXPORT),
        ("training.run:save_weights", RunStep.TRAINING),
        ("training.challenge:decide", RunStep.EVALUATION),
        ("tweetsent.registry:shutil.copytree", RunStep.EVALUATION),
        ("tweetsent.registry:Registry.add", RunStep.EVALUATION),
        ("tweetsent.runs:Lease.finish_with", RunStep.PROMOTION),
    ],
)
def test_killed_at_any_step_the_old_model_serves(place: str, step: RunStep, bench: Bench) -> None:
    before = bench.serving
    with bench.held(place) as process:
        run = bench.shop.last
        assert (run.state, run.step) == (RunState.RUNNING, step)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run = swept(bench)
    assert (run.state, run.step) == (RunState.FAILED, step)
    assert run.reason == f"its process ended without a word during {step}"
    assert bench.serving == before


@pytest.mark.parametrize(
    ("act", "place", "step", "reason"),
    [
        ("damage", "training.retraining:export_snapshot", RunStep.EXPORT, "data.parquet was chang"),
        ("starve", "training.qlora:load_trainable", RunStep.TRAINING, "memory ran out: raise TWEE"),
        ("abort", "training.challenge:load_from", RunStep.EVALUATION, "ended without a word"),
    ],
)
def test_damaged_data_and_a_lack_of_memory_are_written_down(
    act: str, place: str, step: RunStep, reason: str, bench: Bench
) -> None:
    before = bench.serving
    result = bench.run(*bench.command(act, place), TWEETSENT_RETRAIN_MEMORY_GB="8")
    run = swept(bench)
    assert (run.state, run.step) == (RunState.FAILED, step)
    assert reason in run.reason
    if act != "abort":
        assert error_of(result) == run.reason
        assert left_over(bench.shop) == []
    assert bench.serving == before


def test_a_bound_that_the_libraries_alone_exceed_is_named(bench: Bench) -> None:
    count = len(bench.shop.workshop.runs.list(100))
    result = bench.run(*REAL, TWEETSENT_RETRAIN_MEMORY_GB="0.3")
    assert result.code == 1
    assert "memory ran out: raise TWEETSENT_RETRAIN_MEMORY_GB" in error_of(result)
    assert len(bench.shop.workshop.runs.list(100)) - count in {0, 1}
    assert swept(bench).state is not RunState.RUNNING


@pytest.mark.parametrize("room", [400_000, 20_000])
def test_a_full_disk_ends_the_run(room: int, bench: Bench) -> None:
    """No file may grow beyond so many bytes: the weights, or everything, the database too."""
    before = bench.serving
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); "
    command = "from tweetsent.cli import main; main()"
    result = bench.run("-c", limited.format(room) + command, "retrain")
    assert result.code in {1, 2}
    assert error_of(result)
    run = swept(bench)
    assert run.state is RunState.FAILED
    assert left_over(bench.shop) == []
    assert bench.serving == before


def test_ctrl_c_ends_the_run_and_meanwhile_no_other_begins(bench: Bench) -> None:
    with bench.held("training.qlora:load_trainable") as process:
        other = bench.run_beside(*REAL)
        assert other.code == 1
        assert "is at work since" in error_of(other)
        process.send_signal(signal.SIGINT)
        bench.let_go()
        out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (130, "")
    assert "stopping after this step" in err
    assert "Traceback" not in err
    assert (bench.shop.last.state, bench.shop.last.step) == (RunState.FAILED, RunStep.TRAINING)
    assert bench.shop.last.reason.startswith("stopped after step 1")
    assert left_over(bench.shop) == []


def test_of_two_schedules_one_runs_and_the_next_run_after_all_this_is_clean(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "tweetsent.retrainer")
    for name, value in bench.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("held", "go"):
        (bench.folder / name).unlink(missing_ok=True)
    before = bench.shop.last.id

    async def two() -> None:
        command = (sys.executable, *bench.command("hold", "training.run:save_weights"))
        both = [Retrainer(command), Retrainer(command)]
        for retrainer in both:
            retrainer.schedule("0 3 * * *")
            assert retrainer._scheduler
            (job,) = retrainer._scheduler.get_jobs()
            job.modify(next_run_time=datetime.now(UTC))
        await asyncio.to_thread(wait_until, lambda: bench.is_held and bool(caplog.messages))
        bench.let_go()
        ended = lambda: bench.shop.last.state is not RunState.RUNNING  # noqa: E731
        await asyncio.to_thread(wait_until, ended)
        while any(retrainer._processes for retrainer in both):
            await asyncio.sleep(0.02)
        for retrainer in both:
            await retrainer.close()

    asyncio.run(two())
    run = bench.shop.last
    (heard,) = [line for line in caplog.messages if line.startswith("no retraining")]
    assert f"run {run.id} is at work since" in heard
    assert (run.id, run.trigger, run.state) == (before + 1, Trigger.SCHEDULE, RunState.PROMOTED)
    assert bench.serving == run.model_version
    assert (left_over(bench.shop), bench.drafts()) == ([], [])


def test_killed_after_its_end_a_run_stays_what_it_was(bench: Bench) -> None:
    with bench.held("tweetsent.runs:Runs.get") as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run = swept(bench)
    states = {item.version: item.state for item in bench.shop.workshop.registry.list()}
    assert run.state in {RunState.PROMOTED, RunState.REFUSED}
    assert states[str(run.model_version)] in {ModelState.ACTIVE, ModelState.REFUSED}


def test_a_run_prints_what_came_of_it(bench: Bench) -> None:
    before = bench.serving
    result = bench.run(*REAL, "--json")
    run = bench.shop.last
    assert result.code == 0, result.err
    assert json.loads(result.out) == {
        "id": run.id,
        "state": run.state,
        "model": run.model_version,
        "corrections": run.corrections,
        "snapshot": run.snapshot,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "reason": run.reason,
        "decision": json.loads(json.dumps(run.decision)),
    }
    assert "Traceback" not in result.err
    assert bench.serving == (run.model_version if run.state is RunState.PROMOTED else before)
    assert (left_over(bench.shop), bench.drafts()) == ([], [])
