"""One try to handle an update: what HTTP client, error handler and inbox tell each other about it.

Knows nothing of any of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed."""

    kind: str
    """The error's name; never its words, which may quote users."""
    is_passing: bool = False
    """Whether the same update may well succeed later, and nobody gets anything twice by it."""
    wait_seconds: float = 0.0
    """How long to wait before the next try, at least."""


@dataclass(slots=True)
class Attempt:
    """What is known of the try so far."""

    is_last: bool = True
    """Whether nobody tries again, so that the user must hear of a failure now."""
    may_have_sent: bool = False
    """Whether the user got a message, or may have got one."""
    failure: Failure | None = None


_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def new_attempt(*, is_last: bool) -> Iterator[Attempt]:
    """The attempt that `current_attempt` gives until the end of the block."""
    attempt = Attempt(is_last)
    token = _current.set(attempt)
    try:
        yield attempt
    finally:
        _current.reset(token)


def current_attempt() -> Attempt:
    """The attempt in work; outside of one, an attempt nobody looks at."""
    return _current.get() or Attempt()
