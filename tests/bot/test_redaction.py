"""Nothing secret or personal gets into the log."""

import json
import logging

import pytest
from telegram.error import BadRequest

from bot.redaction import describe
from tests.bot.botapi import BotApi, Fault
from tweetsent.errors import StoreError


def test_a_conversation_leaves_no_words_names_or_numbers_in_the_log(
    telegram: BotApi, caplog: pytest.LogCaptureFixture, admin: int
) -> None:
    for logger in ("bot", "tweetsent"):
        caplog.set_level(logging.DEBUG, logger)
    user = 987654321
    telegram.send("harika bir manav", user=user)
    answer = telegram.wait_sent(1, user)[0]
    button = answer["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    telegram.press(answer, button, user=user)
    telegram.wait_sent(2, user)
    for text in ("bozuk manav", "çöktü manav", "/duzelt manav", "/manav", "/stats", "/saglik"):
        telegram.send(text, user=user)
    telegram.wait_sent(8, user)
    moved = {"ok": False, "error_code": 400, "description": "Bad Request: group migrated"}
    moved["parameters"] = {"migrate_to_chat_id": -1001234567890}
    telegram.faults["sendMessage"] += [Fault(400, json.dumps(moved).encode())] * 2
    telegram.send("@duygu_bot manav", user=user, chat=-555666777, entities=[MENTION])
    telegram.wait(lambda: "ChatMigrated" in caplog.text)

    assert "RuntimeError" in caplog.text
    for secret in ("manav", "Ada", str(user), "555666777", "1001234567890"):
        assert secret not in caplog.text


MENTION = {"type": "mention", "offset": 0, "length": 10}


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - it is what the test wants
        return caught


def test_errors_are_described_without_the_words_of_others() -> None:
    text = describe(raised(ValueError("Ada: berbat")))

    assert text.startswith("ValueError (test_redaction.py:")
    assert "Ada" not in text


@pytest.mark.parametrize("error", [StoreError("disk full"), BadRequest("disk full")])
def test_errors_of_the_project_and_of_telegram_keep_their_words(error: Exception) -> None:
    assert describe(error) == f"{type(error).__name__}: disk full"
