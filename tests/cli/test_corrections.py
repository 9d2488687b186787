"""`tweetsent review` at a terminal and as JSON, and `tweetsent export`."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Failing, Running
from tweetsent.cli.database import open_engine
from tweetsent.labels import Label, Scores
from tweetsent.records import Incoming
from tweetsent.settings import Settings
from tweetsent.store import Store, open_store

USER = 7


@pytest.fixture
def store(tweetsent: Running) -> Iterator[Store]:
    """The database of the commands, with a user who consented."""
    tweetsent("db", "upgrade")
    settings = Settings.load()
    store = open_store(settings, open_engine(settings))
    store.set_consent(USER, True)
    yield store
    store.close()


def correct(store: Store, number: int, *, confidence: float) -> None:
    rest = (1 - confidence) / 2
    prediction = store.save_prediction(
        Incoming(USER, USER, number, f"yorum {number}"),
        Scores(rest, rest, confidence),
        model_version="m",
        prompt_version="p",
        latency_ms=1.0,
    )
    store.correct(USER, prediction.id, Label.NEGATIVE)


def test_the_queue_in_json(tweetsent: Running, store: Store) -> None:
    assert json.loads(tweetsent("review", "--json").out) == []
    correct(store, 1, confidence=0.6)
    correct(store, 2, confidence=0.98)
    result = tweetsent("review", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == [
        {
            "correction_id": 2,
            "text": "yorum 2",
            "model_label": "positive",
            "model_confidence": 0.98,
            "user_label": "negative",
            "other_labels": {},
            "state": "pending",
            "reason": "model_is_sure",
        }
    ]


def test_without_a_terminal_review_says_what_it_needs(failing: Failing, store: Store) -> None:
    assert "at a terminal, or with --json" in failing("review")


def at_terminal(keys: str) -> tuple[int, str]:
    """Runs `tweetsent review` at a terminal and types; returns its exit code and the screen."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tweetsent", "review"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    os.write(terminal, keys.encode())
    killer = threading.Timer(60, process.kill)  # a hang must not hang the tests
    killer.start()
    screen = b""
    try:
        while part := os.read(terminal, 4096):
            screen += part
    except OSError:  # Linux's way to say that the other side was closed
        pass
    code = process.wait()
    killer.cancel()
    os.close(terminal)
    return code, screen.decode()


def test_review_at_a_terminal(tweetsent: Running, store: Store) -> None:
    for number in (1, 2, 3):
        correct(store, number, confidence=0.98)
    code, screen = at_terminal("x\nk\nA\nr\n")
    assert code == 0
    assert "yorum 1\r\n  model Olumlu (98%), user Olumsuz\r\n" in screen
    assert "  the model is very sure of another label; 3 left" in screen
    assert "end of the queue, 1 skipped" in screen
    waiting = json.loads(tweetsent("review", "--json").out)
    assert [item["correction_id"] for item in waiting] == [2]
    accepted = store.training_corrections(train_on_forwards=False)
    assert [correction.id for correction in accepted] == [1]

    code, screen = at_terminal("q\n")
    assert (code, "1 left" in screen) == (0, True)
    code, screen = at_terminal("\x04")
    assert code == 130
    assert len(json.loads(tweetsent("review", "--json").out)) == 1


def test_review_of_an_empty_queue(store: Store) -> None:
    code, screen = at_terminal("")
    assert (code, "nothing waits" in screen) == (0, True)


@pytest.fixture
def base(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = empty_home / "base.csv"
    path.write_text("text,label\nçok güzel,olumlu\nçok kötü,olumsuz\n", encoding="utf-8")
    monkeypatch.setenv("TWEETSENT_BASE_DATA", str(path))
    return path


def test_export_for_programs_and_for_people(
    tweetsent: Running, store: Store, base: Path, empty_home: Path
) -> None:
    correct(store, 1, confidence=0.6)
    result = tweetsent("export", "--output", "one", "--json")
    assert result.code == 0, result.err
    manifest = json.loads((empty_home / "one" / "manifest.json").read_text())
    assert json.loads(result.out) == manifest
    assert manifest["counts"]["correction"] == {"negative": 1, "neutral": 0, "positive": 0}
    result = tweetsent("export", "--output", "two", "--parent", "one")
    assert result.out.splitlines() == [
        "base         2 (1 negative, 0 neutral, 1 positive)",
        "correction   1 (1 negative, 0 neutral, 0 positive)",
        f"rows         3 (sha256 {manifest['rows_sha256']})",
    ]
    second = json.loads((empty_home / "two" / "manifest.json").read_text())
    assert second["parent"] == manifest["rows_sha256"]


def test_export_says_what_is_wrong(
    failing: Failing, store: Store, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing to export" in failing("export", "--output", "one")
    (empty_home / "one").mkdir()
    assert "one exists already" in failing("export", "--output", "one")
    assert "no complete snapshot" in failing("export", "--output", "two", "--parent", "one")
    monkeypatch.setenv("TWEETSENT_BASE_DATA", "nowhere.csv")
    assert "nowhere.csv: there is no such file" in failing("export", "--output", "two")
