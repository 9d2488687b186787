"""The command line as processes: how it ends, what it loads, and a conversation over a pipe."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Running
from tweetsent.labels import LABELS

TOKEN = "123456789:AA-not-a-real_token"
ANSWERS = [label.turkish for label in LABELS]


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
        (["db", "upgrade"], 0),
        (["stats", "--json"], 0),
    ],
)
def test_what_needs_no_model_loads_no_model_library(
    process: Running, arguments: list[str], code: int
) -> None:
    if arguments[0] == "stats":
        assert process("db", "upgrade").code == 0
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


def test_a_piped_conversation_is_answered_and_ends_with_zero(
    process: Running, tiny: Path, empty_home: Path
) -> None:
    assert process("db", "upgrade").code == 0
    result = process("chat", stdin="Bugün harika bir gün!\nÇok kötüydü.\n/stats\n")
    assert result.code == 0
    assert "Traceback" not in result.err
    assert sum(result.out.count(answer) for answer in ANSWERS) >= 2
    stats = json.loads(process("stats", "--json").out)
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


def test_a_reader_that_goes_away_is_no_traceback(tiny: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tweetsent", "predict", "metin", "--json"],
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
