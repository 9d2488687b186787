"""Corrections: `/duzelt` in its forms, and the one-time question whether to train with them."""

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, sender_id
from bot.keyboards import consent_keyboard, correction_keyboard, prediction_of_buttons
from tweetsent.errors import NotFoundError, UnknownLabelError
from tweetsent.labels import parse_label
from tweetsent.records import Correction, Prediction


async def on_correct(message: Message, context: BotContext, word: str) -> None:
    """Corrects the prediction replied to, or shows the three labels when none was typed."""
    replied = message.reply_to_message
    if replied is None:
        await reply(message, texts.answers.CORRECT_WHAT)
        return
    prediction = await _prediction_of(replied, message.chat.id, context)
    keyboard = correction_keyboard(prediction.id)
    if not word:
        await reply(message, texts.answers.CORRECT_WHICH, keyboard)
        return
    try:
        label = parse_label(word)
    except UnknownLabelError:
        await reply(message, texts.answers.unknown_label(word), keyboard)
        return
    user_id = sender_id(message)
    change = await context.service.correct(user_id, prediction.id, label)
    await reply(message, texts.answers.correction(change), keyboard)
    await ask_consent(message, user_id, change)


async def _prediction_of(replied: Message, chat_id: int, context: BotContext) -> Prediction:
    """The prediction of a message: of the user's, of the answer, or of one with its buttons."""
    try:
        return await context.service.find(chat_id, replied.message_id)
    except NotFoundError:
        # An answer that seemed lost was never noted, nor are questions and confirmations.
        prediction_id = prediction_of_buttons(replied.reply_markup)
        if prediction_id is None:
            raise
    return await context.service.get(prediction_id, chat_id)


async def ask_consent(message: Message, user_id: int, change: Correction) -> None:
    """Asks a user once, with their first correction, whether it may be used for training."""
    if change.ask_consent:
        await reply(message, texts.privacy.CONSENT_QUESTION, consent_keyboard(user_id))
