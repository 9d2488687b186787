"""The command line in this process: an empty folder, a clean environment, no model by default."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from tweetsent import cli
from tweetsent.settings import Settings

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Failing(Protocol):
    """Runs a command that must fail with one line and returns that line."""

    def __call__(self, *arguments: str, code: int = 2) -> str: ...


Running = Callable[..., Result]


@pytest.fixture(autouse=True)
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No `.env`, no variables; loading a model fails, so what works or fails before shows."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWEETSENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TWEETSENT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TWEETSENT_DEVICE", "cpu")
    monkeypatch.setenv("TWEETSENT_BASE_MODEL", "/there/is/no/model")
    monkeypatch.setenv("COLUMNS", "160")
    for module in (sys, threading):  # the command line puts its own in their place
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    return tmp_path


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tiny_folder: Path) -> Path:
    """The tiny Qwen3 is the base model."""
    monkeypatch.setenv("TWEETSENT_BASE_MODEL", str(tiny_folder))
    return tiny_folder


@pytest.fixture
def tweetsent(capsys: pytest.CaptureFixture[str]) -> Running:
    """Runs a command in this process."""

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = cli.run(list(arguments))
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def failing(tweetsent: Running) -> Failing:
    def run(*arguments: str, code: int = 2) -> str:
        result = tweetsent(*arguments)
        assert result.code == code, result.err
        assert result.out == ""
        line, *more = result.err.splitlines()
        assert more == []
        assert line.startswith("tweetsent: error: ")
        assert "TWEETSENT_LOG_LEVEL=DEBUG" not in line  # which unforeseen errors say
        return line.removeprefix("tweetsent: error: ")

    return run


@pytest.fixture
def process() -> Running:
    """Runs `python -m tweetsent` as a process of its own, in the environment of the test."""

    def run(
        *arguments: str, stdin: str = "", start: tuple[str, ...] = ("-m", "tweetsent")
    ) -> Result:
        done = subprocess.run(
            [sys.executable, *start, *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=200,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run
