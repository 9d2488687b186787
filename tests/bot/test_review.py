"""`/inceleme`: the queue in an admin's private chat, and who may not press its buttons."""

import sqlite3

import pytest

from bot import texts
from tests.bot.botapi import BotApi, Params
from tests.bot.conftest import RunningBot
from tests.bot.test_corrections import buttons
from tweetsent.settings import Settings

USER, OTHER_ADMIN = 7, 43
ACCEPT, REJECT, SKIP = range(3)


@pytest.fixture
def settings(settings: Settings, admin: int) -> Settings:
    return settings.model_copy(update={"tweetsent_admin_ids": frozenset({admin, OTHER_ADMIN})})


def rows(settings: Settings) -> list[tuple[str, str]]:
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        return database.execute("SELECT state, reason FROM corrections ORDER BY id").fetchall()


def correct_surely(telegram: BotApi, words: list[str]) -> None:
    """A user who consents contradicts the model where it is very sure."""
    telegram.send("/onay", user=USER)
    for count, text in enumerate(words, start=1):
        telegram.send(text, user=USER)
        answer = telegram.wait_sent(1 + count, USER)[-1]
        telegram.press(answer, buttons(answer)[1], user=USER)
        telegram.wait_calls("editMessageText", count)


def ask(telegram: BotApi, admin: int) -> Params:
    before = len(telegram.sent(admin))
    telegram.send("/inceleme", user=admin)
    return telegram.wait_sent(before + 1, admin)[-1]


def press(telegram: BotApi, message: Params, number: int, user: int) -> Params:
    """The note that answers a press."""
    before = len(telegram.of("answerCallbackQuery"))
    telegram.press(message, buttons(message)[number], user=user)
    return telegram.wait_calls("answerCallbackQuery", before + 1)[-1].params


def shown(telegram: BotApi, count: int) -> Params:
    """The text and buttons of the latest edit, once there are so many."""
    return telegram.wait_calls("editMessageText", count)[-1].params


def test_admins_decide_one_correction_after_the_other(
    telegram: BotApi, settings: Settings, admin: int
) -> None:
    correct_surely(telegram, ["enfes bir", "enfes iki", "enfes üç"])
    page = ask(telegram, admin)
    assert page["text"].splitlines() == [
        "🗂 İnceleme · kalan: 3",
        "",
        "“enfes bir”",
        "",
        "🤖 Model: 😊 Olumlu · %97",
        "👤 Kullanıcı: 😞 Olumsuz",
        "❓ Model başka bir etiketten çok emin.",
    ]
    keyboard = page["reply_markup"]["inline_keyboard"][0]
    assert [button["text"] for button in keyboard] == ["✅ Kabul", "❌ Ret", "⏭ Atla"]

    assert press(telegram, page, SKIP, admin)["text"] == texts.review.SKIPPED
    assert "kalan: 2" in shown(telegram, 4)["text"]
    assert press(telegram, page, ACCEPT, admin)["text"] == texts.answers.BUTTON_SAVED
    assert "“enfes üç”" in shown(telegram, 5)["text"]
    assert press(telegram, page, REJECT, admin)["text"] == texts.answers.BUTTON_SAVED
    end = shown(telegram, 6)

    assert end["text"] == texts.review.end(skipped=1)
    assert "reply_markup" not in end
    assert rows(settings) == [
        ("pending", "model_is_sure"),
        ("accepted", "reviewed"),
        ("rejected", "reviewed"),
    ]
    assert "“enfes bir”" in ask(telegram, admin)["text"]


def test_pressing_twice_and_deciding_what_was_decided_are_harmless(
    api: BotApi, bot: RunningBot, settings: Settings, admin: int
) -> None:
    bot.start()
    correct_surely(api, ["enfes"])
    first, second = ask(api, admin), ask(api, OTHER_ADMIN)
    old = buttons(first)[ACCEPT]
    assert press(api, first, ACCEPT, admin)["text"] == texts.answers.BUTTON_SAVED
    api.press(first, old, user=admin)
    assert api.wait_calls("answerCallbackQuery", 3)[-1].params["text"] == texts.answers.BUTTON_SAVED

    late = press(api, second, REJECT, OTHER_ADMIN)

    assert (late["text"], late["show_alert"]) == (texts.review.TOO_LATE, "true")
    assert rows(settings) == [("accepted", "reviewed")]
    assert shown(api, 4)["text"] == texts.review.end(skipped=0)
    assert api.refusals == ["editMessageText: message is not modified"]


def test_the_queue_is_for_admins_and_in_private(
    telegram: BotApi, settings: Settings, admin: int
) -> None:
    correct_surely(telegram, ["enfes"])
    page = ask(telegram, admin)

    assert ask(telegram, USER)["text"] == texts.guide.ADMINS_ONLY
    assert press(telegram, page, ACCEPT, USER)["text"] == texts.guide.ADMINS_ONLY
    telegram.send("/inceleme", user=admin, chat=-100)
    assert telegram.wait_sent(1, -100)[0]["text"] == texts.review.IN_PRIVATE
    assert rows(settings) == [("pending", "model_is_sure")]


def test_an_empty_queue_says_so(telegram: BotApi, admin: int) -> None:
    assert ask(telegram, admin)["text"] == texts.review.end(skipped=0)
