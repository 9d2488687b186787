"""Presses of inline buttons. Their data may be old or forged, and anyone in a group may press."""

from collections.abc import Awaitable, Callable

from telegram import CallbackQuery, Message, Update

from bot import texts
from bot.context import BotContext
from bot.handlers.corrections import ask_consent
from bot.handlers.files import on_file_press
from bot.handlers.model import on_roll_back_press
from bot.handlers.replying import edit, notify
from bot.handlers.review import on_verdict
from bot.keyboards import (
    ConsentPress,
    CorrectionPress,
    FilePress,
    Press,
    ReviewPress,
    RollBackPress,
    correction_keyboard,
    decode,
)
from tweetsent.errors import NotFoundError


async def on_press(update: Update, context: BotContext) -> None:
    """Does what the pressed button stands for, or says that it stands for nothing any more."""
    query = update.callback_query
    if query is None:
        return
    try:
        press = decode(query.data or "")
        await _HANDLERS[type(press)](query, context, press)
    except (ValueError, NotFoundError):
        await notify(query, texts.answers.BUTTON_UNKNOWN, alert=True)


async def _correct(query: CallbackQuery, context: BotContext, press: CorrectionPress) -> None:
    if query.message is None:
        raise NotFoundError("the press names no chat")
    prediction = await context.service.get(press.prediction_id, query.message.chat.id)
    change = await context.service.correct(query.from_user.id, prediction.id, press.label)
    await notify(query, texts.answers.BUTTON_SAVED)
    if isinstance(query.message, Message):
        is_answer = query.message.message_id == prediction.answer_message_id
        say = texts.answers.corrected_answer if is_answer else texts.answers.correction
        await edit(query.message, say(change), correction_keyboard(prediction.id))
        await ask_consent(query.message, query.from_user.id, change)


async def _decide(query: CallbackQuery, context: BotContext, press: ConsentPress) -> None:
    if press.user_id != query.from_user.id:
        await notify(query, texts.privacy.CONSENT_NOT_YOURS, alert=True)
        return
    await context.service.set_consent(press.user_id, press.granted)
    await notify(query, texts.answers.BUTTON_SAVED)
    if isinstance(query.message, Message):
        text = texts.privacy.CONSENT_GRANTED if press.granted else texts.privacy.CONSENT_REFUSED
        await edit(query.message, text, None)


_HANDLERS: dict[type[Press], Callable[..., Awaitable[None]]] = {
    CorrectionPress: _correct,
    ConsentPress: _decide,
    ReviewPress: on_verdict,
    RollBackPress: on_roll_back_press,
    FilePress: on_file_press,
}
