"""Sliding limits in memory: how often something may happen, and when a refusal is news.

Knows nothing of Telegram. Both classes forget whoever was quiet for a period, so they stay small; a
restart forgives everybody, which is cheaper than a write for each message.
"""

from collections import OrderedDict
from collections.abc import Hashable
from math import inf


class RateLimiter:
    """At most so many events of a key within any period; an event offered again counts once."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._times: OrderedDict[Hashable, dict[int, float]] = OrderedDict()
        """Of each key when the events were that counted; the key asked for last is last."""

    def allows(self, key: Hashable, event: int, at: float) -> bool:
        """Whether the event is within the limit; it counts only then. `at` is in seconds."""
        times = self._times.setdefault(key, {})
        self._times.move_to_end(key)
        for old in [old for old, time in times.items() if time <= at - self._seconds]:
            del times[old]
        allowed = event in times or len(times) < self._most
        if allowed:
            times[event] = at
        self._forget_quiet(at)
        return allowed

    def _forget_quiet(self, now: float) -> None:
        while max(next(iter(self._times.values())).values(), default=-inf) <= now - self._seconds:
            self._times.popitem(last=False)


class Spells:
    """Tells the first refusal of a key from those after it, until none came for a period."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: OrderedDict[Hashable, float] = OrderedDict()

    def begins(self, key: Hashable, at: float) -> bool:
        """Whether this refusal is the first of a spell. `at` is in seconds."""
        before = self._last.get(key, -inf)
        self._last[key] = at
        self._last.move_to_end(key)
        while next(iter(self._last.values())) <= at - self._seconds:
            self._last.popitem(last=False)
        return before <= at - self._seconds
