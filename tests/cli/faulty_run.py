"""`tweetsent retrain` with something going wrong inside, for a process of its own.

The run is the real one; only its recipe and the gate's rules are those of the tests of
`training/retraining.py`, so that what it makes is promoted.
"""

import functools
import pkgutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock


def hold(folder: Path) -> None:
    """Say that the place is reached, and wait until told to go on."""
    (folder / "held").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)


def starve(_: Path) -> None:
    """Take more memory than the run may have."""
    import torch

    torch.ones(10**10)


def fill(_: Path) -> None:
    """No file may grow beyond so many bytes."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))


def nothing(_: Path) -> None:
    """Let it be."""


ACTS = {act.__name__: act for act in (hold, starve, fill, nothing)}


def main(act: str, place: str, folder: Path, arguments: list[str]) -> None:
    """Run the command; just before the function at `module:name` returns, the act is done."""
    from tests.training.test_retraining import LENIENT, RECIPE
    from tweetsent import cli

    real = pkgutil.resolve_name(place)

    @functools.wraps(real)
    def faulty(*given: object, **named: object) -> object:
        result = real(*given, **named)
        ACTS[act](folder)
        return result

    # Where it is held it will not be judged; the disk is full when there is much to write.
    recipes = {"hold": replace(RECIPE, epochs=1), "fill": replace(RECIPE, lora_rank=64)}
    sys.argv = ["tweetsent", *arguments]
    with (
        mock.patch(place.replace(":", "."), faulty),
        mock.patch("training.challenge.RECIPE", recipes.get(act, RECIPE)),
        mock.patch("training.retraining.GateRules", return_value=LENIENT),
    ):
        cli.main()
