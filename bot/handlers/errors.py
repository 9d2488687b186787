"""The last resort: whatever goes wrong, the user reads one sentence and the log has the cause."""

import logging
from contextlib import suppress

from telegram import Update
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from bot import texts
from bot.attempt import Failure, current_attempt
from bot.context import BotContext
from bot.handlers.replying import notify, reply
from bot.redaction import describe
from bot.transport import MaybeArrivedError, flood_seconds
from tweetsent.errors import (
    ModelError,
    NoAnswerError,
    NotFoundError,
    NoWordsError,
    OnlyLinksError,
    OnlyTweetLinkError,
    QueueFullError,
    StoreError,
)

_ANSWERS: dict[type[Exception], str] = {
    NoWordsError: texts.answers.NO_WORDS,
    OnlyLinksError: texts.answers.ONLY_LINKS,
    OnlyTweetLinkError: texts.answers.ONLY_TWEET_LINK,
    NotFoundError: texts.answers.NOT_FOUND,
}
_FAILURES: dict[type[Exception], str] = {
    ModelError: texts.errors.MODEL,
    NoAnswerError: texts.errors.MODEL,
    QueueFullError: texts.limits.BUSY,
    StoreError: texts.errors.STORE,
}

log = logging.getLogger(__name__)


def words_for(error: Exception) -> str:
    """What an error means for the user."""
    return (_ANSWERS | _FAILURES).get(type(error), texts.errors.OTHER)


async def on_error(update: object, context: BotContext) -> None:
    """Tells the user what an error means for them; logs and records those that aren't theirs.

    What may pass is no news for the user as long as somebody tries again.
    """
    error = context.error
    if error is None or not isinstance(update, Update):
        return
    text = _ANSWERS.get(type(error))
    if text is not None:
        try:
            await _tell(update, text)
        except TelegramError as refusal:  # then it is no better than any answer that can't be sent
            _record(update, refusal)
        return
    if update.inline_query is not None:  # another try would be too late, and nothing is kept
        log.error("update %d failed: %s", update.update_id, describe(error))
        return
    failure = _record(update, error)
    if isinstance(error, MaybeArrivedError) or (
        failure.is_passing and not current_attempt().is_last
    ):
        return
    # When Telegram itself is the trouble, this fails as well.
    with suppress(TelegramError):
        await _tell(update, words_for(error))


def _record(update: Update, error: Exception) -> Failure:
    """Logs why the try failed, and notes it for whoever decides on another one."""
    log.error("update %d failed: %s", update.update_id, describe(error))
    attempt = current_attempt()
    # A second try would repeat what the first one sent before it failed.
    is_passing = _may_pass(error) and not attempt.may_have_sent
    attempt.failure = Failure(type(error).__name__, is_passing, _wait_seconds(error))
    return attempt.failure


async def _tell(update: Update, text: str) -> None:
    if update.callback_query is not None:
        await notify(update.callback_query, text, alert=True)
    elif message := update.message or update.edited_message:
        await reply(message, text)


def _may_pass(error: Exception) -> bool:
    """Whether it is the connection, a flood limit or the database, and not the update."""
    # The library counts refused calls as trouble of the network.
    if isinstance(error, (BadRequest, MaybeArrivedError)):
        return False
    if isinstance(error, StoreError):
        return error.is_passing
    return isinstance(error, (NetworkError, RetryAfter))


def _wait_seconds(error: Exception) -> float:
    return flood_seconds(error) if isinstance(error, RetryAfter) else 0.0
