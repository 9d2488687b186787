"""The inbox: each update once, in order within a chat, side by side across chats, bounded."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Bot

from bot import inbox as module
from bot.arrival import Arrival, RawUpdate
from bot.attempt import Failure
from bot.inbox import Admits, Inbox, chat_of
from bot.pace import Pace
from tests.bot.botapi import TOKEN, BotApi
from tests.bot.conftest import RunningBot
from tests.bot.tiny import TinyClassifier, open_service, settings_for
from tweetsent.errors import StoreError
from tweetsent.inbox import PendingUpdate
from tweetsent.service import SentimentService
from tweetsent.settings import Settings


def count(settings: Settings, table: str) -> int:
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_an_update_delivered_twice_is_answered_once(
    telegram: BotApi, settings: Settings, bot: RunningBot
) -> None:
    telegram.send("harika")
    (answer,) = telegram.wait_sent()
    telegram.send("/duzelt olumsuz", reply_to_message=answer)
    telegram.wait_sent(3)

    telegram.repeat_last = True
    telegram.wait(lambda: not telegram.repeat_last)
    telegram.send("berbat")
    answers = telegram.wait_sent(4)

    assert answers[3]["text"].startswith("😞")
    assert bot.classifier.texts == ["harika", "berbat"]
    assert count(settings, "predictions") == 2


def test_the_same_message_in_another_update_is_answered_once(
    telegram: BotApi, settings: Settings
) -> None:
    message = telegram.message("harika")
    telegram.push({"message": message})
    telegram.wait_sent()
    telegram.push({"message": message})
    telegram.send("berbat")

    assert len(telegram.wait_sent(2)) == 2
    assert count(settings, "predictions") == 2


def test_an_update_redelivered_after_a_restart_is_answered_once(
    api: BotApi, bot: RunningBot, settings: Settings
) -> None:
    bot.start()
    update_id = api.push({"message": api.message("harika")})
    api.wait_sent()
    bot.stop()

    api.push({"message": api.message("yeniden")}, update_id)
    bot.start()
    api.send("berbat")
    api.wait_sent(2)

    assert bot.classifier.texts == ["harika", "berbat"]


def test_one_chat_in_order_while_others_go_on(telegram: BotApi, bot: RunningBot) -> None:
    telegram.send("bekle bir", user=7)
    telegram.send("iki", user=7)
    for user in range(100, 110):
        telegram.send("harika", user=user)

    for user in range(100, 110):
        telegram.wait_sent(1, user)
    assert telegram.sent(7) == []
    bot.classifier.release.set()
    answers = telegram.wait_sent(2, 7)

    assert [answer["reply_to_message"]["text"] for answer in answers] == ["bekle bir", "iki"]


def test_not_more_chats_at_once_than_allowed(telegram: BotApi, bot: RunningBot) -> None:
    for user in range(100, 125):
        telegram.send("bekle", user=user)
    telegram.settle()
    telegram.wait(lambda: bot.classifier.waiting == module.PARALLEL_CHATS or None, 5)
    bot.classifier.release.set()

    for user in range(100, 125):
        telegram.wait_sent(1, user)


def test_fetching_stops_while_too_many_wait(
    api: BotApi, bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CAPACITY", 3)
    bot.start()
    for _ in range(3):
        api.send("bekle")
    api.wait(lambda: count(bot.settings, "inbox") == 3)
    for _ in range(2):
        api.send("harika", user=8)
    time.sleep(0.3)
    assert api.sent(8) == []
    bot.classifier.release.set()

    assert len(api.wait_sent(3)) == 3
    assert len(api.wait_sent(2, 8)) == 2


PASSING = Failure("NetworkError", is_passing=True)


@pytest.fixture
def service_settings(tmp_path: Path, empty_database: Path) -> Settings:
    return settings_for(tmp_path, empty_database, "http://127.0.0.1:1", None)


RawHandle = Callable[[RawUpdate, bool], Awaitable[Failure | None]]


def inbox_of(
    service: SentimentService, handle: RawHandle, admits: Admits = lambda *_: True
) -> Inbox:
    async def handle_arrival(arrival: Arrival, is_last: bool) -> Failure | None:
        return await handle(arrival.raw, is_last)

    return Inbox(service, Bot(TOKEN), handle_arrival, admits)


def with_inbox(
    settings: Settings,
    handle: RawHandle,
    work: Callable[[Inbox, SentimentService], Awaitable[None]],
) -> None:
    async def main() -> None:
        service = open_service(settings, TinyClassifier())
        try:
            await work(inbox_of(service, handle), service)
        finally:
            await service.close()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def updates(*numbers: int) -> list[dict[str, Any]]:
    return [{"update_id": number, "message": {"chat": {"id": 5}}} for number in numbers]


def test_a_failed_update_is_recorded_and_not_tried_again(service_settings: Settings) -> None:
    seen: list[int] = []

    async def handle(update: dict[str, Any], is_last: bool) -> Failure | None:
        seen.append(update["update_id"])
        if update["update_id"] == 2:
            raise ValueError("broken")
        return Failure("MaybeArrivedError") if update["update_id"] == 1 else None

    async def work(inbox: Inbox, service: SentimentService) -> None:
        await inbox.add(updates(1, 2, 3))
        await until(lambda: len(seen) == 3)
        await inbox.stop()
        assert await service.inbox_pending(9) == []

    with_inbox(service_settings, handle, work)
    with sqlite3.connect(service_settings.tweetsent_data_dir / "tweetsent.db") as database:
        failed = database.execute("SELECT update_id, error FROM inbox ORDER BY 1").fetchall()
    assert failed == [(1, "MaybeArrivedError"), (2, "ValueError")]


def test_what_a_killed_process_may_have_answered_is_not_handled_again(
    service_settings: Settings,
) -> None:
    seen: list[int] = []

    async def killed(inbox: Inbox, service: SentimentService) -> None:
        await service.inbox_add([(n, 5, json.dumps(update)) for n, update in numbered])
        await service.inbox_sending(1, True)
        await service.inbox_sending(2, True)
        await service.inbox_sending(2, False)

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        seen.append(update["update_id"])

    async def next_start(inbox: Inbox, service: SentimentService) -> None:
        await inbox.resume()
        await until(lambda: seen == [2, 3])
        await inbox.add(updates(1))
        await inbox.stop()

    numbered = [(update["update_id"], update) for update in updates(1, 2, 3)]
    with_inbox(service_settings, handle, killed)
    with_inbox(service_settings, handle, next_start)
    assert seen == [2, 3]
    columns = "update_id, error, chat_id, payload"
    assert row_of(service_settings, columns) == (1, "InterruptedSending", None, "{}")


def test_what_waits_at_the_stop_is_done_after_the_next_start(service_settings: Settings) -> None:
    seen: list[int] = []
    gate = asyncio.Event()

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        seen.append(update["update_id"])
        await gate.wait()

    async def first(inbox: Inbox, service: SentimentService) -> None:
        await inbox.add(updates(1, 2, 3))
        await until(lambda: seen == [1])
        stopping = asyncio.create_task(inbox.stop())
        await asyncio.sleep(0)
        gate.set()
        await stopping
        assert [row.update_id for row in await service.inbox_pending(9)] == [2, 3]

    async def second(inbox: Inbox, service: SentimentService) -> None:
        await inbox.resume()
        await until(lambda: seen == [1, 2, 3])
        await inbox.stop()

    with_inbox(service_settings, handle, first)
    with_inbox(service_settings, handle, second)
    assert seen == [1, 2, 3]


def test_a_store_that_comes_back_late_is_waited_for(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    seen: list[int] = []
    failures = iter(range(3))

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        seen.append(update["update_id"])

    async def work(inbox: Inbox, service: SentimentService) -> None:
        done = service.inbox_done

        async def sometimes_done(update_id: int) -> None:
            if next(failures, None) is not None:
                raise StoreError("locked")
            await done(update_id)

        monkeypatch.setattr(service, "inbox_done", sometimes_done)
        await inbox.add(updates(1))
        await inbox.add(updates(2))
        await until(lambda: seen == [1, 2])
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    assert seen == [1, 2]
    assert count(service_settings, "inbox") == 0


def test_an_update_that_finishes_while_the_store_is_read_is_handled_once(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    gate = asyncio.Event()

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        seen.append(update["update_id"])
        await gate.wait()

    async def work(inbox: Inbox, service: SentimentService) -> None:
        await inbox.add(updates(1))
        pending = service.inbox_pending

        async def slowly_pending(per_chat: int) -> list[PendingUpdate]:
            rows = await pending(per_chat)
            gate.set()
            while await pending(per_chat):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)
            return rows

        monkeypatch.setattr(service, "inbox_pending", slowly_pending)
        await inbox.resume()
        await asyncio.sleep(0.05)
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    assert seen == [1]


def test_an_update_whose_storing_seemed_to_fail_is_handled_once(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        seen.append(update["update_id"])

    async def work(inbox: Inbox, service: SentimentService) -> None:
        add = service.inbox_add

        async def fail_afterwards(rows: list[Any]) -> list[PendingUpdate]:
            await add(rows)
            raise StoreError("the connection is gone")

        monkeypatch.setattr(service, "inbox_add", fail_afterwards)
        with pytest.raises(StoreError):
            await inbox.add(updates(1, 2))
        monkeypatch.setattr(service, "inbox_add", add)
        for _ in range(2):
            await inbox.add(updates(1, 2))
        await until(lambda: len(seen) == 2)
        await inbox.add(updates(1, 2))
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    assert seen == [1, 2]
    assert count(service_settings, "inbox") == 0


def test_an_update_is_told_how_long_it_would_wait(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHAT_SHARE", 3)
    monkeypatch.setattr(module, "PARALLEL_CHATS", 2)
    monkeypatch.setattr(Pace, "seconds", lambda _: 10.0)
    waits: dict[int, float] = {}
    gate = asyncio.Event()

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        await gate.wait()

    def admits(arrival: Arrival, wait: float) -> bool:
        waits[arrival.raw["update_id"]] = wait
        return arrival.raw["update_id"] != 4

    async def work(_: Inbox, service: SentimentService) -> None:
        inbox = inbox_of(service, handle, admits)
        others = [{"update_id": 10 + n, "message": {"chat": {"id": 10 + n}}} for n in range(4)]
        await inbox.add([*updates(1, 2, 3), *others, *updates(4)])
        gate.set()
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    # Its own chat's updates come before it, and the two slots go round.
    assert waits == {1: 0, 2: 10, 3: 20, 10: 5, 11: 10, 12: 15, 13: 20, 4: inf}


@pytest.fixture
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_DELAY_SECONDS", 0.02)


def row_of(settings: Settings, columns: str) -> Any:
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        return database.execute(f"SELECT {columns} FROM inbox").fetchone()


@pytest.mark.usefixtures("_short_delays")
def test_what_may_pass_is_tried_again_in_its_place(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PARALLEL_CHATS", 1)
    seen: list[int] = []

    async def handle(update: dict[str, Any], is_last: bool) -> Failure | None:
        assert not is_last
        seen.append(update["update_id"])
        return PASSING if seen.count(1) < 8 and update["update_id"] == 1 else None

    async def work(inbox: Inbox, service: SentimentService) -> None:
        other = {"update_id": 3, "message": {"chat": {"id": 6}}}
        await inbox.add([*updates(1, 2), other])
        await until(lambda: seen.count(1) == 3)
        (waiting, *_) = await service.inbox_pending(9)
        assert (waiting.update_id, waiting.attempts) in {(1, 2), (1, 3)}
        await until(lambda: 2 in seen)
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    assert [number for number in seen if number != 3] == [1] * 8 + [2]
    # The one slot is free for the other chat while the first update waits.
    assert seen.index(3) < 3
    assert count(service_settings, "inbox") == 0


@pytest.mark.usefixtures("_short_delays")
def test_an_old_update_is_given_up_after_a_last_try(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GIVE_UP_AFTER", timedelta(0))
    tries: list[bool] = []

    async def handle(update: dict[str, Any], is_last: bool) -> Failure:
        tries.append(is_last)
        return PASSING

    async def work(inbox: Inbox, service: SentimentService) -> None:
        await inbox.add(updates(1))
        while await service.inbox_pending(9):
            await asyncio.sleep(0.01)
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    assert tries == [False, False, True]
    assert row_of(service_settings, "attempts, error") == (3, "NetworkError")


def test_the_stop_does_not_wait_for_the_next_try(service_settings: Settings) -> None:
    tries: list[int] = []

    async def handle(update: dict[str, Any], is_last: bool) -> Failure:
        tries.append(update["update_id"])
        return Failure("RetryAfter", is_passing=True, wait_seconds=1000)

    async def work(inbox: Inbox, service: SentimentService) -> None:
        await inbox.add(updates(1))
        while row_of(service_settings, "attempts") != (1,):
            await asyncio.sleep(0.01)
        async with asyncio.timeout(2):
            await inbox.stop()
        assert len(await service.inbox_pending(9)) == 1

    with_inbox(service_settings, handle, work)
    assert tries == [1]


def test_one_chat_does_not_take_up_all_the_room(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHAT_SHARE", 2)
    monkeypatch.setattr(module, "CAPACITY", 4)
    seen: list[int] = []
    gate = asyncio.Event()

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        await gate.wait()
        seen.append(update["update_id"])

    async def work(inbox: Inbox, service: SentimentService) -> None:
        await inbox.add(updates(1, 2, 3))
        await inbox.add(updates(4, 5, 6, 7))
        async with asyncio.timeout(2):
            await inbox.room()
        gate.set()
        await until(lambda: len(seen) == 7)
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert count(service_settings, "inbox") == 0


def test_what_is_over_the_share_is_taken_up_although_reading_it_failed(
    service_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHAT_SHARE", 2)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    pending, failures = SentimentService.inbox_pending, iter(range(2))
    seen: list[int] = []

    async def sometimes(*args: Any) -> Any:
        if next(failures, None) is not None:
            raise StoreError("disk full")
        return await pending(*args)

    async def handle(update: dict[str, Any], is_last: bool) -> None:
        seen.append(update["update_id"])

    async def work(inbox: Inbox, service: SentimentService) -> None:
        monkeypatch.setattr(SentimentService, "inbox_pending", sometimes)
        await inbox.add(updates(1, 2, 3, 4))
        await until(lambda: len(seen) == 4)
        await inbox.stop()

    with_inbox(service_settings, handle, work)
    assert seen == [1, 2, 3, 4]


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["chat", "message", "from", "id", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["update_id", "message", "callback_query"]), json_values))
def test_the_chat_of_anything_is_a_number_or_none(update: dict[str, Any]) -> None:
    assert isinstance(chat_of(update), int | None)


def test_the_chat_of_a_press_is_that_of_its_message() -> None:
    press = {"from": {"id": 1}, "message": {"chat": {"id": 5}}}

    assert chat_of({"update_id": 1, "callback_query": press}) == 5


def test_an_inline_query_is_in_order_with_its_users_private_chat() -> None:
    query = {"id": "1", "from": {"id": 5}, "query": "a", "offset": ""}

    assert chat_of({"update_id": 1, "inline_query": query}) == 5
