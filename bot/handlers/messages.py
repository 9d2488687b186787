"""Messages to classify, and those that hold nothing to read."""

import re

from telegram import Message, Update
from telegram.constants import ChatType, MessageEntityType
from telegram.ext import filters

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, sender_id, typing
from bot.keyboards import correction_keyboard
from tweetsent.records import Incoming


class Addressed(filters.MessageFilter):
    """Private messages, and in groups those that mention the bot or reply to it."""

    def filter(self, message: Message) -> bool:
        """Whether the message is meant for the bot."""
        if message.chat.type == ChatType.PRIVATE:
            return True
        bot = message.get_bot()
        replied = message.reply_to_message
        if replied and replied.from_user and replied.from_user.id == bot.id:
            return True
        return any(name.casefold() == f"@{bot.username}".casefold() for name in _mentions(message))


def _mentions(message: Message) -> list[str]:
    kinds: list[str | None] = [MessageEntityType.MENTION]
    if message.text is not None:
        return list(message.parse_entities(kinds).values())
    if message.caption is not None:
        return list(message.parse_caption_entities(kinds).values())
    return []


async def on_text(update: Update, context: BotContext) -> None:
    """Classifies a text or caption and replies with the result and the correction buttons."""
    message = update.message
    if message is None:
        return
    async with typing(message):
        prediction = await context.service.analyse(_incoming(message, context.bot.username))
        if prediction.answer_message_id is not None:  # delivered again after it was answered
            return
        sent = await reply(
            message, texts.answers.answer(prediction.scores), correction_keyboard(prediction.id)
        )
    # Killed before this note, the next start answers again: better twice than not at all.
    await context.service.answered(prediction.id, sent.message_id)


def _incoming(message: Message, username: str) -> Incoming:
    text = message.text or message.caption or ""
    return Incoming(
        user_id=sender_id(message),
        chat_id=message.chat.id,
        message_id=message.message_id,
        # The bot's own name, needed in groups to be heard, says nothing of the sentiment.
        text=re.sub(rf"@{re.escape(username)}\b", "", text, flags=re.IGNORECASE),
        is_forward=message.forward_origin is not None,
        is_group=message.chat.type != ChatType.PRIVATE,
    )


async def on_unsupported(update: Update, _context: BotContext) -> None:
    """Says what the bot can read, for stickers, voice, pictures without words and the like."""
    # The parts of an album come as messages of their own; the one with the caption is answered.
    if update.message is not None and update.message.media_group_id is None:
        await reply(update.message, texts.answers.UNSUPPORTED)
