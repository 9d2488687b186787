"""A Bot API server that costs little: `python -m benchmarks.loopback USERS MESSAGES`.

MESSAGES of USERS wait in it from the start. It hands them out as Telegram does, 100 a getUpdates,
each until a later offset confirms it. It prints three lines: its port; "warm" once a tenth of the
messages are answered; and at the end, as JSON, when which chat was answered. What a bot may send is
checked by `tests/bot/botapi.py` alone.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import count
from typing import Any

from aiohttp import web

FIRST_USER = 1000
TEXTS = [
    "Yeni telefonum bugün geldi, bayıldım 😍",
    "cok guzel bi film degildi acikcasi",
    "Toplantı yarın saat 10'da başlayacak.",
    "Yine üç saat rötar yaptılar, bıktım artık 😡😡",
]
_BOT = {"id": 123456789, "is_bot": True, "first_name": "Duygu", "username": "duygu_bot"}
_DELIVERED_AT_ONCE = 100
_LONGEST_POLL_SECONDS = 1.0
WARM_UP_SHARE = 0.1


class Loopback:
    """The messages, and when they were answered."""

    def __init__(self, users: int, messages: int) -> None:
        self.messages = [_message(n, FIRST_USER + n % users) for n in range(messages)]
        self.answered_at: list[float] = []
        self.answers: Counter[int] = Counter()
        """How many each chat got."""
        self.calls: Counter[str] = Counter()
        self.warm = asyncio.Event()
        self.finished = asyncio.Event()
        self._ids = count(messages + 1)

    async def serve(self, request: web.Request) -> web.Response:
        """Answers a call."""
        method = request.match_info["method"]
        self.calls[method] += 1
        result = await self._carry_out(method, await request.post())
        return web.json_response({"ok": True, "result": result})

    async def _carry_out(self, method: str, params: Any) -> Any:
        match method:
            case "getMe":
                return _BOT
            case "getUpdates":
                return await self._get_updates(int(params.get("offset", 0)))
            case "sendMessage":
                return self._send_message(params)
            case _:
                return True

    async def _get_updates(self, offset: int) -> list[dict[str, Any]]:
        first = max(offset - 1, 0)  # update and message ids count from 1
        waiting = self.messages[first : first + _DELIVERED_AT_ONCE]
        if not waiting:
            await asyncio.sleep(_LONGEST_POLL_SECONDS)
        return [{"update_id": message["message_id"], "message": message} for message in waiting]

    def _send_message(self, params: Any) -> dict[str, Any]:
        self.answered_at.append(time.monotonic())
        chat = int(params["chat_id"])
        self.answers[chat] += 1
        if len(self.answered_at) == round(WARM_UP_SHARE * len(self.messages)):
            self.warm.set()
        if len(self.answered_at) == len(self.messages):
            self.finished.set()
        answered = json.loads(params.get("reply_parameters", "{}")).get("message_id")
        markup = params.get("reply_markup")
        return {
            **_message(next(self._ids) - 1, chat),
            "from": _BOT,
            "text": params["text"],
            **({"reply_to_message": self.messages[answered - 1]} if answered else {}),
            **({"reply_markup": json.loads(markup)} if markup else {}),
        }


def _message(number: int, user: int) -> dict[str, Any]:
    return {
        "message_id": number + 1,
        "date": int(time.time()),
        "chat": {"id": user, "type": "private", "first_name": "Ada"},
        "from": {"id": user, "is_bot": False, "first_name": "Ada"},
        "text": TEXTS[number % len(TEXTS)],
    }


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(users: int, messages: int) -> None:
    """Serves until every message is answered."""
    loopback = Loopback(users, messages)
    application = web.Application()
    application.router.add_route("*", "/bot{token}/{method}", loopback.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0]
    _say(str(port))
    await loopback.warm.wait()
    _say("warm")
    await loopback.finished.wait()
    figures = {
        "answered_at": loopback.answered_at,
        "answers": loopback.answers,
        "calls": loopback.calls,
    }
    _say(json.dumps(figures))
    await asyncio.sleep(_LONGEST_POLL_SECONDS)  # the last answer is on its way
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
