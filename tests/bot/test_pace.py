"""The pace: a mean of what was, and a warning while something hangs."""

import pytest

from bot import pace as module
from bot.pace import Pace


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_the_mean_follows_the_durations(clock: Clock) -> None:
    pace = Pace()
    assert pace.seconds() == 0
    for duration, mean in [(2.0, 2.0), (0.5, 0.5)]:
        for _ in range(60):
            with pace.measured():
                clock.now += duration
        assert pace.seconds() == pytest.approx(mean, rel=0.02)


def test_what_hangs_counts_before_it_ends(clock: Clock) -> None:
    pace = Pace()
    with pace.measured():
        clock.now += 100
        with pace.measured():
            assert pace.seconds() == 50
            clock.now += 20
            assert pace.seconds() == 70
    assert pace.seconds() < 70


def test_what_fails_counts_as_well(clock: Clock) -> None:
    pace = Pace()

    def fail() -> None:
        with pace.measured():
            clock.now += 10
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert pace.seconds() == 1
