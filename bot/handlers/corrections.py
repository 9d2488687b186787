"""Corrections: `/duzelt` in its forms, and the one-time question whether to train with them."""

from collections.abc import Sequence

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, sender_id
from bot.keyboards import consent_keyboard, prediction_of_buttons, vote_keyboard
from tweetsent.errors import NotFoundError, UnknownLabelError
from tweetsent.labels import LABELS, Label, closest_label, parse_label
from tweetsent.records import Correction, Prediction


async def on_correct(message: Message, context: BotContext, word: str) -> None:
    """Corrects the prediction replied to or else the user's last one, or asks for the label.

    The buttons it shows are for this user alone, who may vote on another's message.
    """
    user_id = sender_id(message)
    heading = ""
    if (replied := _replied(message)) is not None:
        prediction = await _prediction_of(replied, message.chat.id, context)
    else:
        try:
            prediction = await context.service.find_last(user_id, message.chat.id)
        except NotFoundError:
            await reply(message, texts.answers.CORRECT_WHAT)
            return
        heading = texts.answers.last_message(prediction.text)
    try:
        label = parse_label(word)
    except UnknownLabelError:
        question, labels = _question(word)
        keyboard = vote_keyboard(prediction.id, user_id, labels)
        await reply(message, heading + question, keyboard)
        return
    change = await context.service.correct(user_id, prediction.id, label)
    keyboard = vote_keyboard(prediction.id, user_id)
    await reply(message, heading + texts.answers.correction(change), keyboard)
    await ask_consent(message, user_id, change)


def _replied(message: Message) -> Message | None:
    """The message replied to."""
    replied = message.reply_to_message
    # In a topic, a message that replies to nothing comes as a reply to the topic's beginning.
    return None if replied is not None and replied.forum_topic_created else replied


def _question(word: str) -> tuple[str, Sequence[Label]]:
    """What to ask whoever typed no label, and the labels to choose from."""
    if not word:
        return texts.answers.CORRECT_WHICH, LABELS
    closest = closest_label(word)
    if closest is None:
        return texts.answers.unknown_label(word), LABELS
    return texts.answers.did_you_mean(word, closest), [closest]


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
