"""Limits of users and groups, and a bot that says it is busy instead of letting all wait."""

import sqlite3
import time
from typing import Any

import pytest

from bot import inbox, texts
from tests.bot.botapi import BotApi, Params
from tests.bot.conftest import RunningBot
from tests.bot.tiny import ADMIN
from tweetsent.errors import StoreError
from tweetsent.inbox import Inbox, PendingUpdate
from tweetsent.settings import Settings

GROUP = -100
TOO_FAST = texts.limits.too_fast(3)
GROUP_TOO_FAST = texts.limits.group_too_fast(5)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "tweetsent_user_rate": 3,
            "tweetsent_group_rate": 5,
            "tweetsent_busy_seconds": 1.0,
        }
    )


def said(api: BotApi, chat: int = 7) -> list[str]:
    return [message["text"] for message in api.sent(chat)]


def mention(api: BotApi, word: str, user: int) -> None:
    name = "@duygu_bot"
    entity = {"type": "mention", "offset": 0, "length": len(name)}
    api.send(f"{name} {word}", user=user, chat=GROUP, entities=[entity])


def stored(settings: Settings) -> int:
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        return int(database.execute("SELECT count(*) FROM inbox").fetchone()[0])


def test_what_is_over_a_users_limit_is_skipped_and_said_once(
    telegram: BotApi, bot: RunningBot
) -> None:
    for number in range(10):
        telegram.send(f"harika {number}")
    telegram.send("berbat", user=8)
    telegram.wait_sent(1, 8)
    telegram.wait_sent(4)
    telegram.settle()

    assert sorted(bot.classifier.texts) == ["berbat", "harika 0", "harika 1", "harika 2"]
    assert said(telegram).count(TOO_FAST) == 1
    assert len(said(telegram)) == 4


def test_commands_and_presses_have_limits_of_their_own(telegram: BotApi) -> None:
    for _ in range(3):
        telegram.send("harika")
    answer = telegram.wait_sent(3)[0]
    for _ in range(5):
        telegram.send("/yardim")
    telegram.wait_sent(7)
    telegram.settle()
    queries = [telegram.press(answer, "bilinmez") for _ in range(5)]
    telegram.wait_calls("answerCallbackQuery", 5)

    assert said(telegram).count(texts.guide.HELP) == 3
    assert said(telegram).count(TOO_FAST) == 1
    notes = {
        call.params["callback_query_id"]: call.params.get("text")
        for call in telegram.of("answerCallbackQuery")
    }
    assert [notes[query] for query in queries[:3]] == [texts.answers.BUTTON_UNKNOWN] * 3
    assert [notes[query] for query in queries[3:]] == [None] * 2


def test_admins_have_no_limit(telegram: BotApi) -> None:
    for _ in range(10):
        telegram.send("harika", user=ADMIN)

    assert TOO_FAST not in [message["text"] for message in telegram.wait_sent(10, ADMIN)]


def test_a_group_has_a_limit_beside_those_of_its_members(telegram: BotApi) -> None:
    for _ in range(5):
        mention(telegram, "harika", user=7)
    for _ in range(9):
        telegram.send("aramızda kalsın", user=8, chat=GROUP)
    for user in (8, 9, 10, 11):
        mention(telegram, "berbat", user=user)
    sent = [message["text"] for message in telegram.wait_sent(7, GROUP)]
    telegram.settle()

    assert sent.count(TOO_FAST) == 1
    assert sent.count(GROUP_TOO_FAST) == 1
    assert sum(text.startswith("😊") for text in sent) == 3
    assert sum(text.startswith("😞") for text in sent) == 2


def test_a_limit_counts_by_the_time_of_sending(api: BotApi, bot: RunningBot) -> None:
    now = int(time.time())
    for number in range(9):
        api.send("harika", date=now - 600 + 25 * number)
    bot.start()

    assert TOO_FAST not in [message["text"] for message in api.wait_sent(9)]


def test_the_pictures_of_an_album_do_not_count(telegram: BotApi) -> None:
    for _ in range(9):
        telegram.send(media_group_id="1", photo=[])
    telegram.send("harika")

    assert telegram.wait_sent()[0]["text"].startswith("😊")


