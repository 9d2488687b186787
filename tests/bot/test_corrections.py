"""Corrections by button and by /duzelt, and the consent question that the first one brings."""

import asyncio
import sqlite3
from typing import Any

import pytest

from bot import texts
from tests.bot.botapi import RESET_AFTERWARDS, BotApi, Params
from tests.bot.conftest import RunningBot
from tests.bot.tiny import TinyClassifier, open_service
from tweetsent.labels import LABELS, Label
from tweetsent.records import Consent
from tweetsent.settings import Settings

GROUP = -100


def buttons(message: Params) -> list[str]:
    return [
        button["callback_data"]
        for row in message["reply_markup"]["inline_keyboard"]
        for button in row
    ]


def button(message: Params, label: Label) -> str:
    """The data of the button that gives a label."""
    end = f":{LABELS.index(label)}"
    (data,) = (data for data in buttons(message) if data.endswith(end))
    return data


def captions(message: Params) -> list[str]:
    return [button["text"] for row in message["reply_markup"]["inline_keyboard"] for button in row]


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

    telegram.press(answer, button(answer, Label.NEGATIVE))
    _, question = telegram.wait_sent(2)

    (edit,) = telegram.of("editMessageText")
    assert edit.params["message_id"] == str(answer["message_id"])
    assert edit.params["text"].startswith("😊 Olumlu · %93")
    assert "😊 Olumlu → 😞 Olumsuz" in edit.params["text"]
    assert telegram.of("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_SAVED
    assert question["text"] == texts.privacy.CONSENT_QUESTION

    telegram.press(answer, button(answer, Label.NEUTRAL))
    changed = telegram.wait_calls("editMessageText", 2)[1].result
    assert "😞 Olumsuz → 😐 Tarafsız" in changed["text"]
    assert changed["reply_markup"] == answer["reply_markup"]
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
    telegram.press(answer, button(answer, Label.NEGATIVE))
    question = telegram.wait_sent(2)[1]
    assert consent_of(settings, 7) is Consent.UNASKED

    telegram.press(question, buttons(question)[number])

    telegram.wait_calls("editMessageText", 2)
    assert consent_of(settings, 7) is consent
    assert "reply_markup" not in telegram.of("editMessageText")[1].params


def test_nobody_answers_the_question_of_another(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    telegram.press(answer, button(answer, Label.NEGATIVE))
    question = telegram.wait_sent(2)[1]

    telegram.press(question, buttons(question)[0], user=8)

    note = telegram.wait_calls("answerCallbackQuery", 2)[1].params
    assert note["text"] == texts.privacy.CONSENT_NOT_YOURS
    assert consent_of(settings, 7) is consent_of(settings, 8) is Consent.UNASKED


def test_a_second_press_is_harmless(settings: Settings, bot: RunningBot, api: BotApi) -> None:
    bot.start()
    answer = classified(api)
    for _ in range(3):
        api.press(answer, button(answer, Label.NEGATIVE))
    api.wait_calls("answerCallbackQuery", 3)
    api.send("berbat")
    api.wait_sent(3)

    assert corrections(settings) == [("negative", 1)]
    # The third press changes nothing, which only Telegram can know.
    assert api.refusals == ["editMessageText: message is not modified"]


def test_a_press_confirms_the_answer(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    assert captions(answer) == ["✅ Doğru", "✏️ 😞 Olumsuz", "✏️ 😐 Tarafsız"]

    telegram.press(answer, buttons(answer)[0])

    (edit,) = telegram.wait_calls("editMessageText")
    assert edit.params["text"].endswith("✅ Kaydettim: 😊 Olumlu")
    assert corrections(settings) == [("positive", 1)]


def test_an_answer_that_is_unsure_asks_which_label_is_right(
    telegram: BotApi, settings: Settings
) -> None:
    answer = classified(telegram, "masa dört ayaklıdır")
    assert answer["text"].startswith("😐 Tarafsız · %60")
    assert answer["text"].endswith(texts.answers.UNSURE_HINT)
    assert captions(answer) == ["😞 Olumsuz", "😐 Tarafsız", "😊 Olumlu"]

    telegram.press(answer, buttons(answer)[2])

    (edit,) = telegram.wait_calls("editMessageText")
    assert edit.params["text"].endswith("✏️ Düzelttim: 😐 Tarafsız → 😊 Olumlu. Teşekkürler!")
    assert corrections(settings) == [("positive", 1)]


def classified_in_group(telegram: BotApi) -> Params:
    """The answer to a message of user 7."""
    mention = {"type": "mention", "offset": 0, "length": 10}
    telegram.send("@duygu_bot harika", chat=GROUP, entities=[mention])
    return telegram.wait_sent(1, GROUP)[0]


def test_buttons_under_an_answer_are_for_the_author_of_the_message(
    telegram: BotApi, settings: Settings
) -> None:
    answer = classified_in_group(telegram)

    telegram.press(answer, button(answer, Label.NEGATIVE), user=8)
    note = telegram.wait_calls("answerCallbackQuery")[0].params
    assert (note["text"], note["show_alert"]) == (texts.answers.BUTTON_NOT_YOURS, "true")
    assert telegram.of("editMessageText") == []
    assert corrections(settings) == []

    telegram.press(answer, button(answer, Label.NEUTRAL), user=7)
    telegram.wait_calls("editMessageText")
    assert corrections(settings) == [("neutral", 1)]


def test_others_vote_by_duzelt_and_hear_that_it_is_their_vote(
    telegram: BotApi, settings: Settings
) -> None:
    answer = classified_in_group(telegram)

    telegram.send("/duzelt olumsuz", user=8, chat=GROUP, reply_to_message=answer)
    telegram.send("/duzelt olumlu", user=9, chat=GROUP, reply_to_message=answer)
    telegram.send("/duzelt tarafsız", user=7, chat=GROUP, reply_to_message=answer)

    said = [sent["text"] for sent in telegram.wait_sent(7, GROUP)]
    assert "🗳️ Oyunu kaydettim: 😞 Olumsuz. Teşekkürler!" in said
    assert "🗳️ Oyunu kaydettim: 😊 Olumlu. Teşekkürler!" in said
    assert "✏️ Düzelttim: 😊 Olumlu → 😐 Tarafsız. Teşekkürler!" in said
    assert [label for label, _ in corrections(settings)] == ["negative", "positive", "neutral"]


def test_what_duzelt_asks_is_for_who_typed_it(telegram: BotApi, settings: Settings) -> None:
    answer = classified_in_group(telegram)
    telegram.send("/duzelt", user=8, chat=GROUP, reply_to_message=answer)
    question = telegram.wait_sent(2, GROUP)[1]

    telegram.press(question, button(question, Label.NEUTRAL), user=7)
    note = telegram.wait_calls("answerCallbackQuery")[0].params
    assert (note["text"], note["show_alert"]) == (texts.answers.BUTTON_NOT_YOURS, "true")
    assert corrections(settings) == []

    telegram.press(question, button(question, Label.NEGATIVE), user=8)
    (edit,) = telegram.wait_calls("editMessageText")
    assert edit.params["text"] == "🗳️ Oyunu kaydettim: 😞 Olumsuz. Teşekkürler!"
    assert edit.result["reply_markup"] == question["reply_markup"]
    assert [label for label, _ in corrections(settings)] == ["negative"]


def test_a_question_from_before_votes_had_buttons_of_their_own(
    telegram: BotApi, settings: Settings
) -> None:
    answer = classified(telegram)
    row = [{"text": str(label), "callback_data": f"d:1:{label}"} for label in range(3)]
    question = answer | {"reply_markup": {"inline_keyboard": [row]}}

    telegram.press(question, "d:1:0")

    telegram.wait_calls("editMessageText")
    assert corrections(settings) == [("negative", 1)]


FORGED = ["", "d:1:3", "d:0:1", "d:-1:1", "d:1", "x", "d:9999999999999999999:1", "d:999:1", "o:7:2"]
FORGED += ["d:1:7:1", "v:1:1", "v:1:7:3", "v:999:7:1"]


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

    telegram.press(other, button(answer, Label.NEGATIVE), user=8)

    assert (
        telegram.wait_calls("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_UNKNOWN
    )
    assert corrections(settings) == []


def test_a_button_under_a_message_too_old_to_edit(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    old = {"chat": answer["chat"], "message_id": answer["message_id"], "date": 0}

    telegram.press(old, button(answer, Label.NEGATIVE))

    assert (
        telegram.wait_calls("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_SAVED
    )
    assert corrections(settings) == [("negative", 1)]


def test_a_press_without_a_message(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)

    telegram.press(None, button(answer, Label.NEGATIVE))

    assert (
        telegram.wait_calls("answerCallbackQuery")[0].params["text"] == texts.answers.BUTTON_UNKNOWN
    )
    assert corrections(settings) == []


WORDS = ["olumsuz", "OLUMLU", "Negatif", "+", "😞", "iyi.", "NEGATİF", "TARAFSIZ", "nötr"]


def test_duzelt_with_a_label(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)
    for word in WORDS:
        telegram.send(f"/duzelt {word}", reply_to_message=answer)

    replies = [sent["text"] for sent in telegram.wait_sent(len(WORDS) + 2)]

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
    assert captions(reply) == ["😞 Olumsuz", "😐 Tarafsız", "😊 Olumlu"]
    assert corrections(settings) == []


def test_duzelt_with_a_slip_offers_what_was_meant(telegram: BotApi, settings: Settings) -> None:
    answer = classified(telegram)

    telegram.send("/duzelt TARAFSİIZ", reply_to_message=answer)
    reply = telegram.wait_sent(2)[1]
    assert reply["text"].endswith("Bunu mu demek istedin: tarafsız?")
    assert captions(reply) == ["😐 Tarafsız"]
    assert corrections(settings) == []

    telegram.press(reply, buttons(reply)[0])
    telegram.wait_calls("editMessageText")
    assert corrections(settings) == [("neutral", 1)]


def test_duzelt_with_a_very_long_label(telegram: BotApi) -> None:
    answer = classified(telegram)

    telegram.send("/duzelt " + "x" * 4000, reply_to_message=answer)

    assert len(telegram.wait_sent(2)[1]["text"]) < 300


def test_duzelt_before_any_message(telegram: BotApi) -> None:
    telegram.send("/duzelt olumlu")

    assert telegram.wait_sent()[0]["text"] == texts.answers.CORRECT_WHAT


def test_duzelt_that_replies_to_nothing_is_about_the_last_message(
    telegram: BotApi, settings: Settings
) -> None:
    for text in ("berbat", "harika bir gün"):
        telegram.send(text)
    telegram.send("/duzelt")
    question = telegram.wait_sent(3)[2]
    assert question["text"] == f"Son mesajın: “harika bir gün”\n{texts.answers.CORRECT_WHICH}"

    telegram.send("/duzelt tarafsız")

    assert telegram.wait_sent(4)[3]["text"] == (
        "Son mesajın: “harika bir gün”\n✏️ Düzelttim: 😊 Olumlu → 😐 Tarafsız. Teşekkürler!"
    )
    assert corrections(settings) == [("neutral", 1)]


def test_duzelt_in_a_group_is_about_the_last_message_of_its_user_there(
    telegram: BotApi, settings: Settings
) -> None:
    classified_in_group(telegram)
    classified(telegram, "berbat", user=8)
    # Whatever replies to nothing in a topic comes as a reply to its beginning.
    topic = telegram.message(
        chat=GROUP, forum_topic_created={"name": "Konu", "icon_color": 7322096}
    )

    telegram.send("/duzelt olumsuz", user=8, chat=GROUP, reply_to_message=topic)
    assert telegram.wait_sent(2, GROUP)[1]["text"] == texts.answers.CORRECT_WHAT

    telegram.send("/duzelt olumsuz", user=7, chat=GROUP, reply_to_message=topic)
    assert "😊 Olumlu → 😞 Olumsuz" in telegram.wait_sent(3, GROUP)[2]["text"]
    assert [label for label, _ in corrections(settings)] == ["negative"]


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

    api.press(answer, button(answer, Label.NEGATIVE))

    assert "→" in api.wait_calls("editMessageText")[0].params["text"]
    assert corrections(settings) == [(Label.NEGATIVE.value, 1)]
