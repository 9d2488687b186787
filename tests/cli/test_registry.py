"""`tweetsent models`: what is printed, what is refused, and that a running chat follows."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Failing, Running
from tests.tweetsent.adapters import damage, make_adapter
from tweetsent.adapter import read_manifest, shipped_adapter, write_manifest
from tweetsent.embedded import GGUF_SHA256
from tweetsent.sealed import seal

SHIPPED_VERSION = read_manifest(shipped_adapter()).version


@pytest.fixture
def database(tweetsent: Running, monkeypatch: pytest.MonkeyPatch, empty_home: Path) -> Path:
    """A database, and the shipped adapter as what serves first; returns the home folder."""
    monkeypatch.delenv("TWEETSENT_BASE_MODEL")
    assert tweetsent("db", "upgrade").code == 0
    return empty_home


@pytest.fixture
def two(database: Path, tweetsent: Running) -> Path:
    """Two versions, the second one added last."""
    for version in ("a-1", "b-2"):
        assert tweetsent("models", "add", str(make_adapter(database / "made", version))).code == 0
    return database


def listed(tweetsent: Running) -> dict[str, str]:
    models = json.loads(tweetsent("models", "list", "--json").out)
    return {model["version"]: model["state"] for model in models}


def test_an_empty_list_says_what_serves(tweetsent: Running, database: Path) -> None:
    result = tweetsent("models", "list")
    assert (result.code, result.out) == (0, "")
    assert "the shipped adapter serves" in result.err
    assert tweetsent("models", "list", "--json").out == "[]\n"


def test_a_version_is_added_promoted_and_rolled_back(
    tweetsent: Running, two: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listed(tweetsent) == {"b-2": "candidate", "a-1": "candidate"}
    result = tweetsent("models", "promote", "a-1", "--reason", "better on v.csv")
    assert (result.code, result.out, result.err) == (0, "a-1 is active\n", "")
    promoted = json.loads(tweetsent("models", "promote", "b-2", "--json").out)
    assert (promoted["version"], promoted["state"]) == ("b-2", "active")
    assert listed(tweetsent) == {"b-2": "active", "a-1": "retired", SHIPPED_VERSION: "retired"}
    assert json.loads(tweetsent("models", "rollback", "--json").out)["version"] == "a-1"
    # Another base model than its own: it is not merged here, which would take minutes.
    monkeypatch.setenv("TWEETSENT_BASE_MODEL", str(tiny_folder))
    assert tweetsent("models", "rollback").out == f"{SHIPPED_VERSION} is active\n"


def test_a_version_is_shown_whole(tweetsent: Running, two: Path) -> None:
    tweetsent("models", "promote", "a-1", "--reason", "better on v.csv")
    shown = json.loads(tweetsent("models", "show", "a-1", "--json").out)
    assert shown["metrics"] == {"v.csv": {"n": 6, "macro_f1": 0.5}}
    assert (shown["folder"], shown["parent_version"]) == ("models/a-1", SHIPPED_VERSION)
    (activation,) = shown["activations"]
    assert (activation["by"], activation["reason"]) == ("cli", "better on v.csv")
    lines = tweetsent("models", "show", "a-1").out.splitlines()
    assert "version          a-1" in lines
    assert "deleted at       –" in lines
    assert "macro f1         v.csv 0.500" in lines
    assert lines[-1].startswith("activated ")
    assert lines[-1].endswith("UTC by cli: better on v.csv")


def test_the_list_has_a_line_for_each_version(tweetsent: Running, two: Path) -> None:
    tweetsent("models", "promote", "a-1")
    first, second, third = tweetsent("models", "list").out.splitlines()
    assert second.split()[:2] == ["b-2", "candidate"]
    assert "v.csv 0.500" in third
    assert first.split()[:2] == [SHIPPED_VERSION, "retired"]


def test_what_is_unknown_is_bad_usage(failing: Failing, two: Path) -> None:
    for command in ("show", "promote"):
        assert "there is no version c-3" in failing("models", command, "c-3")
    assert "no version to go back to" in failing("models", "rollback")
    assert "there is no such folder" in failing("models", "add", "nowhere")


def test_what_is_damaged_is_refused(failing: Failing, two: Path) -> None:
    damage(two / "data" / "models" / "b-2")
    assert "is damaged" in failing("models", "promote", "b-2", code=1)
    (two / "empty").mkdir()
    assert "there is no tweetsent.json" in failing("models", "add", "empty", code=1)


def test_old_versions_are_deleted_when_one_is_added(
    tweetsent: Running, two: Path, monkeypatch: pytest.MonkeyPatch, failing: Failing
) -> None:
    monkeypatch.setenv("TWEETSENT_KEEP_MODELS", "1")
    tweetsent("models", "promote", "b-2")
    result = tweetsent("models", "add", str(make_adapter(two / "made", "c-3")))
    assert result.out == "c-3: candidate\n"
    assert result.err == "a-1 was deleted: TWEETSENT_KEEP_MODELS=1\n"
    assert "was deleted" in failing("models", "promote", "a-1")
    assert "retired, deleted" not in tweetsent("models", "list").out
    assert "candidate, deleted" in tweetsent("models", "list").out


def test_a_named_adapter_wins_and_that_is_said(
    tweetsent: Running, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEETSENT_ADAPTER", str(two / "made" / "b-2"))
    result = tweetsent("models", "promote", "a-1")
    assert result.out == "a-1 is active\n"
    assert "serve that adapter all the same" in result.err


def test_a_missing_database_asks_for_the_upgrade(failing: Failing) -> None:
    assert "run `tweetsent db upgrade`" in failing("models", "list", code=1)


class Chat:
    """`tweetsent chat` as a process that goes on while versions change."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tweetsent", "chat"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def say(self, line: str, answer: str) -> None:
        """Say it until the answer comes: the model changes a moment after it was promoted."""
        assert self._process.stdin
        assert self._process.stdout
        for _ in range(200):
            self._process.stdin.write(f"{line}\n/model\n")
            self._process.stdin.flush()
            heard = ""
            while "🤖" not in heard:
                heard += self._process.stdout.readline()
            if answer in heard:
                return
            time.sleep(0.1)
        raise AssertionError(f"never heard {answer!r}")

    def close(self) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


