"""`/model` and `/geri_al`: which version serves, and back to the one before, for the admins."""

from telegram import CallbackQuery, Message

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import edit, notify, reply
from bot.keyboards import RollBackPress, roll_back_keyboard
from tweetsent.errors import ModelError, VersionError


async def on_model(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with the version that serves and where it comes from."""
    await reply(message, texts.models.model(await context.service.model()))


async def on_roll_back(message: Message, context: BotContext, _rest: str) -> None:
    """Asks whether to go back to the version before, where there is one."""
    serving = (await context.service.model()).serving
    if serving is None or serving.previous is None:
        await reply(message, texts.models.ROLL_BACK_NOWHERE)
        return
    await reply(
        message,
        texts.models.roll_back_question(serving.model.version, serving.previous),
        roll_back_keyboard(serving.activation.id),
    )


async def on_roll_back_press(
    query: CallbackQuery, context: BotContext, press: RollBackPress
) -> None:
    """Goes back or not, as an admin pressed, and says so in place of the question."""
    if query.from_user.id not in context.admin_ids:
        await notify(query, texts.guide.ADMINS_ONLY, alert=True)
        return
    text = await _roll_back(context, press) if press.confirmed else texts.models.ROLL_BACK_CANCELLED
    await notify(query, texts.answers.BUTTON_DONE)
    if isinstance(query.message, Message):
        await edit(query.message, text, None)


async def _roll_back(context: BotContext, press: RollBackPress) -> str:
    try:
        model = await context.service.roll_back(press.activation_id)
    except VersionError:  # another activation came in between, or the folder was deleted
        return texts.models.ROLL_BACK_REFUSED
    except ModelError:
        return texts.models.ROLL_BACK_DAMAGED
    return texts.models.rolled_back(model.version)
