"""`/saglik`: how the bot is, for the admins."""

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply
from tweetsent.health import check_health


async def on_health(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with what `/health` says."""
    state = await check_health(context.service, context.retraining)
    await reply(message, texts.health.health(state))