def test_a_running_chat_follows(
    tweetsent: Running, tiny: Path, tiny_adapters: tuple[Path, Path]
) -> None:
    tweetsent("db", "upgrade")
    one, two = (
        json.loads(tweetsent("models", "add", str(folder), "--json").out)["version"]
        for folder in tiny_adapters
    )
    tweetsent("models", "promote", one)
    chat = Chat()
    try:
        chat.say("merhaba", f"🤖 Model: {one}")
        tweetsent("models", "promote", two)
        chat.say("çok güzel", f"🤖 Model: {two}")
        chat.say("harika", f"🤖 Model: {two}")  # the one before may have been answered by the old
        chat.say("/geri_al", f"Önceki sürüme, {one}, dönülsün mü?")
        chat.say("/1", f"🤖 Model: {one}")
    finally:
        chat.close()
    by_model = json.loads(tweetsent("stats", "--json").out)["by_model"]
    assert set(by_model) == {one, two}


@pytest.fixture
def on_embedded(tiny_folder: Path, tiny_adapters: tuple[Path, Path], database: Path) -> list[Path]:
    """The tiny model in the embedded one's place, and its adapters, as if trained on that."""
    cached = database / "cache" / f"gemma-3-270m-{GGUF_SHA256[:8]}"
    shutil.copytree(tiny_folder, cached)
    seal(cached)
    folders = []
    for number, adapter in enumerate(tiny_adapters):
        folder = shutil.copytree(adapter, database / str(number))
        names = {"base_model": "embedded", "base_revision": GGUF_SHA256}
        write_manifest(folder, read_manifest(folder).model_copy(update=names))
        folders.append(folder)
    return folders


def test_a_version_is_merged_before_it_serves(
    tweetsent: Running, on_embedded: list[Path], database: Path
) -> None:
    for folder in on_embedded:
        version = json.loads(tweetsent("models", "add", str(folder), "--json").out)["version"]
        assert "merging the adapter" in tweetsent("models", "promote", version).err
        assert "merging" not in tweetsent("models", "promote", version).err
    kept = list((database / "cache").glob("served-*"))
    assert len(list((database / "cache").glob("served-*/model.safetensors"))) == len(kept) == 2
    for folder in kept:
        shutil.rmtree(folder)
    assert "merging the adapter" in tweetsent("models", "rollback").err


def test_one_that_can_not_be_loaded_here_is_promoted_with_a_warning(
    tweetsent: Running, on_embedded: list[Path], database: Path
) -> None:
    folder, _ = on_embedded
    other = read_manifest(folder).model_copy(update={"base_revision": "r" * 64})
    write_manifest(folder, other)
    tweetsent("models", "add", str(folder))
    result = tweetsent("models", "promote", other.version)
    assert result.out == f"{other.version} is active\n"
    assert "serve on with the version before: " in result.err
