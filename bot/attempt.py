"""One try to handle an update: what HTTP client, error handler and inbox tell each other about it.

The first message of a try is announced to the store just before it leaves, and the announcement is
taken back when the message surely didn't arrive. A process that was killed leaves in the store what
it knew: an update whose answer may be out is not handled again, since nobody wants two answers.
Knows nothing of any of them.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from tweetsent.errors import StoreError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed."""

    kind: str
    """The error's name; never its words, which may quote users."""
    is_passing: bool = False
    """Whether the same update may well succeed later, and nobody gets anything twice by it."""
    wait_seconds: float = 0.0
    """How long to wait before the next try, at least."""


Note = Callable[[bool], Awaitable[None]]
"""Keeps, for the time after a kill, whether the user may have got a message."""


async def _nowhere(_may_have_sent: bool) -> None:
    """For what no update is at the bottom of."""


@dataclass(slots=True)
class Attempt:
    """What is known of the try so far."""

    note: Note = _nowhere
    is_last: bool = True
    """Whether nobody tries again, so that the user must hear of a failure now."""
    may_have_sent: bool = False
    """Whether the user got a message, or may have got one."""
    failure: Failure | None = None

    async def announce(self) -> bool:
        """Notes that a message is about to leave; False when one was noted before.

        Raises StoreError, and then nothing must be sent, unless it is what tells of a failure: when
        the store is the trouble, its user is to hear of it all the same.
        """
        if self.may_have_sent:
            return False
        try:
            await self.note(True)
        except StoreError:
            if self.failure is None:
                raise
        self.may_have_sent = True
        return True

    async def take_back(self) -> None:
        """Notes that the message which was announced surely didn't arrive."""
        self.may_have_sent = False
        await self.note(False)


_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def new_attempt(note: Note, *, is_last: bool) -> Iterator[Attempt]:
    """The attempt that `current_attempt` gives until the end of the block."""
    attempt = Attempt(note, is_last)
    token = _current.set(attempt)
    try:
        yield attempt
    finally:
        _current.reset(token)


def current_attempt() -> Attempt:
    """The attempt in work; outside of one, an attempt nobody looks at."""
    return _current.get() or Attempt()
