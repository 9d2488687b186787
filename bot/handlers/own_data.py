"""A user's own data: `/gecmis`, `/istatistik`, `/verilerim` and `/unut`, in private alone."""

import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO, Any, Protocol, TypeVar

from telegram import CallbackQuery, InlineKeyboardMarkup, InputFile, Message
from telegram.constants import FileSizeLimit

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import edit, notify, reply, sender_id, typing
from bot.keyboards import ErasePress, HistoryPress, erase_keyboard, history_keyboard
from tweetsent.errors import NotFoundError
from tweetsent.own_data import HistoryPage

_PAGE_SIZE = 5
_READ_AT_ONCE = 200
_LARGEST_FILE_BYTES = FileSizeLimit.FILESIZE_UPLOAD


class _Row(Protocol):
    @property
    def id(self) -> int: ...


R = TypeVar("R", bound=_Row)


async def on_history(message: Message, context: BotContext, _rest: str) -> None:
    """Shows the user's newest messages."""
    page = await context.service.history(sender_id(message), _PAGE_SIZE)
    await reply(message, *_shown(page))


async def on_history_press(query: CallbackQuery, context: BotContext, press: HistoryPress) -> None:
    """Shows the messages before or after those of the page, in its place."""
    _require_own_chat(query)
    start = {"older_than" if press.older else "newer_than": press.prediction_id}
    page = await context.service.history(query.from_user.id, _PAGE_SIZE, **start)
    await notify(query, texts.answers.BUTTON_DONE)
    if isinstance(query.message, Message):
        await edit(query.message, *_shown(page))


def _shown(page: HistoryPage) -> tuple[str, InlineKeyboardMarkup | None]:
    older = page.total - page.newer - len(page.messages)
    keyboard = history_keyboard(
        newer_than=page.messages[0].id if page.newer and page.messages else None,
        older_than=page.messages[-1].id if older else None,
    )
    return texts.own_data.history(page), keyboard


async def on_numbers(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with the user's own statistics."""
    await reply(
        message, texts.own_data.numbers(await context.service.own_numbers(sender_id(message)))
    )


async def on_own_data(message: Message, context: BotContext, _rest: str) -> None:
    """Replies with a file of everything that is stored of the user."""
    async with typing(message):
        with tempfile.TemporaryFile() as file:
            if await _write_all(file, context, sender_id(message)):
                file.seek(0)
                await message.reply_document(
                    # Read while it is sent, and never held as a whole.
                    InputFile(file, texts.own_data.FILE_NAME, read_file_handle=False),
                    caption=texts.own_data.FILE_CAPTION,
                    do_quote=True,
                    allow_sending_without_reply=True,
                )
                return
        await reply(message, texts.own_data.FILE_TOO_LARGE)


async def on_erase(message: Message, context: BotContext, _rest: str) -> None:
    """Asks whether to erase everything, and says what that is."""
    user_id = sender_id(message)
    question = texts.own_data.erase_question(await context.service.holdings(user_id))
    await reply(message, question, erase_keyboard(user_id))


async def on_erase_press(query: CallbackQuery, context: BotContext, press: ErasePress) -> None:
    """Erases or not, as the user pressed, and says so in place of the question."""
    _require_own_chat(query)
    if press.user_id != query.from_user.id:
        raise NotFoundError("the press is another user's")
    if press.confirmed:
        for file_id in await context.service.erase(press.user_id):
            await context.labeller.stop(file_id)
    await notify(query, texts.answers.BUTTON_DONE)
    if isinstance(query.message, Message):
        text = texts.own_data.ERASED if press.confirmed else texts.own_data.ERASE_CANCELLED
        await edit(query.message, text, None)


def _require_own_chat(query: CallbackQuery) -> None:
    """Raises NotFoundError for a press elsewhere than in the user's private chat."""
    if query.message is None or query.message.chat.id != query.from_user.id:
        raise NotFoundError("these buttons are for private chats")


async def _write_all(file: IO[bytes], context: BotContext, user_id: int) -> bool:
    """Writes one JSON object; False when it is larger than what Telegram takes."""
    service = context.service
    person, contact = await service.person(user_id), await service.contact(user_id)
    head = _json(texts.own_data.person_as_json(person, contact))
    messages = _read_all(service.own_messages, user_id)
    corrections = _read_all(service.own_corrections, user_id)
    file.write(head.removesuffix(b"}"))
    await _write_list(file, texts.own_data.FILE_MESSAGES, messages, texts.own_data.message_as_json)
    await _write_list(
        file, texts.own_data.FILE_CORRECTIONS, corrections, texts.own_data.correction_as_json
    )
    file.write(b"\n}\n")
    return file.tell() <= _LARGEST_FILE_BYTES


async def _read_all(read: Callable[..., Awaitable[list[R]]], user_id: int) -> AsyncIterator[R]:
    """All rows, read some at a time."""
    older_than = None
    while rows := await read(user_id, _READ_AT_ONCE, older_than=older_than):
        for row in rows:
            yield row
        older_than = rows[-1].id


async def _write_list(
    file: IO[bytes], key: str, rows: AsyncIterator[R], as_json: Callable[[R], dict[str, Any]]
) -> None:
    file.write(f',\n"{key}": ['.encode())
    separator = b"\n"
    async for row in rows:
        if file.tell() > _LARGEST_FILE_BYTES:
            return
        file.write(separator + _json(as_json(row)))
        separator = b",\n"
    file.write(b"\n]")


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
