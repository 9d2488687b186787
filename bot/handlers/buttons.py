"""Presses of inline buttons. Their data may be old or forged, and anyone in a group may press."""

from contextlib import suppress

from telegram import CallbackQuery, InlineKeyboardMarkup, Message, Update
from telegram.error import BadRequest

from bot import texts
from bot.context import BotContext
from bot.handlers.corrections import ask_consent
from bot.handlers.model import roll_back
from bot.keyboards import (
    ConsentPress,
    CorrectionPress,
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
        if isinstance(press, ConsentPress):
            await _decide(query, context, press)
        elif isinstance(press, RollBackPress):
            await _roll_back(query, context, press)
        else:
            await _correct(query, context, press)
    except (ValueError, NotFoundError):
        await notify(query, texts.BUTTON_UNKNOWN, alert=True)


async def _correct(query: CallbackQuery, context: BotContext, press: CorrectionPress) -> None:
    if query.message is None:
        raise NotFoundError("the press names no chat")
    prediction = await context.service.get(press.prediction_id, query.message.chat.id)
    change = await context.service.correct(query.from_user.id, prediction.id, press.label)
    await notify(query, texts.BUTTON_SAVED)
    if isinstance(query.message, Message):
        is_answer = query.message.message_id == prediction.answer_message_id
        text = texts.corrected_answer(change) if is_answer else texts.correction(change)
        await _edit(query.message, text, correction_keyboard(prediction.id))
        await ask_consent(query.message, query.from_user.id, change)


async def _decide(query: CallbackQuery, context: BotContext, press: ConsentPress) -> None:
    if press.user_id != query.from_user.id:
        await notify(query, texts.CONSENT_NOT_YOURS, alert=True)
        return
    await context.service.set_consent(press.user_id, press.granted)
    await notify(query, texts.BUTTON_SAVED)
    if isinstance(query.message, Message):
        text = texts.CONSENT_GRANTED if press.granted else texts.CONSENT_REFUSED
        await _edit(query.message, text, None)


async def _roll_back(query: CallbackQuery, context: BotContext, press: RollBackPress) -> None:
    if query.from_user.id not in context.admin_ids:
        await notify(query, texts.ADMINS_ONLY, alert=True)
        return
    text = texts.ROLL_BACK_CANCELLED
    if press.confirmed:
        text = await roll_back(context, press.activation_id)
    await notify(query, texts.BUTTON_DONE)
    if isinstance(query.message, Message):
        await _edit(query.message, text, None)


async def notify(query: CallbackQuery, text: str, *, alert: bool = False) -> None:
    """Answers a press with a short note, or with a window to close."""
    # After some minutes, or when delivered again, a press can't be answered any more.
    with suppress(BadRequest):
        await query.answer(text, show_alert=alert)


async def _edit(message: Message, text: str, keyboard: InlineKeyboardMarkup | None) -> None:
    # A second press changes nothing, which Telegram refuses; the message may be gone as well.
    with suppress(BadRequest):
        await message.edit_text(text, reply_markup=keyboard)
