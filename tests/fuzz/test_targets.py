"""A short, repeatable run of what `python -m tests.fuzz` does for as long as one likes."""

import random

import pytest

from tests.fuzz.targets import TARGETS, mutated

FINDINGS: list[tuple[str, bytes]] = []


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_seeds_are_no_finding(name: str) -> None:
    target = TARGETS[name]
    chance = random.Random(name)
    for seed in target.seeds:
        target.run(seed)
        for _ in range(200 // len(target.seeds)):
            target.run(mutated(seed, chance))


@pytest.mark.parametrize(("name", "data"), FINDINGS)
def test_what_was_found_once_stays_mended(name: str, data: bytes) -> None:
    TARGETS[name].run(data)
