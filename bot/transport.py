"""Calls of the Bot API: repeats what is safe to repeat, and logs no contents.

Knows nothing of what is sent. One slow or limited chat delays only its own calls.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from telegram.error import NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.attempt import current_attempt
from bot.client import NEVER_LEFT, AiohttpRequest

_DELAYS_SECONDS = (0.5, 1.0, 2.0)
_LONGEST_FLOOD_WAIT_SECONDS = 5.0
"""How long a call waits out flood limits in all; a longer one is its caller's to wait for."""
_LONGEST_FLOOD_SECONDS = 3600.0
"""After so long Telegram is asked again, whatever time it named."""
_READ_TIMEOUTS = 3
"""How many read timeouts a call may take in all: an answer that drips has no timeout of its own."""
_LONGEST_TRANSFER_SECONDS = 600.0
"""How long a file may take on its way."""
_REFUSED_FOR_NOW = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
_NOT_REPEATED = {"sendChatAction"}

Call = Callable[[], Awaitable[tuple[int, bytes]]]
"""Carries out one call; gives status and body."""


class MaybeArrivedError(NetworkError):
    """A send of which nobody knows whether it arrived."""


class BotApiRequest(AiohttpRequest):
    """AiohttpRequest that waits out short flood limits and repeats calls that failed on the way.

    A send is repeated only when it surely didn't arrive: nobody wants two answers.
    """

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[int, bytes]:
        """Status and body of the first call that got through, or of the last one tried.

        Raises NetworkError, and MaybeArrivedError for a send that may have got through.
        """
        endpoint = url.partition("?")[0].rpartition("/")[2]
        call: Call = partial(
            super().do_request, url, method, request_data, read_timeout, *args, **kwargs
        )
        call = partial(_bounded, call, self._longest(request_data, read_timeout))
        if endpoint in _NOT_REPEATED:
            return await call()
        if endpoint.startswith("send"):
            call = partial(_send, call)
        flood_wait = 0.0
        for delay in _DELAYS_SECONDS:
            wait = delay
            try:
                code, body = await call()
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
        return await call()

    def _longest(self, request_data: RequestData | None, read_timeout: Any) -> float:
        """How many seconds a call may take in all."""
        if request_data is None or request_data.contains_files:
            return _LONGEST_TRANSFER_SECONDS
        given = read_timeout if isinstance(read_timeout, int | float) else self.read_timeout
        return _READ_TIMEOUTS * given if given else _LONGEST_TRANSFER_SECONDS

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """The parsed body; unlike the library's, a broken one, which may quote users, isn't logged.

        What a sent message replies to is left out: nobody asks, and the library would make as much
        of it as of the message itself. Raises telegram.error.TelegramError.
        """
        try:
            answer = json.loads(payload.decode("utf-8", "replace"))
        except ValueError:
            raise TelegramError("Invalid server response") from None
        if isinstance(answer, dict) and isinstance(answer.get("result"), dict):
            answer["result"].pop("reply_to_message", None)
        return answer


async def _bounded(call: Call, seconds: float) -> tuple[int, bytes]:
    try:
        async with asyncio.timeout(seconds):
            return await call()
    except TimeoutError as error:
        raise TimedOut from error


async def _send(call: Call) -> tuple[int, bytes]:
    """Carries out a call that puts a message into a chat, announced before it leaves."""
    attempt = current_attempt()
    is_first = await attempt.announce()
    try:
        code, body = await call()
    except NetworkError as error:
        if not isinstance(error.__cause__, NEVER_LEFT):
            raise MaybeArrivedError(error.message) from error
        if is_first:
            await attempt.take_back()
        raise
    form = _ok(body)
    # Proxies on the way answer for a Telegram that may have done its work.
    refused_for_now = code in _REFUSED_FOR_NOW and form is False
    if (code < 300 and not form) or (code >= 500 and not refused_for_now):
        raise MaybeArrivedError(f"status {code}")
    if code >= 300 and is_first:
        await attempt.take_back()
    return code, body


def _ok(body: bytes) -> bool | None:
    """What Telegram says to a call; None for a body that isn't in its form."""
    try:
        answer = json.loads(body)
        return bool(answer["ok"] and answer["result"])
    except (ValueError, KeyError, TypeError):
        return None


def retry_after_seconds(body: bytes) -> float | None:
    """How long Telegram asks to wait in the body of an error; None when it doesn't."""
    try:
        return float(json.loads(body)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError):
        return None


def flood_seconds(error: RetryAfter) -> float:
    """How long Telegram asked to wait when that was too long for the client."""
    # The public attribute warns that it is going to change its type.
    return min(error._retry_after.total_seconds(), _LONGEST_FLOOD_SECONDS)
