"""How the bot replies: to a message, typing while it works, or to a press of a button."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from telegram import CallbackQuery, InlineKeyboardMarkup, Message
from telegram.constants import ChatAction
from telegram.error import BadRequest, TelegramError

_TYPING_AFTER_SECONDS = 0.5
"""How long work takes before "typing…" is shown: a quick answer is there sooner than that."""
_TYPING_SECONDS = 4.0
_TYPING_TIMEOUT_SECONDS = 2.0


async def reply(
    message: Message, text: str, keyboard: InlineKeyboardMarkup | None = None
) -> Message:
    """Sends a reply to the message, or a plain message when that one is gone by now."""
    return await message.reply_text(
        text, reply_markup=keyboard, do_quote=True, allow_sending_without_reply=True
    )


async def edit(message: Message, text: str, keyboard: InlineKeyboardMarkup | None) -> None:
    """Changes a message of the bot, when it is still there and says something else."""
    # A second press changes nothing, which Telegram refuses; the message may be gone as well.
    with suppress(BadRequest):
        await message.edit_text(text, reply_markup=keyboard)


async def notify(query: CallbackQuery, text: str, *, alert: bool = False) -> None:
    """Answers a press with a short note, or with a window to close."""
    # After some minutes, or when delivered again, a press can't be answered any more.
    with suppress(BadRequest):
        await query.answer(text, show_alert=alert)


def sender_id(message: Message) -> int:
    """The user who wrote a message, or the chat in whose name it was written."""
    # For those Telegram names a user that stands for all chats.
    return (message.sender_chat or message.from_user or message.chat).id


@asynccontextmanager
async def typing(message: Message) -> AsyncIterator[None]:
    """Shows "typing…" in the chat when work takes a while; work never waits for it."""
    tasks: list[asyncio.Task[None]] = []

    def begin() -> None:
        tasks.append(asyncio.create_task(_keep_typing(message)))

    # Most work ends before, and a timer costs less than a task.
    timer = asyncio.get_running_loop().call_later(_TYPING_AFTER_SECONDS, begin)
    try:
        yield
    finally:
        timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_typing(message: Message) -> None:
    while True:
        with suppress(TelegramError):
            await message.reply_chat_action(
                ChatAction.TYPING,
                read_timeout=_TYPING_TIMEOUT_SECONDS,
                connect_timeout=_TYPING_TIMEOUT_SECONDS,
            )
        # Telegram shows an action for five seconds.
        await asyncio.sleep(_TYPING_SECONDS)
