"""Log lines for programs."""

import io
import json
import logging
from datetime import datetime

import pytest

from tweetsent.jsonlog import JsonFormatter
from tweetsent.redaction import SecretFilter

TOKEN = "123456789:AAsecret-token-that-must-never-be-logged_1"


@pytest.fixture
def logged() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(SecretFilter(()))
    logger = logging.Logger("bot.test")
    logger.addHandler(handler)
    return logger, stream


def test_a_record_is_one_line(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = logged
    logger.warning('two\nlines, "quoted", ğ: %d', 7)

    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert datetime.fromisoformat(entry.pop("time")).tzinfo is not None
    assert entry == {
        "level": "WARNING",
        "logger": "bot.test",
        "message": 'two\nlines, "quoted", ğ: 7',
    }


def test_the_token_is_hidden_in_message_and_traceback(
    logged: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = logged
    try:
        raise ValueError(f"/bot{TOKEN}/getMe")
    except ValueError:
        logger.exception("with %s", TOKEN)

    entry = json.loads(stream.getvalue())
    assert entry["message"] == "with <token>"
    assert entry["error"].endswith("ValueError: /bot<token>/getMe")
    assert TOKEN not in stream.getvalue()


def test_a_traceback_is_shown_without_any_filter() -> None:
    error = ValueError("x")
    record = logging.LogRecord("a", 40, "", 0, "m", None, (ValueError, error, None))

    assert json.loads(JsonFormatter().format(record))["error"] == "ValueError: x"
