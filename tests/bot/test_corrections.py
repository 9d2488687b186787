"""Corrections by button and by /duzelt, and the consent question that the first one brings."""

import asyncio
import sqlite3
from typing import Any

import pytest

from bot import texts
from tests.bot.botapi import RESET_AFTERWARDS, BotApi, Params
from tests.bot.conftest import RunningBot
from tests.bot.tiny import TinyClassifier, open_service
from tweetsent.labels import Label
from tweetsent.records import Consent
from tweetsent.settings import Settings

GROUP = -100


def buttons(message: Params) -> list[str]:
    return [
        button["callback_data"]
        for row in message["reply_markup"]["inline_keyboard"]
        for button in row
    ]


def corrections(settings: Settings) -> list[tuple[str, int]]:
    """Live corrections as (label, user), oldest first."""
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        return database.execute(
            "SELECT label, user_id FROM corrections WHERE superseded_at IS NULL ORDER BY id"
        ).fetchall()


def consent_of(settings: Settings, user: int) -> Consent:
    async def ask() -> Consent:
        service = open_service(settings, TinyClassifier())
        try:
            return await service.consent(user)
        finally:
            await service.close()

    return asyncio.run(ask())


def classified(telegram: BotApi, text: str = "harika bir gün", **where: Any) -> Params:
    telegram.send(text, **where)
    return telegram.wait_sent(1, where.get("chat", where.get("user", 7)))[0]


