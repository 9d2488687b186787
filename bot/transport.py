"""Calls of the Bot API: repeats what is safe to repeat, and logs no contents.

Knows nothing of what is sent. One slow or limited chat delays only its own calls.
"""

import asyncio
import json
from collections.abc import Coroutine
from functools import partial
from http import HTTPStatus
from typing import Any

from telegram.error import NetworkError, RetryAfter, TelegramError

from bot.attempt import current_attempt
from bot.client import NEVER_LEFT, AiohttpRequest

_DELAYS_SECONDS = (0.5, 1.0, 2.0)
_LONGEST_FLOOD_WAIT_SECONDS = 5.0
"""How long a call waits out flood limits in all; a longer one is its caller's to wait for."""
_REFUSED_FOR_NOW = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
_NOT_REPEATED = {"sendChatAction"}


class MaybeArrivedError(NetworkError):
    """A send of which nobody knows whether it arrived."""


class BotApiRequest(AiohttpRequest):
    """AiohttpRequest that waits out short flood limits and repeats calls that failed on the way.

    A send is repeated only when it surely didn't arrive: nobody wants two answers.
    """

    async def do_request(
        self, url: str, method: str, *args: Any, **kwargs: Any
    ) -> tuple[int, bytes]:
        """Status and body of the first call that got through, or of the last one tried.

        Raises NetworkError, and MaybeArrivedError for a send that may have got through.
        """
        endpoint = url.partition("?")[0].rpartition("/")[2]
        if endpoint in _NOT_REPEATED:
            return await super().do_request(url, method, *args, **kwargs)
        sends = endpoint.startswith("send")
        call = partial(super().do_request, url, method, *args, **kwargs)
        flood_wait = 0.0
        for delay in _DELAYS_SECONDS:
            wait = delay
            try:
                code, body = await (_send(call()) if sends else call())
            except MaybeArrivedError:
                raise
            except NetworkError:
                pass
            else:
                if code < 500 and code != HTTPStatus.TOO_MANY_REQUESTS:
                    return code, body
                if (asked := retry_after_seconds(body)) is not None:
                    wait = asked
                    flood_wait += asked
                if flood_wait > _LONGEST_FLOOD_WAIT_SECONDS:
                    return code, body
            await asyncio.sleep(wait)
        return await (_send(call()) if sends else call())

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """The parsed body; unlike the library's, a broken one, which may quote users, isn't logged.

        Raises telegram.error.TelegramError.
        """
        try:
            return json.loads(payload.decode("utf-8", "replace"))
        except ValueError:
            raise TelegramError("Invalid server response") from None


async def _send(call: Coroutine[Any, Any, tuple[int, bytes]]) -> tuple[int, bytes]:
    """A call that puts a message into a chat; notes when it did or may have done so."""
    attempt = current_attempt()
    try:
        code, body = await call
    except NetworkError as error:
        if isinstance(error.__cause__, NEVER_LEFT):
            raise
        attempt.may_have_sent = True
        raise MaybeArrivedError(error.message) from error
    # Proxies on the way answer for a Telegram that may have done its work.
    if code >= 500 and not (code in _REFUSED_FOR_NOW and _is_telegrams(body)):
        attempt.may_have_sent = True
        raise MaybeArrivedError(f"status {code}")
    if code < 300:
        attempt.may_have_sent = True
    return code, body


def _is_telegrams(body: bytes) -> bool:
    """Whether the body of an error has Telegram's own form."""
    try:
        return json.loads(body)["ok"] is False
    except (ValueError, KeyError, TypeError):
        return False


def retry_after_seconds(body: bytes) -> float | None:
    """How long Telegram asks to wait in the body of an error; None when it doesn't."""
    try:
        return float(json.loads(body)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError):
        return None


def flood_seconds(error: RetryAfter) -> float:
    """How long Telegram asked to wait when that was too long for the client."""
    # The public attribute warns that it is going to change its type.
    return error._retry_after.total_seconds()
