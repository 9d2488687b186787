"""`/duyuru`: an admin writes to everybody who wrote to the bot; and who that is."""

import logging

from telegram import CallbackQuery, ChatMember, Message, Update

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import edit, notify, reply
from bot.keyboards import AnnouncementPress, announcement_keyboard, stop_keyboard
from bot.menus import show_admin_menu
from bot.redaction import describe
from tweetsent.errors import NotFoundError, StoreError

log = logging.getLogger(__name__)


async def on_announce(message: Message, context: BotContext, _rest: str) -> None:
    """Shows the announcement as it will look, and asks whether to send it."""
    if not context.announcer.is_started:
        await reply(message, texts.announcements.ONLY_ON_TELEGRAM)
    elif (text := _text_of(message)) is None:
        no_words = message.reply_to_message is not None
        await reply(message, texts.announcements.NO_TEXT if no_words else texts.announcements.USAGE)
    elif await context.service.announcement_at_work() is not None:
        await reply(message, texts.announcements.BUSY)
    else:
        await _ask(message, context, text)


def _text_of(message: Message) -> str | None:
    """What follows the command, as it was typed, else the text of the message replied to."""
    _, *typed = (message.text or "").split(maxsplit=1)
    if typed:
        return typed[0]
    replied = message.reply_to_message
    return (replied.text or replied.caption) if replied else None


async def _ask(message: Message, context: BotContext, text: str) -> None:
    draft = await context.service.draft_announcement(message.chat.id, message.message_id, text)
    if draft.status_message_id is not None:  # delivered again after it was asked
        return
    await message.chat.send_message(draft.text)
    asked = await reply(
        message,
        texts.announcements.question(draft.recipients),
        announcement_keyboard(draft.id),
    )
    await context.service.announcement_asked(draft.id, asked.message_id)


async def on_announcement_press(
    query: CallbackQuery, context: BotContext, press: AnnouncementPress
) -> None:
    """Has the announcement sent, or not, or not any further, as its admin pressed."""
    if query.from_user.id not in context.admin_ids:
        await notify(query, texts.guide.ADMINS_ONLY, alert=True)
        return
    message = query.message
    if not isinstance(message, Message):
        raise NotFoundError("the message of the button is gone")
    place = press.announcement_id, message.chat.id, message.message_id
    if press.confirmed:
        started = await context.service.start_announcement(*place)
        if started is None:
            await notify(query, texts.announcements.BUSY, alert=True)
            return
        await notify(query, texts.announcements.STARTED)
        await edit(message, texts.announcements.progress(started), stop_keyboard(started.id))
        context.announcer.wake()
    elif await context.service.cancel_announcement(*place):
        context.announcer.wake()  # which says how far it came
        await notify(query, texts.announcements.STOPPING)
    else:
        await notify(query, texts.answers.BUTTON_DONE)
        await edit(message, texts.announcements.CANCELLED, None)


async def remember_chat(update: Update, context: BotContext) -> None:
    """Notes before all else that a private chat may be written to; an admin gets their menu."""
    chat = update.effective_chat
    if chat is None or not context.announcer.is_started:
        return
    try:
        is_new = await context.service.remember_chat(chat.id)
    except StoreError as error:  # no reason not to answer; the next message makes up for it
        log.warning("a chat can't be remembered: %s", describe(error))
        return
    if is_new and chat.id in context.admin_ids:
        await show_admin_menu(context.bot, chat.id)


async def on_membership(update: Update, context: BotContext) -> None:
    """Forgets a private chat whose user blocked the bot."""
    change = update.my_chat_member
    if change is not None and change.new_chat_member.status == ChatMember.BANNED:
        await context.service.forget_chat(change.chat.id)
