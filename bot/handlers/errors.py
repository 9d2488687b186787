"""The last resort: whatever goes wrong, the user reads one sentence and the log has the cause."""

import logging
from contextlib import suppress

from telegram import Update
from telegram.error import TelegramError, TimedOut

from bot import texts
from bot.context import BotContext
from bot.handlers.buttons import notify
from bot.handlers.replying import reply
from bot.redaction import describe
from tweetsent.errors import ModelError, NotFoundError, NoWordsError, StoreError

_ANSWERS: dict[type[Exception], str] = {
    NoWordsError: texts.NO_WORDS,
    NotFoundError: texts.NOT_FOUND,
}
_FAILURES: dict[type[Exception], str] = {
    ModelError: texts.MODEL_ERROR,
    StoreError: texts.STORE_ERROR,
}

log = logging.getLogger(__name__)


async def on_error(update: object, context: BotContext) -> None:
    """Tells the user what an error means for them; logs and records those that aren't theirs."""
    error = context.error
    if error is None or not isinstance(update, Update):
        return
    text = _ANSWERS.get(type(error))
    if text is None:
        log.error("update %d failed: %s", update.update_id, describe(error))
        context.bot_data.failures[update.update_id] = type(error).__name__
        text = _FAILURES.get(type(error), texts.ERROR)
    if isinstance(error, TimedOut):  # the answer may have arrived all the same
        return
    # When Telegram itself is the trouble, this fails as well.
    with suppress(TelegramError):
        if update.callback_query is not None:
            await notify(update.callback_query, text, alert=True)
        elif update.message is not None:
            await reply(update.message, text)
