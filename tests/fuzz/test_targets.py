"""A short, repeatable run of what `python -m tests.fuzz` does for as long as one likes."""

import random

import pytest

from tests.fuzz.targets import TARGETS, mutated

FINDINGS = [
    ("text", "İ\u0302 \U0001d164\ufe0f".encode()),
    ("text", "k\ufe0f\u200d🚀 \u2800\ufe0f\u200d🚀 ❤\ufe0f\u200d\u2800".encode()),
    ("text", "❤\ufe0f\u2adcİ\u0302x".encode()),
    ("csv", b"," * 20_000 + b"a\n"),
    ("jsonl", b"\n".join(b'{"%d": 1}' % number for number in range(17_000))),
    ("xlsx", b"PK\x03\x04" + b"\0" * 30 + b"PK\x05\x06" + b"\xff" * 18),
    ("parquet", b"PAR1" + b"\xff" * 50 + b"\x10\0\0\0PAR1"),
]


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
