"""Crontab lines as APScheduler's triggers, with crontab's own numbers for the days of the week."""

import re
from datetime import UTC

from apscheduler.triggers.cron import CronTrigger

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBERS = re.compile(r"([0-7])(?:-([0-7]))?(?:/(\d+))?")


def parse_crontab(line: str) -> CronTrigger:
    """When "minute hour day month weekday" falls due, in UTC; ValueError says what is wrong."""
    fields = line.split()
    if len(fields) != 5:
        raise ValueError(f"needs five fields, as in 0 3 * * *, and has {len(fields)}")
    minute, hour, day, month, weekday = fields
    return CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        day_of_week=",".join(_named(part) for part in weekday.split(",")),
        timezone=UTC,
    )


def _named(part: str) -> str:
    # crontab counts from Sunday, 0 or 7; APScheduler from Monday, 0.
    match = _NUMBERS.fullmatch(part)
    if match is None:
        return part
    first, last, step = match.groups()
    days = range(int(first), int(last or first) + 1, int(step or 1) or 1)
    if not days:
        raise ValueError(f"weekdays {part}: the first is after the last")
    return ",".join(_DAYS[day] for day in days)
