"""Whether a message is ever lost or answered twice, on a bad day that is as long as you like.

    python -m benchmarks.soak [MESSAGES USERS KILLS SEED]      (20000 1000 12 1)

A process of the bot talks over HTTP to a Bot API server on this machine that answers with flood
limits, errors, pages of proxies, resets, hangs, answers that drip or are cut off, and delivers
updates twice and out of order, at the rates in tests/bot/faults.py. In the first half it is killed
(kill -9) and started again so often; the second half is one process, whose memory is looked at. Its
classifier costs nothing, and Telegram's limits on the bot's pace are lifted. At the end every
message must have one prediction, and one answer or a record of why it has none.

Writes soak.json beside this file; ends with 1, and what was broken, when something was.
"""

import json
import os
import platform
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from benchmarks.bot_load import TEXTS, memory_mb
from bot import texts
from bot.inbox import PARALLEL_CHATS
from tests.bot.botapi import TOKEN, Call, Params
from tests.bot.faults import FaultyApi
from tests.bot.tiny import migrated_database

COMMAND = [sys.executable, "-m", "tests.bot.soak_process"]
FIRST_USER = 1000
PATIENCE_SECONDS = 300.0
"""How long nothing may happen."""
MOST_UNANSWERED = 1000
"""Messages that are on their way at a time, so that the bot never says that it is busy."""
_MOST_UNFETCHED = 300
_MOST_GROWTH = 1.2
"""How much more memory the last process may have at its end than at its first quarter."""


@dataclass(frozen=True)
class Plan:
    """What a soak consists of."""

    messages: int = 20_000
    users: int = 1_000
    kills: int = 12
    seed: int = 1


class Ledger(FaultyApi):
    """The faulty server, and of every message what the bot replied to it, in order."""

    def __init__(self, seed: int) -> None:
        self.chat_of: dict[int, int] = {}
        self.message_of: dict[int, int] = {}
        """By update id."""
        self.results: Counter[int] = Counter()
        self.apologies: Counter[int] = Counter()
        self.refusals_of_the_bot: Counter[int] = Counter()
        self.order: dict[int, list[int]] = defaultdict(list)
        """By chat, the messages in the order of their results."""
        super().__init__(seed)

    def write(self, text: str, user: int) -> None:
        """One message of a user."""
        message_id = self.send(text, user=user)
        self.chat_of[message_id] = user

    def push(self, content: Params, update_id: int | None = None) -> int:
        """Queues an update for getUpdates."""
        update_id = super().push(content, update_id)
        self.message_of[update_id] = content["message"]["message_id"]
        return update_id

    def _note(self, call: Call) -> None:
        if call.method == "sendMessage" and call.result and "reply_to_message" in call.result:
            message_id = call.result["reply_to_message"]["message_id"]
            if call.result["text"] == texts.limits.BUSY:
                self.refusals_of_the_bot[message_id] += 1
            elif "reply_markup" in call.result:
                self.results[message_id] += 1
                self.order[call.result["chat"]["id"]].append(message_id)
            else:
                self.apologies[message_id] += 1
        super()._note(call)


class Soaked:
    """The bot's process, killed and started again on one database."""

    def __init__(self, api: Ledger, folder: Path, log: TextIO) -> None:
        self._log = log
        self._environment = os.environ | {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_BASE_URL": api.base_url,
            "TWEETSENT_DATA_DIR": str(folder),
            "TWEETSENT_USER_RATE": "1000000",
            "TWEETSENT_BUSY_SECONDS": "120",
        }
        self.process = self._start()

    def kill(self) -> None:
        """Ends it in the middle of what it does, and starts the next."""
        self.process.kill()
        self.process.communicate()
        self.process = self._start()

    def stop(self) -> int:
        """Lets it end; returns its exit code."""
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            COMMAND, env=self._environment, stderr=self._log, stdin=subprocess.PIPE, text=True
        )


def main(*numbers: str) -> int:
    """Soak the bot, and write down what came of it."""
    plan = Plan(*map(int, numbers))
    with tempfile.TemporaryDirectory() as scratch:
        result = soak(Path(scratch), plan)
    told = json.dumps(result, indent=2) + "\n"
    sys.stdout.write(told)
    Path(__file__).with_suffix(".json").write_text(told, encoding="utf-8")
    broken = broken_promises(result)
    if grows(result):
        broken.append("the last process needs more and more memory")
    sys.stderr.writelines(f"{promise}\n" for promise in broken)
    return bool(broken)


def soak(scratch: Path, plan: Plan) -> dict[str, Any]:
    """The figures of one soak on an empty database."""
    database = migrated_database(scratch)
    api = Ledger(plan.seed)
    with (scratch / "bot.log").open("w") as log:
        bot = Soaked(api, scratch, log)
        try:
            began = time.monotonic()
            memory = _drive(api, bot, plan)
            _drain(api, database)
            seconds = time.monotonic() - began
            memory["end"] = memory_mb(bot.process.pid)["VmRSS"]
            memory["peak"] = memory_mb(bot.process.pid)["VmHWM"]
            exit_code = bot.stop()
        finally:
            bot.process.kill()
            api.close()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} CPU cores ({platform.machine()}), shared with the server",
        "command": " ".join(["python -m benchmarks.soak", *map(str, asdict(plan).values())]),
        **asdict(plan),
        "seconds": round(seconds, 1),
        "messages_per_second": round(plan.messages / seconds, 1),
        "faults": {method: dict(counts) for method, counts in api.injected.items()},
        **_account(api, database),
        "rss_mb_of_the_last_process": memory,
        "exit_code": exit_code,
        "tracebacks_in_the_log": len(re.findall("Traceback", (scratch / "bot.log").read_text())),
        "calls_refused_by_the_server": dict(Counter(api.refusals)),
    }


