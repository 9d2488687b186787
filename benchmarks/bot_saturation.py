"""How many updates a second the bot works off, beside a bare python-telegram-bot echo.

    python -m benchmarks.bot_saturation [USERS] [MESSAGES] [ROUNDS]

All messages wait at a Bot API server from the start (`benchmarks/loopback.py`, a process of its
own). The bot, polling, with a database on disk and a classifier that costs nothing, answers them
all; so does the echo, in turn with it; and a client that knows nothing of bots shows what the
server could do. Telegram's limit of 30 messages a second is lifted for the bot. The first tenth of
the answers warms up and isn't counted. CPU time is that of the process which answers. Writes
bot_saturation.json beside this file.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters

from benchmarks.loopback import WARM_UP_SHARE
from bot import throttle
from tests.bot import process
from tests.bot.botapi import TOKEN
from tests.bot.tiny import migrated_database

_NO_LIMIT = 10_000
_CLIENTS = 16
_LONGEST_SECONDS = 300.0


def bot() -> None:
    """The bot itself, with nothing but the pace lifted that Telegram asks for."""
    throttle.MESSAGES_PER_SECOND = _NO_LIMIT
    asyncio.run(process.main())


def echo() -> None:
    """The least that a bot made with python-telegram-bot can be."""

    async def reply(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        if update.message is not None and update.message.text is not None:
            await update.message.reply_text(update.message.text)

    base_url = os.environ["TELEGRAM_API_BASE_URL"]
    builder = ApplicationBuilder().token(TOKEN).base_url(f"{base_url}/bot")
    # It forgets an update that fails: on a busy machine none may.
    builder = builder.read_timeout(60).connect_timeout(60).pool_timeout(60)
    # One update after the other, as in the library's examples: side by side takes it longer.
    application = builder.build()
    application.add_handler(MessageHandler(filters.TEXT, reply))
    application.run_polling()


def bare() -> None:
    """No bot at all: so many answers a second the server takes."""
    asyncio.run(_answer_all(os.environ["TELEGRAM_API_BASE_URL"] + f"/bot{TOKEN}/"))


async def _answer_all(url: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def call(method: str, **params: object) -> Any:
            async with session.post(url + method, data=params) as response:
                return (await response.json())["result"]

        async def work() -> None:
            while messages:
                message = messages.pop()
                await call("sendMessage", chat_id=message["chat"]["id"], text=message["text"])

        offset = 0
        while updates := await call("getUpdates", offset=offset):
            messages = [update["message"] for update in updates]
            await asyncio.gather(*(work() for _ in range(_CLIENTS)))
            offset = updates[-1]["update_id"] + 1


PROCESSES: dict[str, Callable[[], None]] = {"bot": bot, "echo": echo, "bare": bare}


def main(users: int = 100, messages: int = 2000, rounds: int = 3) -> None:
    """Measure, and write the result."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in PROCESSES}
    for _ in repeat(None, rounds):
        for name in PROCESSES:
            with tempfile.TemporaryDirectory() as scratch:
                runs[name].append(measure(name, Path(scratch), users, messages))
            sys.stderr.write(f"{name}: {runs[name][-1]}\n")
    result = report(runs, users, messages)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure(name: str, scratch: Path, users: int, messages: int) -> dict[str, Any]:
    """The figures of one process that answers all messages."""
    migrated_database(scratch)
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.loopback", str(users), str(messages)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    environment = os.environ | {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_BASE_URL": f"http://127.0.0.1:{server.stdout.readline().strip()}",
        "TWEETSENT_DATA_DIR": str(scratch),
        "TWEETSENT_USER_RATE": "1000000",
    }
    with (scratch / "log").open("w") as log:
        client = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bot_saturation", name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    deadline = threading.Timer(_LONGEST_SECONDS, server.kill)
    deadline.start()
    try:
        server.stdout.readline()
        cpu = cpu_seconds(client.pid)
        line = server.stdout.readline()
        if not line:
            raise RuntimeError(f"messages stayed unanswered:\n{(scratch / 'log').read_text()}")
        figures = json.loads(line)
        cpu = cpu_seconds(client.pid) - cpu
    finally:
        deadline.cancel()
        client.terminate()
        client.communicate(timeout=60)
        server.kill()
        server.wait()
    times = figures["answered_at"][round(WARM_UP_SHARE * messages) :]
    assert set(figures["answers"].values()) == {messages // users}, "answers were lost or doubled"
    return {
        "updates_per_second": round((len(times) - 1) / (times[-1] - times[0]), 1),
        "cpu_ms_per_update": round(1000 * cpu / len(times), 2),
        "calls": figures["calls"],
    }


def cpu_seconds(process_id: int) -> float:
    """What a process has computed so far, as Linux tells it."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(runs: dict[str, list[dict[str, Any]]], users: int, messages: int) -> dict[str, Any]:
    """The medians, with the machine named; shares of the echo are those of each round."""

    def medians(figure: str) -> dict[str, float]:
        return {name: median(run[figure] for run in of_name) for name, of_name in runs.items()}

    rounds = zip(runs["bot"], runs["echo"], strict=True)
    shares = [bot["updates_per_second"] / echo["updates_per_second"] for bot, echo in rounds]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} CPU cores ({platform.machine()}), shared with the server",
        "users": users,
        "messages": messages,
        "updates_per_second": medians("updates_per_second"),
        "cpu_ms_per_update": medians("cpu_ms_per_update"),
        "bot_of_echo": [round(share, 2) for share in shares],
        "runs": runs,
    }


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in PROCESSES:
        PROCESSES[sys.argv[1]]()
    else:
        main(*map(int, sys.argv[1:]))
