"""Who may give a command, and where."""

from collections.abc import Awaitable, Callable

from telegram import Message
from telegram.constants import ChatType

from bot import texts
from bot.context import BotContext
from bot.handlers.replying import reply, sender_id

Command = Callable[[Message, BotContext, str], Awaitable[None]]
"""Carries out a command; it gets the words after it."""


def for_admins(command: Command) -> Command:
    """The command, which refuses everybody else."""

    async def run(message: Message, context: BotContext, rest: str) -> None:
        if sender_id(message) in context.admin_ids:
            await command(message, context, rest)
        else:
            await reply(message, texts.guide.ADMINS_ONLY)

    return run


def in_private(command: Command, elsewhere: str) -> Command:
    """The command, which in a group only says where to ask instead."""

    async def run(message: Message, context: BotContext, rest: str) -> None:
        if message.chat.type == ChatType.PRIVATE:
            await command(message, context, rest)
        else:
            await reply(message, elsewhere)

    return run