def _drive(api: Ledger, bot: Soaked, plan: Plan) -> dict[str, int]:
    """Has users write as fast as the bot answers, and kills it now and then in the first half.

    Returns the memory of the last process in MB when it has answered a quarter, a half and three
    quarters of what it will.
    """
    chance = random.Random(plan.seed)
    users = [FIRST_USER + number % plan.users for number in range(plan.messages)]
    chance.shuffle(users)
    half = plan.messages // 2
    kills = sorted(chance.sample(range(half // 10, half), plan.kills))
    looks = ["25 %", "50 %", "75 %"]
    began_at = 0
    memory: dict[str, int] = {}
    fed = 0
    seen, seen_at = -1, time.monotonic()
    while fed < plan.messages or looks:
        answered = len(api.results)
        if answered > seen:
            seen, seen_at = answered, time.monotonic()
        elif time.monotonic() - seen_at > PATIENCE_SECONDS:
            raise AssertionError(f"no answer any more: {answered} of {fed}")
        while (
            fed < plan.messages
            and fed - answered < MOST_UNANSWERED
            and api.unfetched < _MOST_UNFETCHED
        ):
            api.write(chance.choice(TEXTS), users[fed])
            fed += 1
        if kills and answered >= kills[0]:
            del kills[0]
            time.sleep(chance.uniform(0, 0.3))
            bot.kill()
            began_at = answered
        elif not kills and looks and answered >= _at(looks[0], began_at, plan.messages):
            memory[looks.pop(0)] = memory_mb(bot.process.pid)["VmRSS"]
        time.sleep(0.02)
    return memory


def _at(share: str, first: int, last: int) -> float:
    """How many answers there are when such a share of what is left was given."""
    return first + float(share.removesuffix(" %")) / 100 * (last - first)


def _drain(api: Ledger, database: Path) -> None:
    """Waits until Telegram and the inbox hold nothing more."""
    api.wait(lambda: not api.unfetched, PATIENCE_SECONDS)
    waiting = "SELECT count(*) FROM inbox WHERE failed_at IS NULL"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _select(database, waiting) != [(0,)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"updates still wait: {_select(database, waiting)}")
        time.sleep(0.5)


def _account(api: Ledger, database: Path) -> dict[str, Any]:
    """What became of every message."""
    predictions = Counter(
        message_id for (message_id,) in _select(database, "SELECT message_id FROM predictions")
    )
    failed = {
        api.message_of[update_id]: error
        for update_id, error in _select(database, "SELECT update_id, error FROM inbox")
    }
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for message_id, error in failed.items():
        by_kind[error]["answered" if api.results[message_id] else "not answered"] += 1
    silent = [one for one in api.chat_of if not api.results[one] and one not in failed]
    return {
        "messages_with_one_prediction": sum(predictions[one] == 1 for one in api.chat_of),
        "messages_with_more_predictions": sum(predictions[one] > 1 for one in api.chat_of),
        "answered_once": sum(count == 1 for count in api.results.values()),
        "answered_more_than_once": sum(count > 1 for count in api.results.values()),
        "answered_and_told_of_a_failure": len(api.results.keys() & api.apologies.keys()),
        "refused_as_too_much": sum(one in api.refusals_of_the_bot for one in silent),
        "lost": sum(one not in api.refusals_of_the_bot for one in silent),
        "recorded_as_failed": {kind: dict(counts) for kind, counts in sorted(by_kind.items())},
        "answers_out_of_order": sum(
            later < earlier for chat in api.order.values() for earlier, later in pairwise(chat)
        ),
        "integrity_check": _select(database, "PRAGMA integrity_check")[0][0],
        "broken_references": len(_select(database, "PRAGMA foreign_key_check")),
    }


def broken_promises(result: dict[str, Any]) -> list[str]:
    """What a soak shows to be wrong, a line each."""
    wanted = {
        "messages_with_one_prediction": result["messages"] - result["refused_as_too_much"],
        "messages_with_more_predictions": 0,
        "answered_more_than_once": 0,
        "answered_and_told_of_a_failure": 0,
        "lost": 0,
        "answers_out_of_order": 0,
        "integrity_check": "ok",
        "broken_references": 0,
        "exit_code": 0,
        "tracebacks_in_the_log": 0,
        "calls_refused_by_the_server": {},
    }
    broken = [
        f"{name}: {result[name]!r} instead of {value!r}"
        for name, value in wanted.items()
        if result[name] != value
    ]
    kinds = result["recorded_as_failed"].values()
    unanswered = sum(kind.get("not answered", 0) for kind in kinds)
    # A kill meets at most one send of each chat in work; an answer is lost to a reset at most once.
    faults = sum(sum(counts.values()) for counts in result["faults"].values())
    bound = result["kills"] * PARALLEL_CHATS + faults
    if unanswered > bound:
        broken.append(f"{unanswered} messages are recorded as failed, more than {bound} faults")
    return broken


def grows(result: dict[str, Any]) -> bool:
    """Whether the last process needed more and more memory."""
    memory = result["rss_mb_of_the_last_process"]
    return memory["end"] > _MOST_GROWTH * memory["25 %"]


def _select(database: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        return connection.execute(query).fetchall()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
