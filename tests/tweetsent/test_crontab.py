"""Crontab lines: when they fall due, by crontab's own rules."""

from datetime import UTC, datetime, timedelta

import pytest

from tweetsent.crontab import parse_crontab

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def due(line: str, days: int = 7) -> list[str]:
    """The times within a week of a Monday."""
    trigger, now, found = parse_crontab(line), MONDAY, []
    while (time := trigger.get_next_fire_time(None, now)) < MONDAY + timedelta(days=days):
        found.append(time.strftime("%a %H:%M"))
        now = time + timedelta(seconds=1)
    return found


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ("30 4 * * 1", ["Mon 04:30"]),
        ("0 3 * * 0", ["Sun 03:00"]),
        ("0 3 * * 7", ["Sun 03:00"]),
        ("0 3 * * sat,sun", ["Sat 03:00", "Sun 03:00"]),
        ("0 3 * * 5-7", ["Fri 03:00", "Sat 03:00", "Sun 03:00"]),
        ("0 3 * * 1-5/2", ["Mon 03:00", "Wed 03:00", "Fri 03:00"]),
        ("0 0,12 3 * *", ["Tue 00:00", "Tue 12:00"]),
    ],
)
def test_it_falls_due_as_in_a_crontab(line: str, times: list[str]) -> None:
    assert due(line) == times


def test_every_day_is_every_day() -> None:
    assert len(due("0 3 * * *")) == len(due("0 3 * * 0-6")) == 7
    assert len(due("*/30 * * * *", days=1)) == 48


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "five fields, as in 0 3 * * *, and has 0"),
        ("0 3 * *", "has 4"),
        ("0 25 * * *", "23"),
        ("x 3 * * *", "x"),
        ("0 3 * * 5-2", "weekdays 5-2: the first is after the last"),
        ("0 3 * * 8", "8"),
    ],
)
def test_a_wrong_line_is_refused_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("*", r"\*")):
        parse_crontab(line)
