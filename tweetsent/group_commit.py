"""Group commit: small calls of the database that wait at the same time share one transaction.

Beginning and committing one costs more than the rows of a message. Nobody hears that their write
is done before it is committed, so what a kill undoes nobody relied on. Knows nothing of SQL.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Together = Callable[[Sequence[Callable[[], Any]]], list[Any]]
"""Carries out some calls; gives what each returned or the exception that it raised."""


class GroupCommit:
    """Hands what has come in since the last group to a thread, as soon as that one is done."""

    def __init__(self, together: Together, thread: Executor) -> None:
        self._together = together
        self._thread = thread
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call returned or raised, once what it wrote is committed."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((partial(call, *args, **kwargs), outcome))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work_off())
        return await outcome

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        if self._task is not None:
            await self._task

    async def _work_off(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            # What its caller gave up before it began is not done.
            group = [one for one in self._waiting if not one[1].done()]
            self._waiting = []
            calls = [call for call, _ in group]
            try:
                outcomes = await loop.run_in_executor(self._thread, self._together, calls)
            except Exception as error:  # noqa: BLE001 - nobody may wait for ever
                outcomes = [error] * len(group)
            for (_, future), outcome in zip(group, outcomes, strict=True):
                if future.done():  # given up meanwhile
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)