def test_a_button_shows_old_and_new_label_and_asks_for_consent_once(
    telegram: BotApi, settings: Settings
) -> None:
    answer = classified(telegram)

    telegram.press(answer, buttons(answer)[0])
    _, question = telegram.wait_sent(2)

    (edit,) = telegram.of("editMessageText")
    assert edit.params["message_id"] == str(answer["message_id"])
    assert edit.params["text"].startswith("😊 Olumlu · %93")
    assert "😊 Olumlu → 😞 Olumsuz" in edit.params["text"]
    assert telegram.of("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_SAVED
    assert question["text"] == texts.privacy.CONSENT_QUESTION

    telegram.press(answer, buttons(answer)[1])
    assert "😞 Olumsuz → 😐 Tarafsız" in telegram.wait_calls("editMessageText", 2)[1].params["text"]
    telegram.send("berbat")
    telegram.wait_sent(3)
    assert (
        len([sent for sent in telegram.sent() if sent["text"] == texts.privacy.CONSENT_QUESTION])
        == 1
    )
    assert corrections(settings) == [("neutral", 1)]


@pytest.mark.parametrize(("number", "consent"), [(0, Consent.GRANTED), (1, Consent.REFUSED)])
def test_the_consent_question(
    telegram: BotApi, settings: Settings, number: int, consent: Consent
) -> None:
    answer = classified(telegram)
    telegram.press(answer, buttons(answer)[0])
    question = telegram.wait_sent(2)[1]
    assert consent_of(settings, 7) is Consent.UNASKED

    telegram.press(question, buttons(question)[number])

    telegram.wait_calls("editMessageText", 2)
    assert consent_of(settings, 7) is consent
    assert "reply_markup" not in telegram.of("editMessageText")[1].params


def test_nobody_answers_the_question_of_another(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    telegram.press(answer, buttons(answer)[0])
    question = telegram.wait_sent(2)[1]

    telegram.press(question, buttons(question)[0], user=8)

    note = telegram.wait_calls("answerCallbackQuery", 2)[1].params
    assert note["text"] == texts.privacy.CONSENT_NOT_YOURS
    assert consent_of(settings, 7) is consent_of(settings, 8) is Consent.UNASKED


def test_a_second_press_is_harmless(settings: Settings, bot: RunningBot, api: BotApi) -> None:
    bot.start()
    answer = classified(api)
    for _ in range(3):
        api.press(answer, buttons(answer)[0])
    api.wait_calls("answerCallbackQuery", 3)
    api.send("berbat")
    api.wait_sent(3)

    assert corrections(settings) == [("negative", 1)]
    # The third press changes nothing, which only Telegram can know.
    assert api.refusals == ["editMessageText: message is not modified"]


def test_everyone_in_a_group_has_a_vote(telegram: BotApi, settings: Settings) -> None:
    telegram.send(
        "@duygu_bot harika", chat=GROUP, entities=[{"type": "mention", "offset": 0, "length": 10}]
    )
    (answer,) = telegram.wait_sent(1, GROUP)

    telegram.press(answer, buttons(answer)[0], user=8)
    telegram.press(answer, buttons(answer)[2], user=9)

    telegram.wait_calls("editMessageText", 2)
    assert [label for label, _ in corrections(settings)] == ["negative", "positive"]


FORGED = ["", "d:1:3", "d:0:1", "d:-1:1", "d:1", "x", "d:9999999999999999999:1", "d:999:1", "o:7:2"]


def test_forged_data_changes_nothing(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    for data in FORGED:
        telegram.press(answer, data)

    notes = telegram.wait_calls("answerCallbackQuery", len(FORGED))

    assert {note.params["text"] for note in notes} == {texts.answers.BUTTON_UNKNOWN}
    assert telegram.of("editMessageText") == []
    assert corrections(settings) == []


def test_a_button_of_another_chat_changes_nothing(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    other = classified(telegram, "berbat", user=8)

    telegram.press(other, buttons(answer)[0], user=8)

    assert (
        telegram.wait_calls("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_UNKNOWN
    )
    assert corrections(settings) == []


def test_a_button_under_a_message_too_old_to_edit(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    old = {"chat": answer["chat"], "message_id": answer["message_id"], "date": 0}

    telegram.press(old, buttons(answer)[0])

    assert (
        telegram.wait_calls("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_SAVED
    )
    assert corrections(settings) == [("negative", 1)]


def test_a_press_without_a_message(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)

    telegram.press(None, buttons(answer)[0])

    assert (
        telegram.wait_calls("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_UNKNOWN
    )
    assert corrections(settings) == []


LABELS = ["olumsuz", "OLUMLU", "Negatif", "+", "😞", "iyi.", "NEGATİF", "TARAFSIZ", "nötr"]


def test_duzelt_with_a_label(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    for word in LABELS:
        telegram.send(f"/duzelt {word}", reply_to_message=answer)

    replies = [sent["text"] for sent in telegram.wait_sent(len(LABELS) + 2)]

    assert "😊 Olumlu → 😞 Olumsuz" in replies[1]
    assert "😞 Olumsuz → 😊 Olumlu" in replies[3]
    assert "😞 Olumsuz → 😐 Tarafsız" in replies[-2]
    assert "✅ Kaydettim: 😐 Tarafsız" in replies[-1]
    assert corrections(settings) == [("neutral", 1)]


SPELLINGS = ["/düzelt", "/DUZELT", "/duzelt@duygu_bot", "/du\u0308zelt"]


def test_duzelt_in_other_letters(telegram: BotApi, settings: Settings) -> None:
    message = telegram.message("harika")
    telegram.push({"message": message})
    telegram.wait_sent()
    for number, command in enumerate(SPELLINGS):
        word = ["tarafsız", "olumsuz"][number % 2]
        telegram.send(f"{command} {word}", reply_to_message=message)

    replies = telegram.wait_sent(len(SPELLINGS) + 2)

    assert sum("→" in sent["text"] for sent in replies) == len(SPELLINGS)
    assert corrections(settings) == [("negative", 1)]


def test_duzelt_without_a_label_offers_buttons(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    telegram.send("/duzelt", reply_to_message=answer)
    question = telegram.wait_sent(2)[1]
    assert question["text"] == texts.answers.CORRECT_WHICH

    telegram.press(question, buttons(question)[0])

    (edit,) = telegram.wait_calls("editMessageText")
    assert edit.params["text"] == "✏️ Düzelttim: 😊 Olumlu → 😞 Olumsuz. Teşekkürler!"
    assert corrections(settings) == [("negative", 1)]


def test_duzelt_with_an_unknown_label_says_which_are_fine(
    telegram: BotApi, settings: Settings
) -> None:
    answer = classified(telegram)

    telegram.send("/duzelt muhteşem", reply_to_message=answer)

    reply = telegram.wait_sent(2)[1]
    assert reply["text"] == texts.answers.unknown_label("muhteşem")
    assert buttons(reply) == buttons(answer)
    assert corrections(settings) == []


def test_duzelt_with_a_very_long_label(telegram: BotApi) -> None:
    answer = classified(telegram)

    telegram.send("/duzelt " + "x" * 4000, reply_to_message=answer)

    assert len(telegram.wait_sent(2)[1]["text"]) < 300


def test_duzelt_that_replies_to_nothing(telegram: BotApi) -> None:
    telegram.send("/duzelt olumlu")

    assert telegram.wait_sent()[0]["text"] == texts.answers.CORRECT_WHAT


def test_duzelt_that_replies_to_a_message_never_classified(
    telegram: BotApi, settings: Settings
) -> None:
    strangers = telegram.message("harika", user=9, chat=GROUP)

    telegram.send("/duzelt olumlu", chat=GROUP, reply_to_message=strangers)

    assert telegram.wait_sent(1, GROUP)[0]["text"] == texts.answers.NOT_FOUND
    assert corrections(settings) == []


def test_duzelt_that_replies_to_an_answer_that_seemed_lost(
    telegram: BotApi, settings: Settings
) -> None:
    telegram.faults["sendMessage"].append(RESET_AFTERWARDS)
    answer = classified(telegram)

    telegram.send("/duzelt olumsuz", reply_to_message=answer)

    assert "😊 Olumlu → 😞 Olumsuz" in telegram.wait_sent(2)[1]["text"]
    assert corrections(settings) == [("negative", 1)]


def test_duzelt_that_replies_to_what_duzelt_said(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    telegram.send("/duzelt", reply_to_message=answer)
    question = telegram.wait_sent(2)[1]

    telegram.send("/duzelt olumsuz", reply_to_message=question)
    confirmation, consent = telegram.wait_sent(4)[2:]
    assert "😊 Olumlu → 😞 Olumsuz" in confirmation["text"]

    telegram.send("/duzelt tarafsız", reply_to_message=confirmation)
    assert "😞 Olumsuz → 😐 Tarafsız" in telegram.wait_sent(5)[4]["text"]
    assert corrections(settings) == [("neutral", 1)]

    telegram.send("/duzelt olumlu", reply_to_message=consent)
    assert telegram.wait_sent(6)[5]["text"] == texts.answers.NOT_FOUND


def test_duzelt_that_replies_to_buttons_of_another_chat(
    telegram: BotApi, settings: Settings
) -> None:
    answer = classified(telegram)
    forged = telegram.message("harika", user=8, reply_markup=answer["reply_markup"])

    telegram.send("/duzelt olumsuz", user=8, reply_to_message=forged)

    assert telegram.wait_sent(1, 8)[0]["text"] == texts.answers.NOT_FOUND
    assert corrections(settings) == []


def test_corrections_survive_a_restart(api: BotApi, bot: RunningBot, settings: Settings) -> None:
    bot.start()
    answer = classified(api)
    bot.stop()
    bot.start()

    api.press(answer, buttons(answer)[0])

    assert "→" in api.wait_calls("editMessageText")[0].params["text"]
    assert corrections(settings) == [(Label.NEGATIVE.value, 1)]
