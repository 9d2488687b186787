"""What is in a message: its lines, nothing but links, another language."""

import pytest

from bot import texts
from tests.bot.botapi import BotApi
from tests.bot.conftest import RunningBot
from tests.bot.test_corrections import buttons

LIST = "1) harika\n2) berbat bir yemek\n3) harika\n4) yarın görüşürüz"
SUMMARY = (
    "4 satır: 😞 1 · 😐 1 · 😊 2\n"
    "😊 %93 harika\n"
    "😞 %88 berbat bir yemek\n"
    "😊 %93 harika\n"
    "😐 %60 yarın görüşürüz"
)


def test_a_list_is_answered_line_by_line(telegram: BotApi, bot: RunningBot) -> None:
    telegram.send(LIST)

    (answer,) = telegram.wait_sent()

    assert answer["text"].startswith("😞 Olumsuz · %")  # the longest line weighs most
    assert answer["text"].split("\n\n")[1:] == [SUMMARY, texts.answers.UNSURE_HINT]
    assert bot.classifier.texts == ["harika", "berbat bir yemek", "harika", "yarın görüşürüz"]


def test_a_correction_leaves_the_lines_in_the_answer(telegram: BotApi) -> None:
    telegram.send(LIST)
    (answer,) = telegram.wait_sent()
    shown = answer["text"].removesuffix(texts.answers.UNSURE_HINT)

    telegram.press(answer, buttons(answer)[1])
    telegram.press(answer, buttons(answer)[2])

    first, second = (edit.params["text"] for edit in telegram.wait_calls("editMessageText", 2))
    assert first == f"{shown}✏️ Düzelttim: 😞 Olumsuz → 😐 Tarafsız. Teşekkürler!"
    assert second == f"{shown}✏️ Düzelttim: 😐 Tarafsız → 😊 Olumlu. Teşekkürler!"


def test_a_tweet_of_two_lines_is_answered_as_one_with_the_lines_below(telegram: BotApi) -> None:
    telegram.send("yemek harika\nservis yavaş")

    (answer,) = telegram.wait_sent()

    assert answer["text"].startswith("😊 Olumlu · %93")
    assert answer["text"].split("\n\n")[1] == "😊 %93 yemek harika\n😐 %60 servis yavaş"


def test_the_longest_list_gets_one_answer(telegram: BotApi) -> None:
    telegram.send("\n".join(["berbat 😀😀😀"] * 300)[:4096])

    (answer,) = telegram.wait_sent()

    assert "daha; bir mesajda en çok 50 satır okuyorum." in answer["text"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://x.com/ali/status/1797?s=20", texts.answers.ONLY_TWEET_LINK),
        ("@veli mobile.twitter.com/ali/status/1797 😂", texts.answers.ONLY_TWEET_LINK),
        ("https://t.co/abc", texts.answers.ONLY_TWEET_LINK),
        ("https://www.example.com/haber", texts.answers.ONLY_LINKS),
    ],
)
def test_what_is_behind_a_link_is_not_read(telegram: BotApi, text: str, expected: str) -> None:
    telegram.send(text)

    (answer,) = telegram.wait_sent()

    assert answer["text"] == expected
    assert "reply_markup" not in answer


def test_what_is_not_turkish_gets_a_hint_below_its_result(telegram: BotApi) -> None:
    telegram.send("The food was great but the service was really slow tonight.")
    telegram.send("Yeni iPhone Pro Max harika, Apple Store çalışanları da öyle")

    foreign, turkish = telegram.wait_sent(2)

    assert foreign["text"].startswith("😐 Tarafsız")
    assert texts.answers.FOREIGN in foreign["text"]
    assert texts.answers.FOREIGN not in turkish["text"]
