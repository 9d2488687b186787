"""`/stats [gün] [model]`: numbers and pictures for the admins."""

import asyncio

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, typing
from tweetsent.errors import UnseenVersionError
from tweetsent.figures import confusion_png, trend_png
from tweetsent.records import Scope, Stats

_MOST_DAYS = 3650


async def on_stats(message: Message, context: BotContext, words: str) -> None:
    """Replies with the statistics, and with pictures once there is something to draw."""
    try:
        scope = _parse(words)
    except ValueError:
        await reply(message, texts.statistics.USAGE)
        return
    async with typing(message):
        try:
            numbers = await context.service.stats(scope)
        except UnseenVersionError as error:
            await reply(message, texts.statistics.unseen_version(error.version, error.seen))
            return
        await reply(message, texts.statistics.stats(numbers, scope))
        for caption, picture in await asyncio.to_thread(_pictures, numbers, scope):
            await message.reply_photo(
                picture, caption=caption, do_quote=True, allow_sending_without_reply=True
            )


def _parse(words: str) -> Scope:
    """Days and model version, in any order; ValueError for anything else."""
    days: int | None = None
    model: str | None = None
    for word in words.split():
        if word.isdecimal() and days is None:
            days = int(word)
        elif model is None and not word.lstrip("+-").isdecimal():
            model = word
        else:
            raise ValueError("more than days and a version")
    if days is not None and not 1 <= days <= _MOST_DAYS:
        raise ValueError("no number of days")
    return Scope(days, model)


def _pictures(numbers: Stats, scope: Scope) -> list[tuple[str, bytes]]:
    """Captions and pictures; nothing empty is drawn."""
    drawn = []
    if numbers.corrections:
        picture = confusion_png(
            numbers.confusion,
            title=texts.statistics.PICTURE_TITLE,
            rows=texts.statistics.PICTURE_ROWS,
            columns=texts.statistics.PICTURE_COLUMNS,
        )
        drawn.append((texts.statistics.PICTURE_CAPTION, picture))
    if (numbers.trend.predictions.any(axis=1)).sum() > 1:
        picture = trend_png(numbers.trend, title=texts.statistics.scope_name(scope))
        drawn.append((texts.statistics.trend_caption(numbers.trend), picture))
    return drawn
