"""Nothing secret or personal gets into the log."""

import io
import json
import logging

import pytest
from telegram.error import BadRequest

from bot.redaction import TokenFilter, describe, install_redaction
from tests.bot.botapi import TOKEN, BotApi, Fault
from tweetsent.errors import StoreError


@pytest.fixture
def logged() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(TokenFilter("1:short"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, stream


def test_the_token_is_taken_out_of_message_arguments_and_traceback(
    logged: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = logged
    try:
        raise ValueError(f"https://api.telegram.org/bot{TOKEN}/getMe")
    except ValueError:
        logger.exception("token 1:short and %s", TOKEN)

    assert TOKEN not in stream.getvalue()
    assert "1:short" not in stream.getvalue()
    assert "bot<token>/getMe" in stream.getvalue()


def test_other_records_stay_as_they_are(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = logged
    logger.info("%d updates at %s", 3, "12:30")

    assert stream.getvalue() == "3 updates at 12:30\n"


def test_installing_covers_root_handlers_and_quiets_http() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        install_redaction(TOKEN)
        logging.getLogger("anything").error("%s", TOKEN)
    finally:
        logging.getLogger().removeHandler(handler)

    assert stream.getvalue() == "<token>\n"
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)


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
