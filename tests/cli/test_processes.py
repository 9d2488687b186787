"""The command line as processes: how it ends, what it loads, signals, pipes and two at once."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bot.tiny import TinyClassifier
from tests.cli.conftest import ROOT, Result, Running
from tests.cli.forked import Fork, prepare, run_tweetsent
from tests.sentences import SENTENCES
from tests.training.test_retraining import wait_until
from tweetsent import blocks, bulk, database
from tweetsent.adapter import read_manifest
from tweetsent.batching import BatchingClassifier
from tweetsent.cli import console, serving
from tweetsent.files import read_table
from tweetsent.labels import LABELS
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService

TOKEN = "123456789:AA-not-a-real_token"
ANSWERS = [label.turkish for label in LABELS]


Forking = Callable[..., Fork]


@pytest.fixture
def forked(tmp_path_factory: pytest.TempPathFactory) -> Forking:
    """Starts `tweetsent` as a fork of a process that has the libraries."""
    prepare()

    def start(*arguments: str, block_rows: int = blocks.BLOCK_ROWS) -> Fork:
        folder = tmp_path_factory.mktemp("fork")
        return Fork(run_tweetsent, block_rows, *arguments, environment=os.environ, folder=folder)

    return start


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["predict", "--help"], 0), (["predit"], 2), (["bot"], 2), (["stats"], 1)],
)
def test_a_process_ends_with_the_exit_code(
    process: Running, arguments: list[str], code: int
) -> None:
    result = process(*arguments)
    assert result.code == code
    assert "Traceback" not in result.err
    assert (result.err == "") is (code == 0)
    assert (result.out == "") is (code != 0)


def test_the_bot_without_a_token_names_the_variable(process: Running) -> None:
    assert process("bot").err.startswith("tweetsent: error: TELEGRAM_BOT_TOKEN is not set")


def test_the_bot_without_a_database_asks_for_the_upgrade(
    process: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("TELEGRAM_API_BASE_URL", "http://127.0.0.1:1")
    result = process("bot")
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert "run `tweetsent db upgrade`" in result.err
    assert TOKEN not in result.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["predict"], 2),
        (["predict", ""], 2),
        (["bot"], 2),
        (["chat"], 1),
        (["db", "upgrade"], 0),
        (["stats", "--json"], 0),
        (["models", "list", "--json"], 0),
        (["models", "show", "a-1"], 2),
    ],
)
def test_what_needs_no_model_loads_no_model_library(
    tweetsent: Running, arguments: list[str], code: int
) -> None:
    if arguments[0] in {"stats", "models"}:
        assert tweetsent("db", "upgrade").code == 0
    script = (
        "import sys; from tweetsent.cli import run; code = run(sys.argv[1:]); "
        "heavy = {'torch', 'transformers', 'peft', 'bitsandbytes'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == code, done.stderr


def test_a_prediction_process_prints_json_and_nothing_else(process: Running, tiny: Path) -> None:
    result = process("predict", "Bugün harika bir gün!", "--json")
    assert result.code == 0
    (answer,) = json.loads(result.out)
    assert answer["label_tr"] in ANSWERS
    # The one line is about the adapter: the model libraries keep quiet.
    assert result.err.count("\n") == 1
    assert "there is no adapter" in result.err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_file_goes_on_after_a_kill_and_ends_as_if_there_were_none(
    tweetsent: Running,
    forked: Forking,
    tiny: Path,
    empty_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    rows = [f"{row.text} {number}" for number in range(20) for row in SENTENCES]
    table = "metin\n" + "".join(f'"{row}"\n' for row in rows)
    (empty_home / "rows.csv").write_text(table, encoding="utf-8")
    partial = empty_home / "out.csv.partial"
    predict = ["predict", "--input", "rows.csv", "--output"]
    done_before = random.randint(1, 5)
    with forked(*predict, "out.csv", block_rows=20) as killed:
        while len(list(partial.glob("block-*"))) < done_before and killed.returncode is None:
            time.sleep(0.001)
        os.kill(killed.pid, number)
        errors = killed.wait()[1]
    if number == signal.SIGINT:
        assert killed.returncode == 130
        assert errors.endswith("stopped; the same command goes on from here\n")
    assert not (empty_home / "out.csv").exists()
    done = len(list(partial.glob("block-*")))
    assert done_before <= done < len(rows) / 20

    monkeypatch.setattr(blocks, "BLOCK_ROWS", 20)
    monkeypatch.setattr(bulk, "BLOCK_ROWS", 20)
    again = tweetsent(*predict, "out.csv")
    assert again.code == 0, again.err
    assert f"going on after {done * 20:,} texts" in again.err
    assert tweetsent(*predict, "whole.csv").code == 0

    assert (empty_home / "out.csv").read_bytes() == (empty_home / "whole.csv").read_bytes()
    found = read_table(empty_home / "out.csv")
    assert found["metin"].tolist() == rows
    assert found["tweetsent_label"].isin(LABELS).all()
    assert not partial.exists()


def test_a_piped_conversation_is_answered_and_ends_with_zero(
    process: Running, tweetsent: Running, tiny: Path, empty_home: Path
) -> None:
    assert tweetsent("db", "upgrade").code == 0
    result = process("chat", stdin="Bugün harika bir gün!\nÇok kötüydü.\n/stats\n")
    assert result.code == 0
    assert "Traceback" not in result.err
    assert sum(result.out.count(answer) for answer in ANSWERS) >= 2
    stats = json.loads(tweetsent("stats", "--json").out)
    assert (stats["users"], stats["predictions"]) == (1, 2)
    assert stats["by_model"] == {f"{tiny}-untrained": 2}


def test_run_without_a_token_upgrades_says_so_and_chats(
    process: Running, tiny: Path, empty_home: Path
) -> None:
    result = process("run", stdin="Bugün harika bir gün!\n")
    assert result.code == 0
    assert "TELEGRAM_BOT_TOKEN" in result.err
    assert any(answer in result.out for answer in ANSWERS)
    assert (empty_home / "data" / "tweetsent.db").exists()


def test_a_reader_that_goes_away_is_no_traceback(tweetsent: Running) -> None:
    assert tweetsent("db", "upgrade").code == 0
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tweetsent", "stats", "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=200,
        check=False,
    )
    os.close(write)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


# training that is stopped, and training in two processes

EPOCHS, STEPS_OF_ONE = 24, 3
TRAIN = [
    *("train", "--data", "rows.csv", "--valid", "valid.csv"),
    *("--text-column", "text", "--label-column", "label"),
    *("--batch-size", "4", "--epochs", str(EPOCHS), "--learning-rate", "0.01", "--lora-rank", "4"),
]
TWO = (
    *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
    *("--log-dir", "logs", "--redirects", "3", "-m", "tweetsent"),
)
KEPT = "stopped after step {step} of 72; the same command goes on from {output}.checkpoint"


@pytest.fixture
def rows(empty_home: Path, tiny: Path) -> None:
    """Three steps an epoch, and the tiny model to train."""
    for name, part in (("rows.csv", SENTENCES[::2]), ("valid.csv", SENTENCES[1::4])):
        lines = [f'"{row.text}",{row.label}\n' for row in part]
        (empty_home / name).write_text("text,label\n" + "".join(lines), "utf-8")


def interrupted(forked: Forking, sign: str, number: signal.Signals, *arguments: str) -> Result:
    """Runs `tweetsent` and sends it a signal when stderr shows the sign."""
    with forked(*arguments) as running:
        wait_until(lambda: sign in running.errors or running.returncode is not None)
        os.kill(running.pid, number)
        out, errors = running.wait()
    assert running.returncode is not None
    return Result(running.returncode, out, errors)


def step_of(line: str) -> int:
    """The number in `… step 7 of 72 …`."""
    return int(re.findall(r" step (\d+) of ", line)[0])


@pytest.mark.timeout(900)  # four runs, on a machine that may be busy
def test_training_that_is_stopped_twice_goes_on_to_the_same_bytes(
    tweetsent: Running, forked: Forking, rows: None, empty_home: Path
) -> None:
    assert tweetsent(*TRAIN, "--output", "whole").code == 0
    command = [*TRAIN, "--output", "yeni", "--json"]
    step = 0
    for number, epoch in ((signal.SIGINT, 2), (signal.SIGTERM, 8)):
        before = step
        result = interrupted(forked, f"epoch {epoch}:", number, *command)
        assert (result.code, result.out) == (130, "")
        assert "Traceback" not in result.err
        *_, asked, last = result.err.splitlines()
        assert asked == "stopping after this step; once more stops at once and loses some steps"
        step = step_of(last)
        assert last == KEPT.format(step=step, output="yeni")
        assert (epoch - 1) * STEPS_OF_ONE < step < EPOCHS * STEPS_OF_ONE
        going_on = f"going on from step {before} of 72 (yeni.checkpoint)"
        assert (going_on in result.err.splitlines()) is (before > 0)
        names = {path.name for path in empty_home.iterdir() if "yeni" in path.name}
        assert names == {"yeni.checkpoint"}
    result = tweetsent(*command)
    assert result.code == 0
    assert f"going on from step {step} of 72 (yeni.checkpoint)" in result.err
    assert json.loads(result.out)["n"] == 6
    assert not list(empty_home.glob("*.checkpoint*"))
    assert not list(empty_home.glob(".training-*"))
    weights = "adapter_model.safetensors"
    assert (empty_home / "yeni" / weights).read_bytes() == (
        empty_home / "whole" / weights
    ).read_bytes()


def test_a_signal_that_comes_again_at_once_is_the_same_and_a_later_one_ends_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(console, "_SAME_SIGNAL_SECONDS", 60.0)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with console.stop_on_interrupt(said.append) as should_stop:
        assert not should_stop()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert should_stop()
        assert len(said) == 1
        monkeypatch.setattr(console, "_SAME_SIGNAL_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_two_processes_make_one_adapter_and_say_each_line_once(
    process: Running, rows: None, empty_home: Path
) -> None:
    result = process(*TRAIN, "--epochs", "2", "--output", "yeni", start=TWO)
    assert result.code == 0, result.err
    first, second = sorted(empty_home.glob("logs/*/attempt_0/*"))
    assert [(second / f"{name}.log").read_text() for name in ("stdout", "stderr")] == ["", ""]
    lines = (first / "stderr.log").read_text("utf-8").splitlines()
    assert len(set(lines)) == len(lines)
    assert "12 rows to train on: negative 4 (33%), neutral 4 (33%), positive 4 (33%)" in lines
    assert [line.split(": accuracy")[0] for line in lines if line.startswith("epoch")] == [
        "epoch 1: valid.csv",
        "epoch 2: valid.csv",
    ]
    assert lines[-1] == "adapter in yeni"
    manifest = read_manifest(empty_home / "yeni")
    results = (first / "stdout.log").read_text("utf-8")
    assert results.startswith("valid.csv: n 6, accuracy ")
    assert results.count(manifest.version) == 1
    written = {path.name for path in empty_home.iterdir()} - {"logs", "data", "cache"}
    assert written == {"rows.csv", "valid.csv", "yeni"}


@pytest.mark.usefixtures("empty_home")
def test_a_run_that_can_not_be_stopped_keeps_nothing_else_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []

    async def fail(_: RetrainingService) -> None:
        raise ProcessLookupError

    async def close_service(_: SentimentService) -> None:
        closed.append("service")

    async def transport(_service: SentimentService, _retraining: RetrainingService) -> None:
        pass

    settings = console.load_settings()
    database.upgrade(settings.database_url)
    monkeypatch.setattr("tweetsent.classifier.load_classifier", lambda *_: TinyClassifier())
    monkeypatch.setattr(RetrainingService, "close", fail)
    monkeypatch.setattr(SentimentService, "close", close_service)
    monkeypatch.setattr(BatchingClassifier, "close", lambda _: closed.append("classifier"))
    with pytest.raises(ProcessLookupError):
        serving._serve(settings, transport)
    assert closed == ["service", "classifier"]
