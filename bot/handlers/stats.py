"""`/stats`: numbers and a confusion matrix for the admins."""

import asyncio

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, sender_id, typing
from tweetsent.figures import confusion_png


async def on_stats(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with the statistics, and with a picture once there are corrections."""
    if sender_id(message) not in context.admin_ids:
        await reply(message, texts.guide.ADMINS_ONLY)
        return
    async with typing(message):
        numbers = await context.service.stats()
        await reply(message, texts.statistics.stats(numbers))
        if not numbers.confusion.any():
            return
        picture = await asyncio.to_thread(
            confusion_png,
            numbers.confusion,
            title=texts.statistics.PICTURE_TITLE,
            rows=texts.statistics.PICTURE_ROWS,
            columns=texts.statistics.PICTURE_COLUMNS,
        )
        await message.reply_photo(
            picture,
            caption=texts.statistics.PICTURE_CAPTION,
            do_quote=True,
            allow_sending_without_reply=True,
        )
