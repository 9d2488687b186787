"""A Bot API server on a bad day: faults at stated rates, and updates twice and out of order.

The faults are drawn from one seed; which call meets which depends on the order of the calls.
"""

import random
from collections import Counter, deque
from typing import Any

from tests.bot.botapi import RESET, RESET_AFTERWARDS, BotApi, Fault, Params

LATE_SECONDS = 4.0
"""More than a bot with little patience waits for an answer."""
_HALF = b'{"ok":true,"result":{"message_id":12345,"date":1795'
_LIMIT = "Too Many Requests: retry after"

FAULTS: dict[str, dict[str, tuple[float, Fault]]] = {
    "sendMessage": {
        "429": (0.01, Fault.of(429, f"{_LIMIT} 1", retry_after=1)),
        "429 for long": (0.002, Fault.of(429, f"{_LIMIT} 7", retry_after=7)),
        "429 without a time": (0.002, Fault.of(429, "Too Many Requests")),
        "500": (0.01, Fault.of(500, "Internal Server Error")),
        "503": (0.01, Fault.of(503, "Service Unavailable")),
        "502 html": (0.005, Fault(502)),
        "502 html, carried out": (0.005, Fault(502, carried_out=True)),
        "200 html, carried out": (0.003, Fault(200, carried_out=True)),
        "reset": (0.005, RESET),
        "reset, carried out": (0.005, RESET_AFTERWARDS),
        "hang, carried out": (0.002, Fault(late_seconds=LATE_SECONDS)),
        "drip, carried out": (0.001, Fault(200, _HALF, carried_out=True, drip_seconds=0.3)),
        "half a body, carried out": (0.003, Fault(200, _HALF, carried_out=True)),
        "no gzip, carried out": (0.003, Fault(200, _HALF, carried_out=True, encoding="gzip")),
    },
    "sendChatAction": {
        "500": (0.02, Fault.of(500, "Internal Server Error")),
        "reset": (0.02, RESET),
    },
    "getUpdates": {
        "401": (0.01, Fault.of(401, "Unauthorized")),
        "404": (0.01, Fault.of(404, "Not Found")),
        "409": (0.01, Fault.of(409, "Conflict: terminated by other getUpdates request")),
        "429": (0.01, Fault.of(429, f"{_LIMIT} 1", retry_after=1)),
        "500": (0.01, Fault.of(500, "Internal Server Error")),
        "502 html": (0.01, Fault(502)),
        "200 html": (0.01, Fault(200)),
        "ok is false": (0.01, Fault(200, b'{"ok":false}')),
        "half a body": (0.01, Fault(200, b'{"ok":true,"result":[{"update_id":1')),
        "no gzip": (0.01, Fault(200, _HALF, encoding="gzip")),
        "reset": (0.01, RESET),
        "reset, carried out": (0.01, RESET_AFTERWARDS),
        "hang": (0.01, Fault(late_seconds=LATE_SECONDS)),
    },
}
"""How often the calls of a method meet which fault."""
REPEATED = 0.1
"""The share of deliveries that also hold updates of before."""
_REPEATS = 5
_REMEMBERED = 500


class FaultyApi(BotApi):
    """The loopback server with faults, which counts them."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._delivered: deque[Params] = deque(maxlen=_REMEMBERED)
        self.injected: dict[str, Counter[str]] = {method: Counter() for method in FAULTS}
        self.is_faulty = True
        super().__init__()

    @property
    def unfetched(self) -> int:
        """Updates that the bot has not confirmed."""
        return len(self._updates)

    def answer(
        self, token: str, method: str, params: Params, files: dict[str, bytes]
    ) -> tuple[int, bytes] | Fault:
        if self.is_faulty and method in FAULTS:
            with self._changed:
                for name, (rate, fault) in FAULTS[method].items():
                    if self._chance.random() < rate:
                        self.injected[method][name] += 1
                        self.faults[method].append(fault)
                        break
        return super().answer(token, method, params, files)

    def _getUpdates(self, params: Params, files: dict[str, bytes]) -> list[Any]:  # noqa: N802
        delivery = list(super()._getUpdates(params, files))
        fresh = list(delivery)
        if self._delivered and self._chance.random() < REPEATED:
            repeats = min(_REPEATS, len(self._delivered))
            delivery += self._chance.sample(list(self._delivered), repeats)
            self.injected["getUpdates"]["updates of before"] += repeats
        self._delivered += fresh
        self._chance.shuffle(delivery)
        return delivery
