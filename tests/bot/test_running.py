"""Starting, stopping, and what happens when Telegram misbehaves."""

import asyncio
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from bot import application, fetching, inbox, texts, transport
from bot.running import run_bot
from tests.bot.botapi import PATIENCE_SECONDS, RESET, RESET_AFTERWARDS, TOKEN, BotApi, Fault
from tests.bot.conftest import RunningBot
from tests.bot.tiny import TinyClassifier, open_services
from tweetsent.errors import ConfigError, StoreError, TelegramError
from tweetsent.inbox import Inbox as InboxStore
from tweetsent.records import Prediction
from tweetsent.settings import Settings
from tweetsent.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_DELAYS_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(fetching, "FIRST_DELAY_SECONDS", 0.02)
    monkeypatch.setattr(fetching, "LONGEST_DELAY_SECONDS", 0.1)
    monkeypatch.setattr(inbox, "FIRST_DELAY_SECONDS", 0.02)
    monkeypatch.setattr(inbox, "LONGEST_DELAY_SECONDS", 0.05)


def run(settings: Settings) -> None:
    async def main() -> None:
        service, retraining = open_services(settings, TinyClassifier())
        try:
            await run_bot(settings, service, retraining)
        finally:
            await service.close()

    asyncio.run(main())


def test_no_token_is_a_readable_error(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="TELEGRAM_BOT_TOKEN is not set"):
        run(settings.model_copy(update={"telegram_bot_token": None}))


def test_a_wrong_token_is_a_readable_error_without_the_token(settings: Settings) -> None:
    wrong = "987654321:AAwrong-token-that-must-not-be-shown"

    with pytest.raises(TelegramError, match="Telegram refuses TELEGRAM_BOT_TOKEN") as caught:
        run(settings.model_copy(update={"telegram_bot_token": SecretStr(wrong)}))

    assert wrong not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unreachable_server_is_a_readable_error(settings: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

    with pytest.raises(TelegramError, match=f"can't reach Telegram at {url}: ") as caught:
        run(settings.model_copy(update={"telegram_api_base_url": url}))

    assert TOKEN not in str(caught.value)


def test_a_hiccup_at_the_start_is_no_reason_to_give_up(bot: RunningBot, api: BotApi) -> None:
    api.faults["getMe"] += [Fault(502), RESET]
    bot.start()
    api.send("harika")

    assert len(api.wait_sent()) == 1


NOT_NOW = Fault.of(503, "Service Unavailable")
FAULTS = {
    "500": Fault(500),
    "502 html": Fault(502),
    "200 html": Fault(200),
    "200 without a result": Fault(200, b'{"ok": true}'),
    "reset": RESET,
    "401": Fault.of(401, "Unauthorized"),
    "404": Fault.of(404, "Not Found"),
    "409": Fault.of(409, "Conflict: terminated by other getUpdates request"),
    "429": Fault.of(429, "Too Many Requests: retry after 1", retry_after=1),
    "429 without a time": Fault.of(429, "Too Many Requests"),
    "ok is false": Fault(200, b'{"ok": false}'),
    "half a body": Fault(200, b'{"ok": true, "result": [{"update_id'),
    "no gzip": Fault(200, b'{"ok": true, "result": []}', encoding="gzip"),
    "a number": Fault(200, b'{"ok": true, "result": [1]}'),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_no_fault_ends_the_polling(
    telegram: BotApi, fault: Fault, redacted_log: Callable[[], str]
) -> None:
    telegram.faults["getUpdates"] += [fault] * (1 if fault is FAULTS["429"] else 4)
    telegram.wait(lambda: not telegram.faults["getUpdates"])
    telegram.send("harika")

    assert len(telegram.wait_sent()) == 1
    assert redacted_log().count("trying again") <= 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("409", "another process fetches"), ("401", "refuses TELEGRAM_BOT_TOKEN, which worked")],
)
def test_what_an_operator_must_fix_is_an_error_in_the_log(
    telegram: BotApi, caplog: pytest.LogCaptureFixture, name: str, words: str
) -> None:
    telegram.faults["getUpdates"] += [FAULTS[name]] * 3
    telegram.send("harika")
    telegram.wait_sent()

    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert words in errors[0]
    assert "works again after 3 failed tries" in caplog.text


