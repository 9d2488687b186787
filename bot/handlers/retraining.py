"""`/egit`: an admin starts a retraining run, or sees the one that is at work."""

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, typing
from tweetsent.errors import NotReadyError, RunError


async def on_retrain(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with a message that follows the run until its end."""
    async with typing(message):
        try:
            run = await context.retraining.start_or_find()
        except NotReadyError as error:
            await reply(message, texts.retraining.not_ready(error))
            return
        except RunError as error:
            await reply(message, texts.retraining.not_started(str(error)))
            return
        context.reporter.follow(await reply(message, texts.retraining.progress(run)), run)
