"""Keeps what the bot sends within Telegram's limits, so that they are seldom hit.

Waits only; what Telegram refuses all the same is repeated by `bot.transport`, one chat at a time.
Telegram's one message a second in a private chat is left to the users' own limit: short bursts are
allowed (core.telegram.org/bots/faq#broadcasting-to-users).
"""

from collections.abc import Callable, Coroutine
from typing import Any

from telegram.constants import FloodLimit
from telegram.ext import AIORateLimiter

MESSAGES_PER_SECOND: float = FloodLimit.MESSAGES_PER_SECOND


class Throttle(AIORateLimiter):
    """30 messages a second in all and 20 a minute in a group, as Telegram asks."""

    def __init__(self) -> None:
        # With retries the library would hold up all chats for the flood limit of one.
        super().__init__(overall_max_rate=MESSAGES_PER_SECOND, max_retries=0)

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: int | None,
    ) -> Any:
        """Carries out a call in its turn; "typing…" is no message and at once."""
        if endpoint == "sendChatAction":
            return await callback(*args, **kwargs)
        return await super().process_request(
            callback, args, kwargs, endpoint, data, rate_limit_args
        )
