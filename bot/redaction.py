"""Keeps users' texts and ids out of the logs; `tweetsent/redaction.py` does so with secrets."""

import logging
import re
import traceback
from pathlib import Path

import telegram.error

from tweetsent.errors import TweetsentError

_ID = re.compile(r"-?\d{6,}")
_LONGEST_MESSAGE = 200
_SHOWN_FRAMES = 4


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
