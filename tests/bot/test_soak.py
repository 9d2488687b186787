"""benchmarks/soak.py in short: faults, repeated updates and two kills lose and double nothing."""

from pathlib import Path

import pytest

from benchmarks.soak import Plan, broken_promises, soak


@pytest.mark.timeout(900)  # on a busy machine the processes take long to start
def test_a_bad_day_loses_and_doubles_nothing(tmp_path: Path) -> None:
    result = soak(tmp_path, Plan(messages=300, users=30, kills=2, seed=7))

    assert broken_promises(result) == []
    assert result["refused_as_too_much"] == 0
    # A quick bot asks for updates so few times that none of these calls need fail.
    assert sum(result["faults"]["sendMessage"].values()) > 0
