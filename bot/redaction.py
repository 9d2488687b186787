"""Keeps the bot token, users' texts and ids out of the logs.

Knows nothing of where logs go: the caller sets up its handlers and then calls `install_redaction`.
"""

import logging
import re
import traceback
from pathlib import Path

import telegram.error

from tweetsent.errors import TweetsentError

_ANY_TOKEN = re.compile(r"\d+:[\w-]{30,}")
_ID = re.compile(r"-?\d{6,}")
_HIDDEN = "<token>"
_LONGEST_MESSAGE = 200
_SHOWN_FRAMES = 4


class TokenFilter(logging.Filter):
    """Replaces the bot token in message, arguments and traceback of every record."""

    def __init__(self, token: str | None) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Redacts the record in place; drops none."""
        record.msg, record.args = self.redact(record.getMessage()), None
        if record.exc_info:
            # Formatters print `exc_text` as it is when it is set.
            text = "".join(traceback.format_exception(*record.exc_info))
            record.exc_text = self.redact(text).rstrip("\n")
        return True

    def redact(self, text: str) -> str:
        """The text without anything that looks like a token."""
        if self._token:
            text = text.replace(self._token, _HIDDEN)
        return _ANY_TOKEN.sub(_HIDDEN, text)


def install_redaction(token: str | None) -> None:
    """Redacts what the root logger's present handlers write, and quiets the HTTP libraries."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(TokenFilter(token))
    # Both log request URLs, which hold the token.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It logs a traceback for what its caller hears and logs as well.
    logging.getLogger("telegram.ext.AIORateLimiter").setLevel(logging.CRITICAL)


def describe(error: BaseException) -> str:
    """An error for the log: its kind and place, its words only where they hold no user text.

    A database error, for example, quotes the row it could not write.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_SHOWN_FRAMES:]
    place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    words = ""
    if isinstance(error, TweetsentError):
        words = f": {str(error)[:_LONGEST_MESSAGE]}"
    elif isinstance(error, telegram.error.TelegramError):
        # One says to which id a group moved.
        words = f": {_ID.sub('<id>', str(error))[:_LONGEST_MESSAGE]}"
    return f"{type(error).__name__}{words}{f' ({place})' if place else ''}"


def log_once(log: logging.Logger, before: str, failure: str) -> str:
    """Logs what failed unless it failed like that before; returns it."""
    if failure != before:
        log.error("%s", failure)
    return failure
