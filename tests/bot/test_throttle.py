"""The throttle: what a group may get in a minute, and whom its waiting concerns."""

import asyncio
import logging
from typing import Any

import pytest
from telegram.error import RetryAfter

from bot.throttle import Throttle
from tweetsent.redaction import install_redaction


async def call(throttle: Throttle, endpoint: str, chat: int, error: Exception | None = None) -> str:
    async def callback() -> str:
        if error:
            raise error
        return "done"

    data: dict[str, Any] = {"chat_id": chat}
    return str(await throttle.process_request(callback, (), {}, endpoint, data, None))


def test_a_group_gets_twenty_messages_at_once_and_the_next_one_later() -> None:
    async def main() -> None:
        throttle = Throttle()
        # Typing is no message.
        for _ in range(25):
            await call(throttle, "sendChatAction", -5)
        async with asyncio.timeout(2):
            await asyncio.gather(*(call(throttle, "sendMessage", -5) for _ in range(20)))
        late = asyncio.create_task(call(throttle, "sendMessage", -5))
        await call(throttle, "sendMessage", -6)
        await call(throttle, "sendMessage", 7)
        await call(throttle, "sendChatAction", -5)
        assert not late.done()
        assert await late == "done"

    asyncio.run(main())


def test_a_flood_limit_of_one_chat_is_its_own_and_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    install_redaction(())

    async def main() -> None:
        throttle = Throttle()
        with pytest.raises(RetryAfter):
            await call(throttle, "sendMessage", 7, RetryAfter(300))
        async with asyncio.timeout(10):
            await call(throttle, "sendMessage", 8)
            await call(throttle, "sendMessage", 7)

    asyncio.run(main())
    assert [record for record in caplog.records if record.name.startswith("telegram")] == []