def test_a_failure_of_another_kind_is_logged_as_well(
    telegram: BotApi, redacted_log: Callable[[], str]
) -> None:
    telegram.faults["getUpdates"] += [FAULTS["500"]] * 9 + [FAULTS["409"]] * 3
    telegram.wait(lambda: not telegram.faults["getUpdates"])
    telegram.send("harika")
    telegram.wait_sent()

    assert redacted_log().count("can't be reached") == 1
    assert redacted_log().count("another process fetches") == 1


def test_an_answer_that_meets_a_fault_on_the_way_is_sent_again(telegram: BotApi) -> None:
    telegram.faults["sendMessage"] += [NOT_NOW] * 2
    telegram.send("harika")

    telegram.wait_sent()
    telegram.send("berbat")
    assert len(telegram.wait_sent(2)) == 2


@pytest.mark.parametrize(
    "fault",
    [
        RESET_AFTERWARDS,
        Fault(502, carried_out=True),
        replace(Fault.of(504, "Gateway Timeout"), carried_out=True),
        Fault(500, carried_out=True),
        Fault(200, carried_out=True),
        Fault(200, b'{"ok": true, "result": {"mess', carried_out=True),
        Fault(200, b'{"ok": true}', carried_out=True),
        Fault(200, b'{"ok": true}', carried_out=True, encoding="gzip"),
    ],
    ids=[
        *("reset", "502", "504 in Telegram's form", "500 html", "200 html"),
        *("half a body", "no result", "no gzip"),
    ],
)
def test_an_answer_that_arrived_in_spite_of_a_fault_is_not_sent_again(
    telegram: BotApi, settings: Settings, fault: Fault
) -> None:
    telegram.faults["sendMessage"].append(fault)
    telegram.send("harika")
    telegram.wait_sent()
    telegram.send("berbat")
    answers = telegram.wait_sent(2)

    assert [answer["text"][0] for answer in answers] == ["😊", "😞"]
    assert inbox_errors(settings) == ["MaybeArrivedError"]


def inbox_errors(settings: Settings) -> list[str]:
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        return [row[0] for row in database.execute("SELECT error FROM inbox WHERE error NOTNULL")]


def test_an_outage_longer_than_the_clients_patience_loses_no_answer(
    telegram: BotApi, settings: Settings
) -> None:
    telegram.faults["sendMessage"] += [NOT_NOW] * 12
    telegram.send("harika")
    telegram.send("berbat")
    answers = telegram.wait_sent(2)
    telegram.send("olur")
    telegram.wait_sent(3)

    assert [answer["text"][0] for answer in answers] == ["😊", "😞"]
    telegram.wait(lambda: inbox_errors(settings) == [])


