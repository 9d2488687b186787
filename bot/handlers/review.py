"""`/inceleme`: admins accept or reject the corrections that wait, one after the other."""

from telegram import CallbackQuery, InlineKeyboardMarkup, Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import edit, notify, reply
from bot.keyboards import ReviewPress, review_keyboard


async def on_review(message: Message, context: BotContext, _rest: str) -> None:
    """Shows an admin the first correction that waits; in private, since it is a user's text."""
    await reply(message, *await _next(context, after=0))


async def on_verdict(query: CallbackQuery, context: BotContext, press: ReviewPress) -> None:
    """Does what an admin pressed and shows the next correction in the same message."""
    admin_id = query.from_user.id
    if admin_id not in context.admin_ids:
        await notify(query, texts.guide.ADMINS_ONLY, alert=True)
        return
    if press.accept is None:
        await notify(query, texts.review.SKIPPED)
    elif await context.service.review(admin_id, press.correction_id, accept=press.accept):
        await notify(query, texts.answers.BUTTON_SAVED)
    else:
        await notify(query, texts.review.TOO_LATE, alert=True)
    if isinstance(query.message, Message):
        await edit(query.message, *await _next(context, after=press.correction_id))


async def _next(context: BotContext, after: int) -> tuple[str, InlineKeyboardMarkup | None]:
    """The first correction after the one with this id, or that there is none."""
    waiting = await context.service.review_queue()
    following = [item for item in waiting if item.correction_id > after]
    if not following:
        return texts.review.end(skipped=len(waiting)), None
    item = following[0]
    return texts.review.item(item, left=len(following)), review_keyboard(item.correction_id)
