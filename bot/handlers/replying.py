"""How the bot replies: always to a message, typing while it works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from telegram import InlineKeyboardMarkup, Message
from telegram.constants import ChatAction
from telegram.error import TelegramError

_TYPING_SECONDS = 4.0
_TYPING_TIMEOUT_SECONDS = 2.0


async def reply(
    message: Message, text: str, keyboard: InlineKeyboardMarkup | None = None
) -> Message:
    """Sends a reply to the message, or a plain message when that one is gone by now."""
    return await message.reply_text(
        text, reply_markup=keyboard, do_quote=True, allow_sending_without_reply=True
    )


def sender_id(message: Message) -> int:
    """The user who wrote a message; for those without one, the chat that sent it."""
    return message.from_user.id if message.from_user else message.chat.id


@asynccontextmanager
async def typing(message: Message) -> AsyncIterator[None]:
    """Shows "typing…" in the chat; work goes on whether that succeeds or not."""
    done = asyncio.Event()
    task = asyncio.create_task(_keep_typing(message, done))
    try:
        yield
    finally:
        done.set()
        await task


async def _keep_typing(message: Message, done: asyncio.Event) -> None:
    while not done.is_set():
        with suppress(TelegramError):
            await message.reply_chat_action(
                ChatAction.TYPING,
                read_timeout=_TYPING_TIMEOUT_SECONDS,
                connect_timeout=_TYPING_TIMEOUT_SECONDS,
            )
        # Telegram shows an action for five seconds.
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _TYPING_SECONDS)
