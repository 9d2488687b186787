"""How long handling an update takes at present; knows nothing of what is handled."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_WEIGHT = 0.1
"""Of the newest duration in the mean: it follows within some twenty updates."""


class Pace:
    """A moving mean of durations, which those that aren't over yet can only make longer."""

    def __init__(self) -> None:
        self._mean = 0.0
        self._begun: dict[object, float] = {}

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measures what the block takes."""
        run = object()
        self._begun[run] = time.monotonic()
        try:
            yield
        finally:
            duration = time.monotonic() - self._begun.pop(run)
            self._mean += _WEIGHT * (duration - self._mean)

    def seconds(self) -> float:
        """What one more is expected to take; grows while those that run don't end."""
        now = time.monotonic()
        ages = [now - begun for begun in self._begun.values()]
        return max(self._mean, sum(ages) / len(ages) if ages else 0.0)
