"""`tweetsent retrain` as processes, and what is left when they are killed or lack something.

All share one folder, as the runs of a bot do: each begins where the one before was broken off.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from tests.cli import faulty_run, forked
from tests.cli.conftest import ROOT, Failing, Result, Running
from tests.cli.forked import Fork
from tests.training.test_retraining import Shop, left_over, make_shop, wait_until
from training.snapshot import read_snapshot
from tweetsent.model import BaseModel
from tweetsent.records import Run, RunState, RunStep, Trigger

REAL = ("-m", "tweetsent", "retrain")
ENDED = {"model_version": "v-2", "reason": "no better"}


@dataclass
class Bench:
    """A bot's folder, and the command in it."""

    shop: Shop
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **variables: str) -> Result:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment | variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=200,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def fork(self, act: str, place: str, *arguments: str, **variables: str) -> Fork:
        """A run in which something is done at a place."""
        return Fork(
            *(faulty_run.main, act, place, self.folder, ["retrain", *arguments]),
            environment=self.environment | variables,
            folder=self.folder,
        )

    def run_with(self, act: str, place: str, *arguments: str, **variables: str) -> Result:
        process = self.fork(act, place, *arguments, **variables)
        out, err = process.wait()
        assert process.returncode is not None
        return Result(process.returncode, out, err)

    @contextmanager
    def held(self, place: str) -> Iterator[Fork]:
        """A run that waits at a place until it is let go; killed with its children at the end."""
        self.prepare_to_hold()
        with self.fork("hold", place) as process:
            try:
                wait_until(lambda: self.is_held or process.returncode is not None)
                assert process.returncode is None, process.wait()
                yield process
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def prepare_to_hold(self) -> None:
        for name in ("held", "go"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def is_held(self) -> bool:
        return (self.folder / "held").exists()

    def let_go(self) -> None:
        (self.folder / "go").touch()

    @property
    def serving(self) -> str | None:
        active = self.shop.workshop.registry.active()
        return active.version if active else None

    def drafts(self) -> list[str]:
        """What is neither a whole snapshot nor the whole folder of a version."""
        for folder in self.shop.workshop.snapshots.glob("*"):
            read_snapshot(folder)
        data = self.shop.workshop.settings.tweetsent_data_dir
        return [path.name for path in data.glob("*/.*") if path.name != ".lock"]


@pytest.fixture(scope="module")
def bench(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    forked.prepare()
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


def keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tests' own process."""
    monkeypatch.setattr("tweetsent.cli.retraining.limit_this_process", lambda _: 1)


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


def test_memory_beyond_the_bound_ends_the_run(bench: Bench) -> None:
    before = bench.serving
    place = "training.qlora:load_trainable"
    result = bench.run_with("starve", place, TWEETSENT_RETRAIN_MEMORY_GB="8")
    assert result.code == 1
    run = swept(bench)
    assert (run.state, run.step) == (RunState.FAILED, RunStep.TRAINING)
    assert run.reason.startswith("memory ran out: raise TWEETSENT_RETRAIN_MEMORY_GB")
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


def test_a_full_disk_ends_the_run(bench: Bench) -> None:
    """No file may grow beyond so many bytes, which a run's checkpoint does."""
    before = bench.serving
    bench.shop.engine.dispose()  # the last one out empties the write-ahead log, which may be longer
    result = bench.run_with("fill", "training.qlora:load_trainable")
    assert result.code == 2
    assert "can't be written: " in error_of(result)
    run = bench.shop.last
    assert (run.state, run.step) == (RunState.FAILED, RunStep.TRAINING)
    assert run.reason == error_of(result)
    assert left_over(bench.shop) == []
    assert bench.serving == before


def test_ctrl_c_ends_the_run_and_meanwhile_no_other_begins(
    bench: Bench, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_priority(monkeypatch)
    for name, value in bench.environment.items():
        monkeypatch.setenv(name, value)
    with bench.held("training.qlora:load_trainable") as process:
        assert "is at work since" in failing("retrain", code=1)
        os.kill(process.pid, signal.SIGINT)
        bench.let_go()
        out, err = process.wait()
    assert (process.returncode, out) == (130, "")
    assert "stopping after this step" in err
    assert "Traceback" not in err
    assert (bench.shop.last.state, bench.shop.last.step) == (RunState.FAILED, RunStep.TRAINING)
    assert bench.shop.last.reason.startswith("stopped after step 1")
    assert left_over(bench.shop) == []


def test_after_all_this_a_run_is_clean_and_its_version_serves(bench: Bench) -> None:
    result = bench.run_with("nothing", "training.challenge:decide", "schedule", "--json")
    run = bench.shop.last
    assert (result.code, run.state) == (0, RunState.PROMOTED), result.err
    assert json.loads(result.out) == {
        "id": run.id,
        "state": "promoted",
        "model": run.model_version,
        "corrections": run.corrections,
        "snapshot": run.snapshot,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "reason": "",
        "decision": run.decision,
    }
    assert "Traceback" not in result.err
    assert bench.serving == run.model_version
    assert run.trigger is Trigger.SCHEDULE
    assert [other.state for other in bench.shop.workshop.runs.list(100) if other != run] == [
        RunState.FAILED
    ] * (len(bench.shop.workshop.runs.list(100)) - 1)
    assert (left_over(bench.shop), bench.drafts()) == ([], [])


def test_what_a_run_lacks_is_bad_input(
    failing: Failing, tweetsent: Running, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_priority(monkeypatch)
    tweetsent("db", "upgrade")
    assert failing("retrain").startswith("TWEETSENT_BASE_DATA is not set")


@pytest.mark.parametrize("state", [RunState.PROMOTED, RunState.REFUSED])
def test_a_run_says_what_serves(
    state: RunState, tweetsent: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(**{field.name: None for field in fields(Run)} | ENDED | {"state": state})
    monkeypatch.setattr("tweetsent.cli.retraining._run", lambda *_: run)
    result = tweetsent("retrain")
    assert (result.code, result.out) == (0, "")
    assert (
        result.err
        == {
            RunState.PROMOTED: "v-2 serves from now on\n",
            RunState.REFUSED: "v-2 was refused, and what served before serves on: no better\n",
        }[state]
    )
