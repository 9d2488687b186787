"""`/model` and `/geri_al`: which version serves, and back to the one before, for the admins."""

from telegram import Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, sender_id
from bot.keyboards import roll_back_keyboard
from tweetsent.errors import ModelError, VersionError


async def on_model(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with the version that serves and where it comes from."""
    if sender_id(message) not in context.admin_ids:
        await reply(message, texts.ADMINS_ONLY)
        return
    await reply(message, texts.model(await context.service.model()))


async def on_roll_back(message: Message, context: BotContext, _rest: str) -> None:
    """Asks whether to go back to the version before, where there is one."""
    if sender_id(message) not in context.admin_ids:
        await reply(message, texts.ADMINS_ONLY)
        return
    serving = (await context.service.model()).serving
    if serving is None or serving.previous is None:
        await reply(message, texts.ROLL_BACK_NOWHERE)
        return
    await reply(
        message,
        texts.roll_back_question(serving.model.version, serving.previous),
        roll_back_keyboard(serving.activation.id),
    )


async def roll_back(context: BotContext, activation_id: int) -> str:
    """Goes back from an activation; returns what to tell the admin."""
    try:
        model = await context.service.roll_back(activation_id)
    except VersionError:  # another activation came in between, or the folder was deleted
        return texts.ROLL_BACK_REFUSED
    except ModelError:
        return texts.ROLL_BACK_DAMAGED
    return texts.rolled_back(model.version)
