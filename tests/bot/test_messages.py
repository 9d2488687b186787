"""Messages of every kind, and what the bot answers to them."""

import pytest

from bot import texts
from bot.handlers import replying
from tests.bot.botapi import BotApi, Fault
from tests.bot.conftest import RunningBot
from tweetsent.errors import StoreError
from tweetsent.store import Store

PHOTO = [{"file_id": "f", "file_unique_id": "u", "width": 9, "height": 9}]
FILE = {"file_id": "f", "file_unique_id": "u"}
MENTION = [{"type": "mention", "offset": 0, "length": 10}]
GROUP = -100


def test_a_text_is_answered_as_a_reply_with_buttons(telegram: BotApi) -> None:
    message_id = telegram.send("Bugün harika bir gün")

    (answer,) = telegram.wait_sent()

    assert answer["reply_to_message"]["message_id"] == message_id
    assert answer["text"].startswith("😊 Olumlu · %93")
    assert "😞 %2 · 😐 %5 · 😊 %93" in answer["text"]
    (row,) = answer["reply_markup"]["inline_keyboard"]
    assert [button["text"] for button in row] == ["✅ Doğru", "✏️ 😞 Olumsuz", "✏️ 😐 Tarafsız"]


def test_only_what_takes_a_while_is_announced(
    telegram: BotApi, bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replying, "_TYPING_AFTER_SECONDS", 60.0)
    telegram.send("harika")
    telegram.wait_sent()
    assert telegram.of("sendChatAction") == []

    monkeypatch.setattr(replying, "_TYPING_AFTER_SECONDS", 0.1)
    telegram.send("bekle")
    assert telegram.wait_calls("sendChatAction")[0].params["action"] == "typing"
    bot.classifier.release.set()
    telegram.wait_sent(2)


def test_an_action_that_gets_no_answer_delays_nothing(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replying, "_TYPING_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(replying, "_TYPING_TIMEOUT_SECONDS", 60.0)
    telegram.faults["sendChatAction"] += [Fault(late_seconds=60.0)] * 2
    telegram.send("harika")
    telegram.send("berbat")

    assert [answer["text"][0] for answer in telegram.wait_sent(2)] == ["😊", "😞"]


def test_captions_are_answered(telegram: BotApi) -> None:
    size = {"width": 9, "height": 9, "duration": 1}
    contents: dict[str, object] = {
        "photo": PHOTO,
        "video": FILE | size,
        "document": FILE,
        "animation": FILE | size,
    }
    for kind, content in contents.items():
        telegram.send(caption="berbat bir yemek", **{kind: content})

    answers = telegram.wait_sent(len(contents))

    assert all(answer["text"].startswith("😞 Olumsuz · %88") for answer in answers)


def test_a_forwarded_command_is_a_message_like_others(telegram: BotApi) -> None:
    origin = {"type": "hidden_user", "date": 1, "sender_user_name": "Biri"}
    telegram.send("/harika bir haber", forward_origin=origin)

    (answer,) = telegram.wait_sent()

    assert answer["text"].startswith("↪️ Biri\n😊 Olumlu")


def test_a_reply_is_answered_to_the_reply(telegram: BotApi) -> None:
    first = telegram.message("selam")
    second = telegram.send("berbat", reply_to_message=first)

    (answer,) = telegram.wait_sent()

    assert answer["reply_to_message"]["message_id"] == second


def test_4096_characters(telegram: BotApi) -> None:
    telegram.send(("harika " * 600)[:4096])

    (answer,) = telegram.wait_sent()

    assert answer["text"].startswith("😊 Olumlu")


def test_a_text_without_words(telegram: BotApi) -> None:
    wordless = ["😊😊", "   ", "123 !!", "@birisi"]
    for text in wordless:
        telegram.send(text)

    answers = telegram.wait_sent(len(wordless))

    assert {answer["text"] for answer in answers} == {texts.answers.NO_WORDS}


def test_what_can_not_be_read(telegram: BotApi) -> None:
    sticker = {"width": 1, "height": 1, "is_animated": False, "is_video": False, "type": "regular"}
    contents: dict[str, object] = {
        "sticker": FILE | sticker,
        "voice": FILE | {"duration": 1},
        "video_note": FILE | {"duration": 1, "length": 1},
        "photo": PHOTO,
        "location": {"latitude": 41.0, "longitude": 29.0},
        "contact": {"phone_number": "1", "first_name": "A"},
        "dice": {"emoji": "🎲", "value": 3},
    }
    for kind, content in contents.items():
        telegram.send(**{kind: content})

    answers = telegram.wait_sent(len(contents))

    assert {answer["text"] for answer in answers} == {texts.answers.UNSUPPORTED}


def test_an_album_is_answered_by_its_caption_alone(telegram: BotApi) -> None:
    telegram.send(photo=PHOTO, caption="harika", media_group_id="1")
    telegram.send(photo=PHOTO, media_group_id="1")
    telegram.send("son berbat")

    answers = telegram.wait_sent(2)

    assert [answer["text"][0] for answer in answers] == ["😊", "😞"]


def test_groups_hear_from_the_bot_only_when_it_is_meant(telegram: BotApi, bot: RunningBot) -> None:
    telegram.send("harika bir gün", chat=GROUP)
    telegram.send("@baska_bot harika", chat=GROUP, entities=MENTION)
    telegram.send(chat=GROUP, voice=FILE | {"duration": 1})
    telegram.send("/bilinmeyen", chat=GROUP)
    telegram.send("/start@baska_bot", chat=GROUP)
    mention = telegram.send("@Duygu_bot harika bir gün", chat=GROUP, entities=MENTION)

    (answer,) = telegram.wait_sent(chat=GROUP)
    assert answer["reply_to_message"]["message_id"] == mention
    assert bot.classifier.texts == ["harika bir gün"]

    reply = telegram.send("berbat", chat=GROUP, user=8, reply_to_message=answer)
    assert telegram.wait_sent(2, GROUP)[1]["reply_to_message"]["message_id"] == reply


def test_service_messages_stay_unanswered(telegram: BotApi, bot: RunningBot) -> None:
    telegram.send(new_chat_title="Yeni")
    telegram.send("harika")

    assert len(telegram.wait_sent()) == 1
    assert bot.classifier.texts == ["harika"]


def test_the_answer_comes_even_when_the_message_is_gone(telegram: BotApi) -> None:
    message = telegram.message("harika")
    del telegram.messages[7, message["message_id"]]
    telegram.push({"message": message})

    (answer,) = telegram.wait_sent()

    assert "reply_to_message" not in answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bozuk", texts.errors.MODEL),
        ("sistem çöktü", texts.errors.OTHER),
        ("kalabalık", texts.limits.BUSY),
        ("dondu", texts.errors.MODEL),
    ],
)
def test_a_broken_model_gets_a_sentence_and_a_log_line_and_the_next_message_goes_on(
    telegram: BotApi, caplog: pytest.LogCaptureFixture, text: str, expected: str
) -> None:
    telegram.send(text)
    telegram.send("harika")

    first, second = (answer["text"] for answer in telegram.wait_sent(2))
    assert first == expected
    assert "Olumlu" in second
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert text not in errors[0]


def test_a_broken_database_gets_a_sentence(
    telegram: BotApi, bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(Store, "save_prediction", broken)
    telegram.send("harika")

    assert [answer["text"] for answer in telegram.wait_sent()] == [texts.errors.STORE]
