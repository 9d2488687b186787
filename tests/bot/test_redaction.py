"""Nothing secret or personal gets into the log."""

import io
import logging

import pytest
from telegram.error import BadRequest

from bot.redaction import TokenFilter, describe, install_redaction
from tests.bot.botapi import TOKEN
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
