"""`/egit`: an admin starts a retraining run, or sees the one that is at work."""

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, typing
from tweetsent.errors import NotReadyError, RunError
from tweetsent.records import Run, RunState


async def on_retrain(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with a message that follows the run until its end."""
    async with typing(message):
        run = await _at_work(context)
        if run is None:
            try:
                run = await context.retraining.start()
            except NotReadyError as error:
                await reply(message, texts.retraining.not_ready(error))
                return
            except RunError as error:
                run = await _at_work(context)  # another process may have been faster
                if run is None:
                    await reply(message, texts.retraining.not_started(str(error)))
                    return
        context.reporter.follow(await reply(message, texts.retraining.progress(run)), run)


async def _at_work(context: BotContext) -> Run | None:
    run = await context.retraining.newest()
    return run if run and run.state is RunState.RUNNING else None
