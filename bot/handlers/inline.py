"""Inline mode: `@bot metin`, typed in any chat, offers the text with its sentiment to post."""

from contextlib import suppress

from telegram import (
    InlineQueryResultArticle,
    InlineQueryResultsButton,
    InputTextMessageContent,
    Update,
)
from telegram.error import BadRequest

from bot import texts
from bot.context import BotContext
from tweetsent.errors import NoWordsError


async def on_inline_query(update: Update, context: BotContext) -> None:
    """Offers one result, or says how to go on typing.

    Nothing is stored, here or at Telegram: most queries are the beginnings of one text.
    """
    query = update.inline_query
    if query is None:
        return
    results, button = [], None
    try:
        scores = await context.service.score(query.query)
    except NoWordsError:
        button = InlineQueryResultsButton(texts.inline.HINT, start_parameter="inline")
    else:
        posted = InputTextMessageContent(texts.inline.posted(query.query, scores))
        results = [
            InlineQueryResultArticle(
                id="result",
                title=texts.inline.title(scores),
                description=texts.inline.description(query.query, scores),
                input_message_content=posted,
            )
        ]
    with suppress(BadRequest):  # after some seconds a query can't be answered any more
        await query.answer(results, cache_time=0, is_personal=True, button=button)
