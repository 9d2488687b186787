"""The sliding limits, whatever order of times they meet."""

from hypothesis import given
from hypothesis import strategies as st

from bot.limits import RateLimiter, Spells


def test_as_many_as_allowed_within_a_period_and_more_later() -> None:
    limiter = RateLimiter(2, 60)

    assert [limiter.allows("a", event, event) for event in (1, 2, 3)] == [True, True, False]
    assert limiter.allows("b", 4, 3)
    assert not limiter.allows("a", 5, 60)
    assert limiter.allows("a", 6, 61)
    assert not limiter.allows("a", 7, 61)


def test_an_event_that_comes_again_counts_once() -> None:
    limiter = RateLimiter(2, 60)

    assert all(limiter.allows("a", 1, 0) for _ in range(5))
    assert limiter.allows("a", 2, 0)
    assert not limiter.allows("a", 3, 0)
    assert limiter.allows("a", 2, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=60))
def test_no_period_holds_more_than_allowed(asked: list[tuple[int, int]]) -> None:
    limiter = RateLimiter(3, 10)
    asked.sort(key=lambda pair: pair[1])
    allowed = [
        (key, time) for event, (key, time) in enumerate(asked) if limiter.allows(key, event, time)
    ]

    for key, begin in allowed:
        assert sum(begin <= time < begin + 10 for other, time in allowed if other == key) <= 3
    # Whoever is refused has used the limit up.
    for key, time in set(asked) - set(allowed):
        assert sum(time - 10 < before <= time for other, before in allowed if other == key) == 3


def test_who_was_quiet_for_a_period_is_forgotten() -> None:
    limiter, spells = RateLimiter(3, 10), Spells(10)
    for number in range(1000):
        limiter.allows(number, number, number)
        spells.begins(number, number)

    assert len(limiter._times) == 10
    assert len(spells._last) == 10


def test_a_spell_ends_when_nothing_came_for_a_period() -> None:
    spells = Spells(60)

    assert [spells.begins("a", at) for at in (0, 1, 50, 109)] == [True, False, False, False]
    assert spells.begins("b", 109)
    assert spells.begins("a", 169)
