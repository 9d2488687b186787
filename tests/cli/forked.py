"""Processes that begin with the libraries in them: forks of one that has imported them.

Importing takes longer than the short runs that are watched. How a process starts is not seen here.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Self

from tweetsent import blocks, bulk, cli

ROOT = Path(__file__).parents[2]
CONTEXT = multiprocessing.get_context("forkserver")


def prepare() -> None:
    """Start the process that all are forks of."""
    with chdir(ROOT):
        CONTEXT.set_forkserver_preload(["tests.cli.libraries"])
        forkserver.ensure_running()


class Fork:
    """A process that calls a function, in a session of its own; what it writes goes to files."""

    def __init__(
        self,
        function: Callable[..., object],
        *arguments: object,
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        self._written = [folder / f"{name}.txt" for name in ("stdout", "stderr")]
        self._process = CONTEXT.Process(
            target=_call, args=(function, arguments, dict(environment), Path.cwd(), self._written)
        )
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.join()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    @property
    def errors(self) -> str:
        """What it has written to stderr until now."""
        path = self._written[1]
        return path.read_text("utf-8") if path.exists() else ""

    def wait(self, timeout: float = 200) -> tuple[str, str]:
        """What it has written to stdout and stderr by its end."""
        self._process.join(timeout)
        assert self.returncode is not None
        out, err = (path.read_text("utf-8") for path in self._written)
        return out, err


def run_tweetsent(block_rows: int, *arguments: str) -> None:
    """The command line; files are read that many rows at a time."""
    blocks.BLOCK_ROWS = bulk.BLOCK_ROWS = block_rows
    sys.argv = ["tweetsent", *arguments]
    cli.main()


def _call(
    function: Callable[..., Any],
    arguments: tuple[object, ...],
    environment: dict[str, str],
    working: Path,
    written: list[Path],
) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(working)
    for descriptor, path in enumerate(written, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    function(*arguments)
