"""`/saglik`: how the bot is, for the admins."""

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, sender_id
from tweetsent.health import check_health


async def on_health(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with what `/health` says."""
    if sender_id(message) not in context.admin_ids:
        await reply(message, texts.guide.ADMINS_ONLY)
        return
    state = await check_health(context.service, context.retraining)
    await reply(message, texts.health.health(state))
