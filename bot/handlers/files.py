"""Files that users send to be labelled, and the buttons of the messages about them."""

from pathlib import PurePath

from telegram import CallbackQuery, Message, Update
from telegram.ext import filters

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import edit, notify, reply, sender_id
from bot.keyboards import FilePress
from bot.labeller import SUFFIXES
from tweetsent.errors import FileBusyError, FileQuotaError, NotOwnerError
from tweetsent.records import Upload
from tweetsent.text import clean

_OTHER_SUFFIXES = (".xls", ".xlsb", ".ods", ".tsv", ".numbers")


class _Table(filters.MessageFilter):
    """Documents that hold a table, by their names; those that can't be read too."""

    def filter(self, message: Message) -> bool:
        return _suffix(message) in (*SUFFIXES, *_OTHER_SUFFIXES)


TABLE = _Table()


async def on_file(update: Update, context: BotContext) -> None:
    """Takes a file to label, or says why it can't; the labelling goes on in the background."""
    message = update.message
    if message is None or message.document is None:
        return
    document, limits = message.document, context.labeller.limits
    if _suffix(message) not in SUFFIXES:
        await reply(message, texts.files.OTHER_KIND)
        return
    if limits.is_too_big(document.file_size):
        await reply(message, texts.files.too_big(limits.megabytes))
        return
    upload = Upload(message.chat.id, message.message_id, document.file_id, _name(message))
    try:
        job = await context.service.file_begin(sender_id(message), upload, limits.per_day)
    except FileBusyError:
        await reply(message, texts.files.ALREADY_ONE)
    except FileQuotaError:
        await reply(message, texts.files.quota(limits.per_day))
    else:
        if job is not None:
            context.labeller.begin(context.bot, job)


async def on_file_press(query: CallbackQuery, context: BotContext, press: FilePress) -> None:
    """Cancels a file or takes the column that was chosen; only from who sent it."""
    try:
        if press.choice is None:
            await _cancel(query, context, press.file_id)
        else:
            await _choose(query, context, press.file_id, press.choice)
    except NotOwnerError:
        await notify(query, texts.files.NOT_YOURS, alert=True)


async def _cancel(query: CallbackQuery, context: BotContext, file_id: int) -> None:
    if not await context.service.file_cancel(query.from_user.id, file_id):
        await notify(query, texts.files.TOO_LATE)
        return
    await context.labeller.stop(file_id)
    await notify(query, texts.answers.BUTTON_DONE)
    if isinstance(query.message, Message):
        await edit(query.message, texts.files.CANCELLED, None)


async def _choose(query: CallbackQuery, context: BotContext, file_id: int, choice: int) -> None:
    job = await context.service.file_choose(query.from_user.id, file_id, choice)
    if job is None:
        await notify(query, texts.files.ALREADY_CHOSEN)
        return
    context.labeller.begin(context.bot, job)
    await notify(query, texts.answers.BUTTON_DONE)


def _name(message: Message) -> str:
    """The file's name, which is the sender's claim."""
    return clean((message.document and message.document.file_name) or "")


def _suffix(message: Message) -> str:
    return PurePath(_name(message)).suffix.lower()