def test_what_comes_again_since_storing_it_failed_counts_once(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Inbox.add
    failures = iter(range(3))

    def sometimes_add(self: Inbox, updates: list[Any]) -> list[PendingUpdate]:
        if next(failures, None) is not None:
            raise StoreError("database x: database is locked")
        return add(self, updates)

    monkeypatch.setattr(Inbox, "add", sometimes_add)
    for number in range(3):
        telegram.send(f"harika {number}")

    assert TOO_FAST not in [message["text"] for message in telegram.wait_sent(3)]


def test_a_busy_bot_says_so_once_and_commands_go_on(
    telegram: BotApi, bot: RunningBot, settings: Settings
) -> None:
    for user in range(100, 100 + inbox.PARALLEL_CHATS):
        telegram.send("bekle", user=user)
    telegram.wait(lambda: bot.classifier.waiting == inbox.PARALLEL_CHATS)
    time.sleep(1.5)
    telegram.send("harika")
    telegram.send("harika")
    telegram.send("/yardim")
    telegram.wait_sent(2)
    telegram.settle()

    assert sorted(said(telegram)) == sorted([texts.limits.BUSY, texts.guide.HELP])
    telegram.wait(lambda: stored(settings) == inbox.PARALLEL_CHATS)
    bot.classifier.release.set()
    for user in range(100, 100 + inbox.PARALLEL_CHATS):
        telegram.wait_sent(1, user)


def test_a_slow_chat_hears_it_and_the_others_do_not(telegram: BotApi, bot: RunningBot) -> None:
    telegram.send("bekle")
    telegram.wait(lambda: bot.classifier.waiting)
    time.sleep(1.5)
    telegram.send("harika")
    telegram.send("harika", user=8)
    telegram.wait_sent(1, 8)
    telegram.wait_sent(1)
    bot.classifier.release.set()

    assert [text[0] for text in [m["text"] for m in telegram.wait_sent(2)]] == ["Ş", "😐"]
    assert said(telegram, 8)[0].startswith("😊")


def test_what_came_before_the_start_is_answered_however_long_it_takes(
    api: BotApi, bot: RunningBot
) -> None:
    now = int(time.time())
    for number in range(3):
        api.send("harika" if number else "bekle", date=now - 100)
    bot.start()
    api.wait(lambda: bot.classifier.waiting)
    time.sleep(1.5)
    api.send("harika", date=now - 10)
    api.settle()
    bot.classifier.release.set()

    assert texts.limits.BUSY not in [message["text"] for message in api.wait_sent(4)]


def test_a_chat_whose_share_is_full_hears_that_the_bot_is_busy(
    telegram: BotApi, bot: RunningBot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "CHAT_SHARE", 2)
    telegram.send("bekle", user=ADMIN)
    telegram.wait(lambda: bot.classifier.waiting)
    for _ in range(5):
        telegram.send("harika", user=ADMIN)
    telegram.wait_sent(1, ADMIN)
    telegram.settle()

    assert stored(settings) == 2
    bot.classifier.release.set()
    sent: list[Params] = telegram.wait_sent(3, ADMIN)
    assert [message["text"][0] for message in sent] == ["Ş", "😐", "😊"]


def test_an_update_nobody_can_read_does_not_hold_up_the_others(telegram: BotApi) -> None:
    beyond = {"type": "mention", "offset": 1, "length": -9}
    telegram.push({"message": {"surprise": True}})
    telegram.push({"message": "not even an object"})
    telegram.send("🙈", chat=GROUP, entities=[beyond])
    telegram.send("🙈", chat=GROUP, entities=[{"type": "mention", "offset": "x"}])
    telegram.send("harika")

    assert telegram.wait_sent()[0]["text"].startswith("😊")


def test_commands_in_a_group_are_skipped_in_silence(telegram: BotApi) -> None:
    for _ in range(5):
        telegram.send("/yardim", chat=GROUP)
    telegram.wait_sent(3, GROUP)
    telegram.settle()
    mention(telegram, "berbat", user=8)

    sent = [message["text"] for message in telegram.wait_sent(4, GROUP)]
    assert sent[:3] == [texts.guide.HELP] * 3
    assert sent[3].startswith("😞")


def test_what_a_group_says_to_itself_is_not_taken_in(
    telegram: BotApi, bot: RunningBot, settings: Settings
) -> None:
    telegram.send("bekle", user=ADMIN)
    for _ in range(5):
        telegram.send("harika bir gün", chat=GROUP, user=9)
    telegram.settle()
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        assert "harika" not in str(database.execute("SELECT payload FROM inbox").fetchall())
    bot.classifier.release.set()


def test_duygu_waits_with_the_messages_and_is_refused_like_them(
    telegram: BotApi, bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "CHAT_SHARE", 1)
    telegram.send("bekle", user=ADMIN)
    telegram.wait(lambda: bot.classifier.waiting)
    telegram.send("/duygu harika", user=ADMIN)

    assert telegram.wait_sent(1, ADMIN)[0]["text"] == texts.limits.BUSY
    bot.classifier.release.set()


def test_inline_queries_over_the_limit_are_skipped_in_silence(telegram: BotApi) -> None:
    for number in range(17):
        telegram.type_inline(f"harika {number}")
        telegram.settle()
    telegram.send("berbat", user=8)
    telegram.wait_sent(1, 8)
    assert len(telegram.of("answerInlineQuery")) <= 15
    assert said(telegram) == []
