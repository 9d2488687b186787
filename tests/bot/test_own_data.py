"""A user reads, takes along and erases what is kept of them; others and groups see nothing."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from bot import texts
from bot.handlers import own_data
from tests.bot.botapi import BotApi, Params
from tests.bot.conftest import RunningBot
from tests.bot.test_corrections import buttons, classified
from tweetsent.settings import Settings
from tweetsent.store import CONSENT_VERSION

GROUP = -100


def asked(telegram: BotApi, text: str, user: int = 7) -> Params:
    """The bot's answer to a command."""
    before = len(telegram.sent(user))
    telegram.send(text, user=user)
    return telegram.wait_sent(before + 1, user)[before]


def pressed(telegram: BotApi, message: Params, number: int, user: int = 7) -> Params:
    """What a message shows after a press of one of its buttons."""
    before = len(telegram.of("editMessageText"))
    telegram.press(message, buttons(message)[number], user=user)
    return telegram.wait_calls("editMessageText", before + 1)[before].result


def count(settings: Settings, table: str) -> int:
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        (number,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(number)


@pytest.mark.parametrize("command", ["gecmis", "istatistik", "verilerim", "unut"])
def test_a_group_is_shown_nothing_private(
    telegram: BotApi, settings: Settings, command: str
) -> None:
    classified(telegram, "harika @duygu_bot", chat=7)
    telegram.send(f"/{command}", chat=GROUP)

    (answer,) = telegram.wait_sent(1, GROUP)

    assert answer["text"] == texts.own_data.IN_PRIVATE
    assert "reply_markup" not in answer
    assert count(settings, "predictions") == 1


def test_the_history_is_paged_to_its_end_and_back(telegram: BotApi) -> None:
    asked(telegram, "/onay_geri")
    for number in range(1, 8):
        telegram.send(f"harika {number} {'uzun ' * 60}")
    newest = telegram.wait_sent(8)[7]
    telegram.send("berbat", user=8)
    pressed(telegram, newest, 1)

    page = asked(telegram, "/geçmiş")
    title, first, *others = page["text"].split("\n\n")
    assert title == "🗂 Geçmişin · 1–5 / 7"
    assert len(others) == 4
    day, text, label, own = first.splitlines()
    assert texts.wording.date(datetime.now(UTC)) in day
    assert text.startswith("“harika 7 uzun")
    assert text.endswith("…”")
    assert label == "😊 Olumlu · %93"
    assert own == "✏️ Senin dediğin: 😞 Olumsuz"
    assert [row["text"] for row in page["reply_markup"]["inline_keyboard"][0]] == [
        texts.own_data.OLDER
    ]

    last = pressed(telegram, page, 0)
    assert last["text"].startswith("🗂 Geçmişin · 6–7 / 7")
    assert "harika 1" in last["text"]
    assert [row["text"] for row in last["reply_markup"]["inline_keyboard"][0]] == [
        texts.own_data.NEWER
    ]
    assert pressed(telegram, last, 0)["text"].startswith("🗂 Geçmişin · 1–5 / 7")


def test_pages_belong_to_whose_chat_it_is(telegram: BotApi) -> None:
    for number in range(6):
        telegram.send(f"harika {number}")
    telegram.wait_sent(6)
    page = asked(telegram, "/gecmis")

    telegram.press(page, buttons(page)[0], user=8)

    note = telegram.wait_calls("answerCallbackQuery")[0].params
    assert note["text"] == texts.answers.BUTTON_UNKNOWN
    assert telegram.of("editMessageText") == []


def test_a_stranger_has_no_history_and_no_numbers(telegram: BotApi) -> None:
    assert asked(telegram, "/gecmis")["text"] == texts.own_data.NO_HISTORY
    assert asked(telegram, "/istatistik")["text"] == texts.own_data.NO_NUMBERS


def test_numbers_are_the_users_own(telegram: BotApi) -> None:
    for user, text in ((7, "harika"), (7, "enfes"), (7, "berbat"), (8, "berbat")):
        telegram.send(text, user=user)
    for answer, number in zip(telegram.wait_sent(3), (2, 0, 1), strict=True):
        telegram.press(answer, buttons(answer)[number])
    telegram.wait_calls("editMessageText", 3)

    assert asked(telegram, "/istatistik")["text"].splitlines() == [
        "📊 Senin sayıların",
        f"📅 {texts.wording.date(datetime.now(UTC))} tarihinden beri tanışıyoruz",
        "💬 Mesaj: 3",
        "😞 ▰▰▰▱▱▱▱▱▱▱ 1",
        "😐 ▱▱▱▱▱▱▱▱▱▱ 0",
        "😊 ▰▰▰▰▰▰▱▱▱▱ 2",
        "✏️ Verdiğin etiket: 3",
        "🤝 Modelle aynı olan: %33",
    ]


def test_the_file_holds_everything_of_the_user_and_nothing_of_others(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_data, "_READ_AT_ONCE", 2)
    asked(telegram, "/onay")
    for number in range(5):
        telegram.send(f'harika {number} "ğüş"')
    answer = telegram.wait_sent(6)[5]
    mention = {"type": "mention", "offset": 7, "length": 10}
    theirs = classified(telegram, "berbat @duygu_bot", user=8, chat=GROUP, entities=[mention])
    for number in (1, 2):
        pressed(telegram, answer, number)
    telegram.send("/duzelt olumlu", chat=GROUP, reply_to_message=theirs)
    telegram.wait_sent(2, GROUP)

    sent = asked(telegram, "/verilerim")

    assert sent["caption"] == texts.own_data.FILE_CAPTION
    content = telegram.of("sendDocument")[0].files["document"].decode()
    data = json.loads(content)
    assert "ğüş" in content
    assert "berbat" not in content
    assert data["eğitim onayı"]["yanıt"] == "evet"
    assert data["eğitim onayı"]["soru metninin sürümü"] == CONSENT_VERSION
    assert data["eğitim onayı"]["tarih"][:10] == f"{datetime.now(UTC):%Y-%m-%d}"
    assert [row["metin"] for row in data["mesajlar"]] == [
        f'harika {number} "ğüş"' for number in (4, 3, 2, 1, 0)
    ]
    assert data["mesajlar"][0]["puanlar"] == {"olumsuz": 0.02, "tarafsız": 0.05, "olumlu": 0.93}
    assert [row["etiket"] for row in data["düzeltmeler"]] == ["olumlu", "tarafsız", "olumsuz"]
    assert [row["eğitim için durumu"] for row in data["düzeltmeler"]] == [
        "bekliyor",
        "kabul",
        "kabul",
    ]
    assert data["düzeltmeler"][1]["mesaj no"] == data["mesajlar"][0]["no"]
    assert data["düzeltmeler"][2]["değiştirildi"] is not None


def test_a_strangers_file_says_that_there_is_nothing(telegram: BotApi) -> None:
    asked(telegram, "/verilerim")
    data = json.loads(telegram.of("sendDocument")[0].files["document"])
    assert (data["mesajlar"], data["düzeltmeler"]) == ([], [])
    assert "takma kimlik" not in data


def test_a_file_larger_than_telegram_takes_is_not_sent(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_data, "_LARGEST_FILE_BYTES", 1000)
    for number in range(5):
        telegram.send(f"harika {number} {'uzun ' * 60}")
    telegram.wait_sent(5)
    assert asked(telegram, "/verilerim")["text"] == texts.own_data.FILE_TOO_LARGE
    assert telegram.of("sendDocument") == []


def test_erasing_is_asked_first_and_leaves_nothing(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    classified(telegram, "berbat", user=8)
    telegram.press(answer, buttons(answer)[0])
    telegram.wait_sent(2)
    telegram.send("/onay")
    telegram.wait_sent(3)

    question = asked(telegram, "/unut")
    assert "• 1 mesaj ve sonucu" in question["text"]
    assert "• 1 düzeltme" in question["text"]
    assert pressed(telegram, question, 1)["text"] == texts.own_data.ERASE_CANCELLED
    assert count(settings, "predictions") == 2

    question = asked(telegram, "/unut")
    done = pressed(telegram, question, 0)

    assert done["text"] == texts.own_data.ERASED
    assert "reply_markup" not in done
    assert [count(settings, table) for table in ("users", "predictions", "corrections")] == [
        1,
        1,
        0,
    ]
    assert asked(telegram, "/gecmis")["text"] == texts.own_data.NO_HISTORY
    assert asked(telegram, "/gizlilik")["text"].endswith(texts.privacy.consent_state(None))
    telegram.press(answer, buttons(answer)[0])
    notes = telegram.wait_calls("answerCallbackQuery", 4)
    assert notes[3].params["text"] == texts.answers.BUTTON_UNKNOWN


def test_nobody_erases_another(telegram: BotApi, settings: Settings) -> None:
    classified(telegram)
    question = asked(telegram, "/unut")
    theirs = asked(telegram, "/unut", user=8)

    telegram.press(question, buttons(question)[0], user=8)
    telegram.press(theirs, buttons(question)[0], user=8)  # forged
    telegram.press(None, buttons(question)[0], user=7)  # from nowhere

    notes = telegram.wait_calls("answerCallbackQuery", 3)
    assert {note.params["text"] for note in notes} == {texts.answers.BUTTON_UNKNOWN}
    assert count(settings, "predictions") == 1


def test_erasing_twice_is_harmless_and_what_comes_after_it_stays(
    api: BotApi, bot: RunningBot, settings: Settings
) -> None:
    bot.start()
    classified(api)
    question = asked(api, "/unut")
    yes = buttons(question)[0]
    api.press(question, yes)
    api.press(question, yes)
    api.send("berbat")
    api.wait_sent(3)

    assert count(settings, "predictions") == 1
    assert count(settings, "users") == 1
    assert api.refusals == ["editMessageText: message is not modified"]
