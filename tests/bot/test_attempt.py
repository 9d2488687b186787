"""What is noted of one try stays with it."""

import asyncio

import pytest

from bot.attempt import Failure, Note, current_attempt, new_attempt
from tweetsent.errors import StoreError


async def nowhere(may_have_sent: bool) -> None:
    pass


def test_what_is_noted_outside_of_an_attempt_is_forgotten() -> None:
    current_attempt().may_have_sent = True

    assert not current_attempt().may_have_sent
    assert current_attempt().is_last


def test_attempts_side_by_side_keep_apart() -> None:
    async def work(kind: str) -> str:
        with new_attempt(nowhere, is_last=False) as attempt:
            await asyncio.sleep(0)
            current_attempt().failure = Failure(kind)
            await asyncio.sleep(0)
            assert attempt.failure is not None
            return attempt.failure.kind

    async def main() -> list[str]:
        return await asyncio.gather(work("a"), work("b"))

    assert asyncio.run(main()) == ["a", "b"]


def noting(notes: list[bool]) -> Note:
    async def note(may_have_sent: bool) -> None:
        notes.append(may_have_sent)

    return note


async def fail_to_note(_: bool) -> None:
    raise StoreError("disk full")


def test_only_the_first_of_several_messages_is_announced() -> None:
    notes: list[bool] = []

    async def main() -> list[bool]:
        with new_attempt(noting(notes), is_last=True) as attempt:
            return [await attempt.announce(), await attempt.announce()]

    assert asyncio.run(main()) == [True, False]
    assert notes == [True]


def test_what_did_not_arrive_is_taken_back_and_announced_again() -> None:
    notes: list[bool] = []

    async def main() -> None:
        with new_attempt(noting(notes), is_last=True) as attempt:
            await attempt.announce()
            await attempt.take_back()
            assert not attempt.may_have_sent
            await attempt.announce()

    asyncio.run(main())
    assert notes == [True, False, True]


def test_nothing_is_sent_that_cannot_be_announced_but_the_news_of_a_failure() -> None:
    async def main() -> None:
        with new_attempt(fail_to_note, is_last=True) as attempt:
            with pytest.raises(StoreError):
                await attempt.announce()
            attempt.failure = Failure("StoreError")
            assert await attempt.announce()

    asyncio.run(main())
