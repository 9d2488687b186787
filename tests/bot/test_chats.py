"""Where messages come from: edits, groups, channels, forwards and albums."""

from typing import Any

import pytest
from sqlalchemy import Engine, select

from bot import texts
from tests.bot.botapi import BotApi, Fault, Params
from tests.bot.conftest import RunningBot
from tests.bot.test_messages import FILE, GROUP, MENTION, PHOTO
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.sessions import reading
from tweetsent.settings import Settings
from tweetsent.tables import CorrectionRow, PredictionRow, User

CHANNEL = -1001234567890
OTHER_CHANNEL = -1009876543210


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Those of a bot that answers in one channel."""
    return settings.model_copy(update={"tweetsent_channels": frozenset({CHANNEL})})


def predictions(database: Engine) -> list[PredictionRow]:
    with reading(database) as session:
        return list(session.scalars(select(PredictionRow).order_by(PredictionRow.id)))


def sender_of(row: PredictionRow, database: Engine) -> str:
    with reading(database) as session:
        return session.scalars(select(User.pseudonym).where(User.id == row.user_id)).one()


def text_of(telegram: BotApi, answer: Params) -> str:
    return str(telegram.messages[answer["chat"]["id"], answer["message_id"]]["text"])


def wait_text(telegram: BotApi, answer: Params, beginning: str) -> str:
    telegram.wait(lambda: text_of(telegram, answer).startswith(beginning))
    return text_of(telegram, answer)


# Edits


def test_an_edit_changes_the_answer_and_what_is_stored(telegram: BotApi, database: Engine) -> None:
    message = telegram.message("harika")
    telegram.push({"message": message})
    (answer,) = telegram.wait_sent()

    telegram.edit(message, text="berbat")

    assert "😞 %88" in wait_text(telegram, answer, "😞 Olumsuz")
    telegram.settle()
    telegram.send("başka")
    assert len(telegram.wait_sent(2)) == 2
    row = predictions(database)[0]
    assert (row.text, row.label, row.is_answer_stale) == ("berbat", "negative", False)
    assert row.answer_message_id == answer["message_id"]
    assert row.edited_at is not None


def test_an_edit_supersedes_corrections_of_the_old_text(telegram: BotApi, database: Engine) -> None:
    message = telegram.message("harika")
    telegram.push({"message": message})
    (answer,) = telegram.wait_sent()
    telegram.press(answer, "d:1:1")
    telegram.wait(lambda: "✏️" in text_of(telegram, answer))

    telegram.edit(message, text="berbat")

    assert "✏️" not in wait_text(telegram, answer, "😞 Olumsuz")
    with reading(database) as session:
        (correction,) = session.scalars(select(CorrectionRow))
    assert correction.superseded_at is not None


def test_a_press_on_the_result_of_an_earlier_text_corrects_nothing(
    telegram: BotApi, database: Engine
) -> None:
    message = telegram.message("harika")
    telegram.push({"message": message})
    (answer,) = telegram.wait_sent()
    pressed = dict(telegram.messages[7, answer["message_id"]])
    telegram.edit(message, text="berbat")
    wait_text(telegram, answer, "😞 Olumsuz")

    telegram.press(pressed, "d:1:2")

    (noted,) = telegram.wait_calls("answerCallbackQuery")
    assert noted.params["text"] == texts.answers.ANSWER_CHANGED
    with reading(database) as session:
        assert session.scalars(select(CorrectionRow)).all() == []
    assert text_of(telegram, answer).startswith("😞 Olumsuz")


def test_an_edit_that_changes_no_text_changes_nothing(telegram: BotApi, bot: RunningBot) -> None:
    message = telegram.message("harika https://example.org")
    telegram.push({"message": message})
    (answer,) = telegram.wait_sent()
    telegram.press(answer, "d:1:1")
    telegram.wait(lambda: "✏️" in text_of(telegram, answer))
    before = len(telegram.of("editMessageText"))

    telegram.edit(message, link_preview_options={"url": "https://example.org"})
    telegram.edit(message, text="  harika\nhttps://example.org")
    telegram.send("son")
    telegram.wait(lambda: any("son" in text for text in bot.classifier.texts))

    assert len(telegram.of("editMessageText")) == before
    assert "✏️" in text_of(telegram, answer)


def test_an_edit_is_shown_however_often_it_takes(
    api: BotApi, bot: RunningBot, database: Engine
) -> None:
    bot.start()
    message = api.message("harika")
    api.push({"message": message})
    (answer,) = api.wait_sent()
    api.faults["editMessageText"].extend([Fault()] * 5)

    api.edit(message, text="berbat")

    wait_text(api, answer, "😞 Olumsuz")
    api.wait(lambda: not predictions(database)[0].is_answer_stale)
    assert bot.classifier.texts == ["harika", "berbat"]


def test_an_edit_without_words_changes_nothing(telegram: BotApi, database: Engine) -> None:
    message = telegram.message("harika")
    telegram.push({"message": message})
    (answer,) = telegram.wait_sent()

    telegram.edit(message, text="👍")
    telegram.edit(message, text="/egit")
    telegram.send("berbat")

    telegram.wait_sent(2)
    assert text_of(telegram, answer).startswith("😊 Olumlu")
    assert predictions(database)[0].text == "harika"


def test_a_forgotten_caption_is_answered(telegram: BotApi) -> None:
    message = telegram.message(photo=PHOTO)
    telegram.push({"message": message})
    telegram.wait_sent()

    telegram.edit(message, caption="harika")

    answer = telegram.wait_sent(2)[1]
    assert answer["reply_to_message"]["message_id"] == message["message_id"]
    assert answer["text"].startswith("😊")


def test_what_stays_without_words_is_not_answered_again(telegram: BotApi) -> None:
    message = telegram.message("https://t.co/abc")
    telegram.push({"message": message})
    telegram.wait_sent()

    telegram.edit(message, link_preview_options={"url": "https://t.co/abc"})
    telegram.send("harika")

    assert [answer["text"][0] for answer in telegram.wait_sent(2)][1] == "😊"


def test_an_edited_command_runs_nothing(telegram: BotApi) -> None:
    message = telegram.message("/start")
    telegram.push({"message": message})
    telegram.wait_sent()

    telegram.edit(message, text="/yardim")
    telegram.send("harika")

    assert telegram.wait_sent(2)[1]["text"].startswith("😊")


def test_edits_in_groups_are_heard_only_where_the_bot_is_meant(
    telegram: BotApi, bot: RunningBot
) -> None:
    chatter = telegram.message("harika", chat=GROUP)
    telegram.edit(chatter, text="harika bir gün")
    asking = telegram.message("/duygu berbat", chat=GROUP)
    telegram.push({"message": asking})
    (answer,) = telegram.wait_sent(chat=GROUP)

    telegram.edit(asking, text="/duygu enfes")
    wait_text(telegram, answer, "😊 Olumlu")
    telegram.edit(chatter, text="@duygu_bot harika", entities=MENTION)

    assert telegram.wait_sent(2, GROUP)[1]["reply_to_message"]["text"] == "@duygu_bot harika"
    assert bot.classifier.texts == ["berbat", "enfes", "harika"]


def test_a_broken_model_is_told_to_whoever_edited(telegram: BotApi) -> None:
    message = telegram.message("harika")
    telegram.push({"message": message})
    (answer,) = telegram.wait_sent()

    telegram.edit(message, text="bozuk")

    assert telegram.wait_sent(2)[1]["text"] == texts.errors.MODEL
    assert text_of(telegram, answer).startswith("😊")


# Groups


def test_duygu_answers_the_message_replied_to(
    telegram: BotApi, database: Engine, settings: Settings
) -> None:
    said = telegram.message("berbat bir gün", chat=GROUP, user=8)
    telegram.send("/duygu", chat=GROUP, user=7, reply_to_message=said)

    (answer,) = telegram.wait_sent(chat=GROUP)

    assert answer["reply_to_message"]["message_id"] == said["message_id"]
    assert answer["text"].startswith("😞")
    (row,) = predictions(database)
    assert (row.text, row.is_group, row.message_id) == ("berbat bir gün", True, said["message_id"])
    assert sender_of(row, database) == Pseudonymiser(load_key(settings)).user(8)


def test_a_bare_mention_means_the_message_replied_to(telegram: BotApi, bot: RunningBot) -> None:
    said = telegram.message("berbat", chat=GROUP, user=8)
    telegram.send("@duygu_bot", chat=GROUP, entities=MENTION, reply_to_message=said)
    (answer,) = telegram.wait_sent(chat=GROUP)
    assert answer["reply_to_message"]["message_id"] == said["message_id"]

    telegram.send("@duygu_bot harika", chat=GROUP, entities=MENTION, reply_to_message=said)
    assert telegram.wait_sent(2, GROUP)[1]["reply_to_message"]["text"] == "@duygu_bot harika"
    assert bot.classifier.texts == ["berbat", "harika"]


def test_a_message_asked_for_again_is_answered_again_by_the_same_prediction(
    telegram: BotApi, database: Engine, bot: RunningBot
) -> None:
    said = telegram.message("berbat", chat=GROUP, user=8)
    for count in (1, 2):
        asking = telegram.message("/duygu", chat=GROUP, reply_to_message=said)
        telegram.push({"message": asking})
        telegram.push({"message": asking})
        telegram.wait_sent(count, GROUP)
    telegram.send("/duygu harika", chat=GROUP)

    answers = telegram.wait_sent(3, GROUP)

    assert [answer["text"][0] for answer in answers] == ["😞", "😞", "😊"]
    assert bot.classifier.texts == ["berbat", "harika"]
    assert predictions(database)[0].answer_message_id == answers[1]["message_id"]


@pytest.mark.parametrize("chat", [7, GROUP])
def test_duygu_with_a_text_of_its_own(telegram: BotApi, bot: RunningBot, chat: int) -> None:
    said = telegram.message("berbat", chat=chat)
    asked = ["/duygu harika", "/DUYGU@duygu_bot\nharika", "/düygu harika"]
    for text in asked:
        telegram.send(text, chat=chat, reply_to_message=said)

    answers = telegram.wait_sent(3, chat)

    assert [answer["reply_to_message"]["text"] for answer in answers] == asked
    assert bot.classifier.texts == ["harika"] * 3


def test_duygu_about_nothing_says_how_to_ask(telegram: BotApi) -> None:
    telegram.send("harika")
    (answer,) = telegram.wait_sent()
    topic = telegram.message(chat=GROUP, forum_topic_created={"name": "t", "icon_color": 1})
    telegram.send("/duygu")
    telegram.send("/duygu", reply_to_message=answer)
    telegram.send("/duygu", chat=GROUP, reply_to_message=topic)
    telegram.send("/duygu", reply_to_message=telegram.message(voice=FILE | {"duration": 1}))

    said = [sent["text"] for sent in telegram.wait_sent(4)[1:] + telegram.wait_sent(chat=GROUP)]

    what = texts.chats.ASK_WHAT
    assert said == [what, what, texts.answers.NO_WORDS, what]


def test_who_writes_in_the_name_of_a_chat_has_no_consent_in_common(
    telegram: BotApi, database: Engine, settings: Settings
) -> None:
    group = {"id": GROUP, "type": "supergroup", "title": "Grup"}
    telegram.send("/duygu harika", chat=GROUP, user=1087968824, sender_chat=group)
    telegram.wait_sent(chat=GROUP)

    (row,) = predictions(database)
    assert sender_of(row, database) == Pseudonymiser(load_key(settings)).user(GROUP)


# Channels


def test_posts_of_a_configured_channel_are_answered_without_buttons(
    telegram: BotApi, database: Engine
) -> None:
    telegram.post("harika bir haber", channel=OTHER_CHANNEL)
    telegram.post("👍", channel=CHANNEL)
    telegram.post("/duyuru", channel=CHANNEL)
    post = telegram.post(photo=PHOTO, caption="berbat bir haber", channel=CHANNEL)

    (answer,) = telegram.wait_sent(chat=CHANNEL)

    assert answer["reply_to_message"]["message_id"] == post["message_id"]
    assert answer["text"].startswith("😞 Olumsuz")
    assert texts.answers.CORRECT_HINT not in answer["text"]
    assert "reply_markup" not in answer
    assert telegram.sent(OTHER_CHANNEL) == []

    telegram.edit(post, caption="harika bir haber")
    wait_text(telegram, answer, "😊 Olumlu")
    assert answer["reply_markup"] is None
    assert [row.text for row in predictions(database)] == ["harika bir haber"]


def test_old_posts_and_other_channels_stay_unanswered_when_edited(
    telegram: BotApi, bot: RunningBot
) -> None:
    for channel in (CHANNEL, OTHER_CHANNEL):
        post = telegram.post(photo=PHOTO, channel=channel)
        telegram.edit(post, caption="berbat")
    telegram.post("harika", channel=CHANNEL)

    telegram.wait_sent(chat=CHANNEL)
    assert bot.classifier.texts == ["harika"]


def test_errors_are_no_news_for_a_channel(telegram: BotApi) -> None:
    telegram.post("bozuk", channel=CHANNEL)
    telegram.post("harika", channel=CHANNEL)

    (answer,) = telegram.wait_sent(chat=CHANNEL)
    assert answer["text"].startswith("😊")


# Forwards

ADA = {"id": 5, "is_bot": False, "first_name": "Ada", "last_name": "Öz"}
NEWS = {"id": OTHER_CHANNEL, "type": "channel", "title": "Haber\n\u202eKanalı"}
CLUB = {"id": GROUP, "type": "supergroup", "title": "Kulüp"}


@pytest.mark.parametrize(
    ("origin", "first_line"),
    [
        ({"type": "user", "sender_user": ADA}, "↪️ Ada Öz"),
        ({"type": "hidden_user", "sender_user_name": "x" * 70}, f"↪️ {'x' * 59}…"),
        ({"type": "chat", "sender_chat": CLUB}, "↪️ Kulüp"),
        ({"type": "channel", "chat": NEWS, "message_id": 3}, "↪️ Haber Kanalı"),
        ({"type": "hidden_user", "sender_user_name": "\u200b"}, "😊 Olumlu · %93"),
        ({"type": "new_kind"}, "😊 Olumlu · %93"),
    ],
)
def test_a_forwarded_message_says_from_where(
    telegram: BotApi, origin: dict[str, Any], first_line: str
) -> None:
    telegram.send("harika", forward_origin={"date": 1} | origin)

    (answer,) = telegram.wait_sent()

    assert answer["text"].splitlines()[0] == first_line


# Albums


def test_an_album_is_answered_once_on_the_first_caption_that_arrives(
    telegram: BotApi, bot: RunningBot, database: Engine
) -> None:
    parts = [
        telegram.message(photo=PHOTO, caption=caption, media_group_id="a1")
        for caption in ("harika", "berbat", "👍")
    ]
    parts.insert(1, telegram.message(photo=PHOTO, media_group_id="a1"))
    for part in reversed(parts):
        telegram.push({"message": part})
    telegram.wait_sent()
    late = telegram.send(photo=PHOTO, caption="enfes", media_group_id="a1")
    telegram.edit(telegram.messages[7, late], caption="berbat")
    telegram.send(photo=PHOTO, caption="harika", media_group_id="a2")

    answers = telegram.wait_sent(2)

    assert answers[0]["reply_to_message"]["caption"] == "berbat"
    assert [answer["text"][0] for answer in answers] == ["😞", "😊"]
    assert bot.classifier.texts == ["berbat", "harika"]
    assert [row.album for row in predictions(database)] == ["a1", "a2"]


def test_an_album_is_answered_once_across_a_restart(api: BotApi, bot: RunningBot) -> None:
    bot.start()
    api.send(photo=PHOTO, caption="harika", media_group_id="a1")
    api.wait_sent()
    bot.stop()
    bot.start()
    api.send(photo=PHOTO, caption="berbat", media_group_id="a1")
    api.send("enfes")

    api.wait_sent(2)
    assert bot.classifier.texts == ["harika", "enfes"]


def test_the_answered_caption_of_an_album_can_be_edited(telegram: BotApi) -> None:
    message = telegram.message(photo=PHOTO, caption="harika", media_group_id="a1")
    telegram.push({"message": message})
    (answer,) = telegram.wait_sent()

    telegram.edit(message, caption="berbat")

    wait_text(telegram, answer, "😞 Olumsuz")
