"""Presses of inline buttons. Their data may be old or forged, and anyone in a group may press."""

from collections.abc import Awaitable, Callable

from telegram import CallbackQuery, Message, Update

from bot import texts
from bot.context import BotContext
from bot.handlers.announcements import on_announcement_press
from bot.handlers.corrections import ask_consent
from bot.handlers.files import on_file_press
from bot.handlers.model import on_roll_back_press
from bot.handlers.own_data import on_erase_press, on_history_press
from bot.handlers.replying import edit, notify
from bot.handlers.review import on_verdict
from bot.keyboards import (
    AnnouncementPress,
    ConsentPress,
    CorrectionPress,
    ErasePress,
    FilePress,
    HistoryPress,
    Press,
    ReviewPress,
    RollBackPress,
    VotePress,
    decode,
)
from tweetsent.errors import NotFoundError
from tweetsent.records import Correction, Prediction


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
    user_id = query.from_user.id
    prediction = await _prediction(query, context, press)
    if not await context.service.is_author(user_id, prediction.id):
        await notify(query, texts.answers.BUTTON_NOT_YOURS, alert=True)
        return
    shown = (isinstance(query.message, Message) and query.message.text) or ""
    if shown and not texts.answers.shows(shown, prediction.scores):  # it was pressed before an edit
        await notify(query, texts.answers.ANSWER_CHANGED, alert=True)
        return
    change = await context.service.correct(user_id, prediction.id, press.label)
    await _show_change(query, change, texts.answers.corrected_answer(change, shown))


async def _vote(query: CallbackQuery, context: BotContext, press: VotePress) -> None:
    if press.user_id != query.from_user.id:
        await notify(query, texts.answers.BUTTON_NOT_YOURS, alert=True)
        return
    prediction = await _prediction(query, context, press)
    change = await context.service.correct(press.user_id, prediction.id, press.label)
    await _show_change(query, change, texts.answers.correction(change))


async def _prediction(
    query: CallbackQuery, context: BotContext, press: CorrectionPress | VotePress
) -> Prediction:
    if query.message is None:
        raise NotFoundError("the press names no chat")
    return await context.service.get(press.prediction_id, query.message.chat.id)


async def _show_change(query: CallbackQuery, change: Correction, text: str) -> None:
    await notify(query, texts.answers.BUTTON_SAVED)
    if isinstance(query.message, Message):
        # The same buttons at the same places: a second tap must not meet another one.
        await edit(query.message, text, query.message.reply_markup)
        await ask_consent(query.message, query.from_user.id, change)


async def _decide(query: CallbackQuery, context: BotContext, press: ConsentPress) -> None:
    if press.user_id != query.from_user.id:
        await notify(query, texts.privacy.CONSENT_NOT_YOURS, alert=True)
        return
    at = await context.service.set_consent(press.user_id, press.granted)
    await notify(query, texts.answers.BUTTON_SAVED)
    if isinstance(query.message, Message):
        await edit(query.message, texts.privacy.consent_saved(press.granted, at), None)


_HANDLERS: dict[type[Press], Callable[..., Awaitable[None]]] = {
    CorrectionPress: _correct,
    VotePress: _vote,
    ConsentPress: _decide,
    ReviewPress: on_verdict,
    RollBackPress: on_roll_back_press,
    AnnouncementPress: on_announcement_press,
    HistoryPress: on_history_press,
    ErasePress: on_erase_press,
    FilePress: on_file_press,
}
