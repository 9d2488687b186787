import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tweetsent.group_commit import GroupCommit

Groups = list[list[Any]]


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield thread


def outcomes_of(
    thread: ThreadPoolExecutor, work: Callable[[GroupCommit], Awaitable[Any]]
) -> tuple[Any, Groups]:
    groups: Groups = []

    def together(writes: Sequence[Callable[[], Any]]) -> list[Any]:
        groups.append([write() for write in writes])
        return groups[-1]

    async def main() -> Any:
        return await work(GroupCommit(together, thread))

    return asyncio.run(main()), groups


def test_what_comes_while_a_group_is_written_is_the_next_one(thread: ThreadPoolExecutor) -> None:
    async def work(commit: GroupCommit) -> list[int]:
        async def twice(number: int) -> int:
            return await commit.run(abs, await commit.run(abs, number) - 10)

        return await asyncio.gather(*map(twice, range(3)))

    assert outcomes_of(thread, work) == ([10, 9, 8], [[0, 1, 2], [10, 9, 8]])


def test_each_caller_hears_of_their_own_write(thread: ThreadPoolExecutor) -> None:
    async def work(commit: GroupCommit) -> list[Any]:
        calls = [commit.run(lambda: KeyError("mine")), commit.run(abs, -1)]
        return await asyncio.gather(*calls, return_exceptions=True)

    (failed, done), _ = outcomes_of(thread, work)
    assert isinstance(failed, KeyError)
    assert done == 1


def test_who_gives_up_holds_up_nobody(thread: ThreadPoolExecutor) -> None:
    async def work(commit: GroupCommit) -> int:
        impatient = asyncio.create_task(commit.run(abs, -1))
        await asyncio.sleep(0)
        impatient.cancel()
        return await commit.run(abs, -2)

    assert outcomes_of(thread, work) == (2, [[2]])


def test_a_thread_that_takes_nothing_more_fails_the_write(thread: ThreadPoolExecutor) -> None:
    async def work(commit: GroupCommit) -> None:
        thread.shutdown()
        await commit.run(abs, -1)

    with pytest.raises(RuntimeError, match="after shutdown"):
        outcomes_of(thread, work)


def test_finishing_waits_for_what_was_asked(thread: ThreadPoolExecutor) -> None:
    async def work(commit: GroupCommit) -> int:
        await commit.finish()
        write = asyncio.create_task(commit.run(abs, -1))
        await asyncio.sleep(0)
        await commit.finish()
        thread.shutdown()
        return await write

    assert outcomes_of(thread, work)[0] == 1