def test_an_unreachable_telegram_loses_no_answer(
    bot: RunningBot, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot.start()
    api.send("bekle harika")
    api.wait(lambda: bot.classifier.waiting)
    connect = aiohttp.TCPConnector.connect
    tries = []

    async def unreachable(
        connector: aiohttp.TCPConnector, request: aiohttp.ClientRequest, **kwargs: Any
    ) -> Any:
        if request.url.path.endswith("/sendMessage"):
            tries.append(request.url)
            if len(tries) < 10:
                raise aiohttp.ClientConnectorError(request.connection_key, OSError("no route"))
        return await connect(connector, request, **kwargs)

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", unreachable)
    bot.classifier.release.set()

    assert [answer["text"][0] for answer in api.wait_sent()] == ["😊"]
    api.send("berbat")
    assert [answer["text"][0] for answer in api.wait_sent(2)] == ["😊", "😞"]


def test_a_locked_database_delays_the_answer_without_an_apology(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Store.save_prediction
    failures = iter(range(3))

    def sometimes_save(*args: Any, **kwargs: Any) -> Prediction:
        if next(failures, None) is not None:
            raise StoreError("database x: database is locked", is_passing=True)
        return save(*args, **kwargs)

    monkeypatch.setattr(Store, "save_prediction", sometimes_save)
    telegram.send("harika")
    telegram.wait_sent()
    telegram.send("berbat")

    assert [answer["text"][0] for answer in telegram.wait_sent(2)] == ["😊", "😞"]


def test_an_answer_that_drips_does_not_hold_its_chat(
    bot: RunningBot, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "TIMEOUT_SECONDS", 0.5)
    drip = Fault(200, b'{"ok": true, "result": {' + b" " * 1000, drip_seconds=0.2)
    api.faults["sendMessage"].append(replace(drip, carried_out=True))
    api.faults["getMe"].append(drip)
    bot.start()
    api.send("harika")
    api.send("berbat")

    assert [answer["text"][0] for answer in api.wait_sent(2)] == ["😊", "😞"]


def test_polling_outlives_an_answer_that_drips(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_READ_TIMEOUTS", 0.01)
    drip = Fault(200, b'{"ok": true, "result": [' + b" " * 1000, drip_seconds=0.1)
    telegram.faults["getUpdates"].append(drip)
    telegram.wait(lambda: not telegram.faults["getUpdates"])
    telegram.send("harika")

    assert len(telegram.wait_sent()) == 1


def test_ids_that_begin_anew_after_a_quiet_week_are_taken(telegram: BotApi) -> None:
    telegram.send("harika")
    telegram.wait_sent()
    telegram.settle()
    for number in range(2):
        message = telegram.message("berbat")
        telegram.push({"message": message}, update_id=5 + number)
        assert len(telegram.wait_sent(2 + number)) == 2 + number
        telegram.settle()


def test_a_hint_that_meets_an_outage_is_told_later(telegram: BotApi, settings: Settings) -> None:
    telegram.faults["sendMessage"] += [NOT_NOW] * 12
    telegram.send("123")

    assert [message["text"] for message in telegram.wait_sent()] == [texts.answers.NO_WORDS]
    telegram.send("harika")
    telegram.wait_sent(2)
    assert inbox_errors(settings) == []


def test_a_hint_that_may_have_arrived_is_recorded_and_not_told_again(
    telegram: BotApi, settings: Settings
) -> None:
    telegram.faults["sendMessage"].append(RESET_AFTERWARDS)
    telegram.send("123")
    telegram.send("harika")
    telegram.wait_sent(2)

    assert inbox_errors(settings) == ["MaybeArrivedError"]


def test_what_was_sent_is_not_repeated_for_what_failed_after_it(
    telegram: BotApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*args: object) -> None:
        raise StoreError("database x: database is locked", is_passing=True)

    monkeypatch.setattr(Store, "set_answer", locked)
    telegram.send("harika")
    sent = telegram.wait_sent(2)

    assert [message["text"][0] for message in sent] == ["😊", texts.errors.STORE[0]]
    telegram.wait(lambda: inbox_errors(settings) == ["StoreError"])


def test_chats_that_wait_out_a_flood_limit_do_not_hold_up_the_others(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = Fault.of(429, "Too Many Requests: retry after 300", retry_after=300)
    telegram.faults["sendMessage"] += [limit] * inbox.PARALLEL_CHATS
    for user in range(100, 100 + inbox.PARALLEL_CHATS):
        telegram.send("harika", user=user)
    telegram.wait(lambda: not telegram.faults["sendMessage"])
    telegram.send("berbat")

    assert len(telegram.wait_sent()) == 1
    assert telegram.sent(100) == []


def test_a_long_flood_limit_is_waited_out_between_two_tries(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_LONGEST_FLOOD_WAIT_SECONDS", 0.5)
    limit = Fault.of(429, "Too Many Requests: retry after 1", retry_after=1)
    telegram.faults["sendMessage"].append(limit)
    started = time.monotonic()
    telegram.send("harika")
    telegram.wait_sent()

    assert time.monotonic() - started >= 1


def test_an_answer_that_may_have_arrived_is_not_sent_again(
    bot: RunningBot, api: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "TIMEOUT_SECONDS", 0.3)
    bot.start()
    api.faults["sendMessage"].append(Fault(late_seconds=0.6))
    api.send("harika")
    api.wait_sent()
    api.send("berbat")
    answers = api.wait_sent(2)

    assert [answer["text"][0] for answer in answers] == ["😊", "😞"]


def test_a_flood_limit_is_waited_out(telegram: BotApi) -> None:
    telegram.faults["sendMessage"].append(
        Fault.of(429, "Too Many Requests: retry after 1", retry_after=1)
    )
    started = time.monotonic()
    telegram.send("harika")

    telegram.wait_sent()

    assert time.monotonic() - started >= 1


def test_an_update_nobody_can_parse_does_not_hold_up_the_others(telegram: BotApi) -> None:
    telegram.push({"message": {"surprise": True}})
    telegram.push({"message": "not even an object"})
    telegram.push({})
    telegram.send("harika")

    assert len(telegram.wait_sent()) == 1


def test_a_blocked_bot_goes_on(telegram: BotApi) -> None:
    telegram.faults["sendMessage"] += [Fault.of(403, "Forbidden: bot was blocked by the user")] * 2
    telegram.send("harika", user=8)
    telegram.wait(lambda: not telegram.faults["sendMessage"])
    telegram.send("harika")

    assert len(telegram.wait_sent()) == 1


def process(settings: Settings, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bot.process"]
    environment = {
        "PATH": os.environ["PATH"],
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_BASE_URL": settings.telegram_api_base_url,
        "TWEETSENT_DATA_DIR": str(settings.tweetsent_data_dir),
        "TWEETSENT_ADMIN_IDS": ",".join(map(str, settings.tweetsent_admin_ids)),
        **variables,
    }
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_answer_in_work_go_out(
    settings: Settings, api: BotApi, number: signal.Signals
) -> None:
    bot = process(settings)
    api.send("bekle harika")
    api.wait_calls("sendChatAction")

    bot.send_signal(number)
    time.sleep(0.2)
    assert bot.poll() is None
    _, errors = bot.communicate("release\n", timeout=PATIENCE_SECONDS)

    assert bot.returncode == 0
    assert len(api.sent()) == 1
    assert "Traceback" not in errors
    assert TOKEN not in errors


@pytest.mark.parametrize("method", ["getMe", "setMyCommands"])
def test_a_signal_ends_a_start_that_waits_for_telegram(
    settings: Settings, api: BotApi, method: str
) -> None:
    api.faults[method].append(Fault(late_seconds=8.0))
    bot = process(settings)
    api.wait_calls(method)

    bot.terminate()
    started = time.monotonic()
    _, errors = bot.communicate(timeout=PATIENCE_SECONDS)

    assert time.monotonic() - started < 5
    assert bot.returncode == 0
    assert "Traceback" not in errors
    assert "is listening" not in errors


@pytest.mark.parametrize("name", ["401", "500", "long 429"])
def test_the_bot_starts_without_its_menu_of_commands(
    bot: RunningBot, api: BotApi, name: str, redacted_log: Callable[[], str]
) -> None:
    long_limit = Fault.of(429, "Too Many Requests: retry after 3000", retry_after=3000)
    api.faults["setMyCommands"] += [FAULTS.get(name, long_limit)] * 3
    bot.start()
    api.send("harika")

    assert len(api.wait_sent()) == 1
    assert "the menu of commands can't be set" in redacted_log()


def test_a_kill_between_storing_and_answering_loses_and_doubles_nothing(
    settings: Settings, api: BotApi, bot: RunningBot
) -> None:
    killed = process(settings)
    for number in range(5):
        api.send(f"bekle harika {number}")
    api.wait(lambda: api.of("sendChatAction"))
    api.settle()
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=PATIENCE_SECONDS)
    assert api.sent() == []

    bot.classifier.release.set()
    bot.start()
    answers = api.wait_sent(5)
    api.send("berbat")
    api.wait_sent(6)

    replied = [answer["reply_to_message"]["text"] for answer in answers]
    assert replied == [f"bekle harika {number}" for number in range(5)]
    assert len(api.sent()) == 6


def inbox_rows(settings: Settings, condition: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db")) as database:
        query = f"SELECT payload, error, may_have_sent FROM inbox WHERE {condition}"
        return database.execute(query).fetchall()


def test_a_kill_while_an_answer_is_being_sent_leaves_it_the_only_one(
    settings: Settings, api: BotApi, bot: RunningBot
) -> None:
    api.faults["sendMessage"].append(Fault(late_seconds=60))
    killed = process(settings)
    api.send("harika")
    api.wait(api.sent)
    killed.kill()
    killed.communicate(timeout=60)

    bot.start()
    api.send("berbat")
    answers = api.wait_sent(2)
    bot.stop()

    assert [answer["text"][0] for answer in answers] == ["😊", "😞"]
    ((payload, error, _),) = inbox_rows(settings, "failed_at IS NOT NULL")
    assert payload == "{}"
    assert error == "InterruptedSending"
    with closing(sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db")) as database:
        assert database.execute("SELECT count(*) FROM predictions").fetchone() == (2,)


def test_a_kill_between_two_tries_loses_no_answer(
    settings: Settings, api: BotApi, bot: RunningBot
) -> None:
    limit = Fault.of(429, "Too Many Requests: retry after 300", retry_after=300)
    api.faults["sendMessage"].append(limit)
    killed = process(settings)
    api.send("harika")
    api.wait(lambda: inbox_rows(settings, "attempts > 0"))
    killed.kill()
    killed.communicate(timeout=60)

    bot.start()
    api.send("berbat")

    assert [answer["text"][0] for answer in api.wait_sent(2)] == ["😊", "😞"]


def test_a_message_that_nobody_could_note_is_not_sent(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter(range(3))
    note = InboxStore.sending

    def sometimes_note(self: InboxStore, update_id: int, may_have_sent: bool) -> None:
        if next(failures, None) is not None:
            raise StoreError("database x: disk full")
        note(self, update_id, may_have_sent)

    monkeypatch.setattr(InboxStore, "sending", sometimes_note)
    telegram.send("harika")
    telegram.send("berbat")
    answers = telegram.wait_sent(2)

    assert [answer["text"][0] for answer in answers] == ["😊", "😞"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_bots_that_end_amid_messages_answer_each_of_them_once(
    settings: Settings, api: BotApi, number: signal.Signals
) -> None:
    chance = random.Random(7)
    users = range(100, 130)
    sent: list[int] = []
    for _ in range(2):
        bot = process(settings)
        before = len(api.of("setMyCommands"))
        api.wait(lambda before=before: len(api.of("setMyCommands")) > before)
        for _ in range(chance.randint(60, 120)):
            sent.append(api.send("harika", user=chance.choice(users)))
            time.sleep(chance.uniform(0, 0.01))
        bot.send_signal(number)
        _, errors = bot.communicate(timeout=60)
        assert "Traceback" not in errors
    last = process(settings)

    def answered() -> Counter[int]:
        return Counter(
            answer["reply_to_message"]["message_id"] for user in users for answer in api.sent(user)
        )

    api.settle()
    api.wait(lambda: not inbox_rows(settings, "failed_at IS NULL"), 120)
    last.terminate()
    last.communicate(timeout=60)
    replies = answered()
    interrupted = inbox_rows(settings, "error = 'InterruptedSending'")

    assert set(replies.values()) == {1}
    assert set(replies) <= set(sent)
    assert len(set(sent) - set(replies)) <= len(interrupted)
    # A kill leaves nobody who knows whether what was being sent has arrived.
    assert not interrupted or number == signal.SIGKILL
