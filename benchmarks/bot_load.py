"""How many messages the bot answers, how fast, and what it does with more than it can answer.

    python -m benchmarks.bot_load USERS MESSAGES_PER_SECOND SECONDS [tiny|shipped]
    python -m benchmarks.bot_load USERS at-once ROUNDS [tiny|shipped]

A process of the bot talks over HTTP to a Bot API server on this machine, where users write at a
constant rate in all, or each one message at the same time and again when all are answered. `tiny`
is a classifier that costs nothing, so that the figures are those of the bot around the model;
`shipped` is `tweetsent bot` as it is. The limit of a user is lifted, the bound of the queue is not:
a message is lost when it was neither answered nor refused as too much. The latency is the time from
a user's sending to the bot's sending. Writes bot_load.json beside this file, where the figures of
each load are kept.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import cycle
from math import inf
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bot import texts
from tests.bot.botapi import TOKEN, BotApi, Call
from tests.bot.tiny import migrated_database

COMMANDS = {
    "tiny": [sys.executable, "-m", "tests.bot.process"],
    "shipped": [sys.executable, "-m", "tweetsent", "bot"],
}
FIRST_USER = 1000
START_SECONDS = 300.0
DRAIN_SECONDS = 180.0
TEXTS = [
    "Yeni telefonum bugün geldi, bayıldım 😍",
    "cok guzel bi film degildi acikcasi",
    "Toplantı yarın saat 10'da başlayacak.",
    "Yine üç saat rötar yaptılar, bıktım artık 😡😡",
]
"""Each is sent behind other numbers: a text that was asked before costs the model nothing."""


class Server(BotApi):
    """The loopback server, with a clock beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[int, float] = {}
        """When each message was sent, in seconds of the monotonic clock."""
        self.answered: dict[int, float] = {}
        self.answers: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        """How often each user heard that the bot is busy."""

    def write(self, text: str, user: int) -> None:
        """One message of a user."""
        now = time.monotonic()
        self.begun[self.send(text, user=user)] = now

    def _note(self, call: Call) -> None:
        if call.method == "sendMessage" and call.result is not None:
            if call.result["text"] == texts.limits.BUSY:
                self.refused[call.result["chat"]["id"]] += 1
            elif "reply_to_message" in call.result:
                message_id = call.result["reply_to_message"]["message_id"]
                self.answers[message_id] += 1
                self.answered.setdefault(message_id, time.monotonic())
        super()._note(call)


AT_ONCE = inf
"""The rate of users who all write at the same time."""


def main(users: int, rate: float, seconds: float, model: str = "tiny") -> None:
    """Measure, and add the result to what is there; AT_ONCE takes rounds in place of seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(Path(scratch), users, rate, seconds, model)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    path = Path(__file__).with_suffix(".json")
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    load = "each a message at once" if rate == AT_ONCE else f"{rate:g} messages a second"
    kept[f"{model}{_arithmetic(model)}: {users} users, {load}"] = result
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _arithmetic(model: str) -> str:
    """What decides how fast the shipped model is on a machine."""
    if model == "tiny":
        return ""
    from tweetsent.model import choose_device, choose_dtype

    device = choose_device(os.environ.get("TWEETSENT_DEVICE", "auto"))
    return f" in {choose_dtype(device)} on {device.type}".replace("torch.", "")


def measure(scratch: Path, users: int, rate: float, seconds: float, model: str) -> dict[str, Any]:
    """The figures of one load on a bot with an empty database."""
    migrated_database(scratch)
    api = Server()
    environment = os.environ | {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_BASE_URL": api.base_url,
        "TWEETSENT_DATA_DIR": str(scratch),
        "TWEETSENT_USER_RATE": "1000000",
    }
    with (scratch / "bot.log").open("w") as log:
        bot = subprocess.Popen(
            COMMANDS[model], env=environment, stderr=log, stdin=subprocess.PIPE, text=True
        )
    try:
        api.send("ısınma", user=FIRST_USER)
        api.wait(lambda: api.sent(FIRST_USER), START_SECONDS)
        before = memory_mb(bot.pid)["VmRSS"]
        began = time.monotonic()
        if rate == AT_ONCE:
            write_at_once(api, users, rounds=round(seconds))
        else:
            write(api, users, rate, seconds)
        ended = drain(api)
        memory = memory_mb(bot.pid)
        bot.terminate()
        stopping = time.monotonic()
        bot.communicate(timeout=60)
        stop_seconds = time.monotonic() - stopping
    finally:
        bot.kill()
        api.close()
    return report(api, ended - began, stop_seconds) | {
        "rss_mb": {"before": before, "after": memory["VmRSS"], "peak": memory["VmHWM"]},
        "exit_code": bot.returncode,
        "errors_in_the_log": len(re.findall(r"ERROR|Traceback", (scratch / "bot.log").read_text())),
    }


def write(api: Server, users: int, rate: float, seconds: float) -> None:
    """The users' messages, in turn."""
    texts_in_turn = cycle(TEXTS)
    began = time.monotonic()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        api.write(f"{number} {next(texts_in_turn)}", FIRST_USER + 1 + number % users)


def write_at_once(api: Server, users: int, rounds: int) -> None:
    """The users' messages, of each one at a time."""
    texts_in_turn = cycle(TEXTS)
    for number in range(rounds):
        for user in range(users):
            api.write(f"{number} {user} {next(texts_in_turn)}", FIRST_USER + 1 + user)
        api.wait(lambda: api.begun.keys() <= api.answered.keys(), DRAIN_SECONDS)


def drain(api: Server) -> float:
    """When the last answer came: nothing is left at Telegram, and five seconds brought no more."""
    api.wait(lambda: not api._updates, DRAIN_SECONDS)
    deadline = time.monotonic() + DRAIN_SECONDS
    seen = -1
    while len(api.answers) > seen and time.monotonic() < deadline:
        seen = len(api.answers)
        if seen >= len(api.begun):
            break
        time.sleep(5)
    return max(api.answered.values())


def report(api: Server, seconds: float, stop_seconds: float) -> dict[str, Any]:
    """The figures, with the machine named."""
    waits = [
        api.answered[message] - begun
        for message, begun in api.begun.items()
        if message in api.answered
    ]
    users_of = {message["message_id"]: chat for (chat, _), message in api.messages.items()}
    unanswered = [message for message in api.begun if message not in api.answered]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{len(os.sched_getaffinity(0))} CPU cores ({platform.machine()}), "
        "shared with the server",
        "messages": len(api.begun),
        "answered": len(waits),
        "answered_per_second": round(len(waits) / seconds, 1),
        "refused_as_too_much": sum(users_of[message] in api.refused for message in unanswered),
        "lost": sum(users_of[message] not in api.refused for message in unanswered),
        "answered_twice": sum(count > 1 for count in api.answers.values()),
        "latency_ms": {
            "median": round(1000 * median(waits)),
            "p95": round(1000 * quantiles(waits, n=20)[-1]),
            "longest": round(1000 * max(waits)),
        },
        "calls_refused_by_the_server": dict(Counter(api.refusals)),
        "seconds_to_stop": round(stop_seconds, 1),
    }


def memory_mb(process_id: int) -> dict[str, int]:
    """A process's VmRSS and VmHWM, as Linux tells them."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return {name: int(kb) // 1024 for name, kb in re.findall(r"(Vm\w+):\s+(\d+) kB", status)}


if __name__ == "__main__":
    rate = AT_ONCE if sys.argv[2] == "at-once" else float(sys.argv[2])
    main(int(sys.argv[1]), rate, float(sys.argv[3]), *sys.argv[4:])
