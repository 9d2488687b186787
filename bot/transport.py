"""The HTTP client of the Bot API: repeats what is safe to repeat, and logs no contents.

Knows nothing of what is sent. One slow or limited chat delays only its own calls.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import httpx
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import HTTPXRequest

_DELAYS_SECONDS = (0.5, 1.0, 2.0)
_NEVER_LEFT = (httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_REPEATED = {"sendChatAction"}


class BotApiRequest(HTTPXRequest):
    """HTTPXRequest that waits out flood limits and repeats calls that failed on the way.

    A send that timed out is not repeated: it may have arrived, and nobody wants two answers.
    """

    async def do_request(
        self, url: str, method: str, *args: Any, **kwargs: Any
    ) -> tuple[int, bytes]:
        """Status and body of the first call that got through, or of the last one tried."""
        endpoint = url.partition("?")[0].rpartition("/")[2]
        for delay in () if endpoint in _NOT_REPEATED else _DELAYS_SECONDS:
            wait = delay
            try:
                code, body = await super().do_request(url, method, *args, **kwargs)
            except TimedOut as error:
                if endpoint.startswith("send") and not isinstance(error.__cause__, _NEVER_LEFT):
                    raise
            except NetworkError:
                pass
            else:
                if code < 500 and code != HTTPStatus.TOO_MANY_REQUESTS:
                    return code, body
                wait = retry_after_seconds(body) or delay
            await asyncio.sleep(wait)
        return await super().do_request(url, method, *args, **kwargs)

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """The parsed body; unlike the library's, a broken one, which may quote users, isn't logged.

        Raises telegram.error.TelegramError.
        """
        try:
            return json.loads(payload.decode("utf-8", "replace"))
        except ValueError:
            raise TelegramError("Invalid server response") from None


def retry_after_seconds(body: bytes) -> float | None:
    """How long Telegram asks to wait in the body of an error; None when it doesn't."""
    try:
        return float(json.loads(body)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError):
        return None
