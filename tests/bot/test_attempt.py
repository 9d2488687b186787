"""What is noted of one try stays with it."""

import asyncio

from bot.attempt import Failure, current_attempt, new_attempt


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
