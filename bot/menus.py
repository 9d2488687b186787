"""The menus of commands that Telegram shows: of users, in groups, and of each admin."""

import logging
from collections.abc import Iterable, Mapping

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllGroupChats,
    BotCommandScopeChat,
    BotCommandScopeDefault,
)
from telegram.error import BadRequest, TelegramError

from bot import texts
from bot.redaction import describe

log = logging.getLogger(__name__)


async def show_menus(bot: Bot, admin_ids: Iterable[int]) -> None:
    """Fills all menus, without which the bot works as well."""
    commands = texts.guide.COMMANDS
    in_groups = {name: commands[name] for name in texts.guide.IN_GROUPS}
    strangers = 0
    try:
        await _show(bot, commands, BotCommandScopeDefault())
        await _show(bot, in_groups, BotCommandScopeAllGroupChats())
        for admin_id in sorted(admin_ids):
            try:
                await _show_to_admin(bot, admin_id)
            except BadRequest:  # there is no chat yet
                strangers += 1
    except TelegramError as error:
        log.warning("the menu of commands can't be set: %s", describe(error))
    if strangers:
        log.info("%d admins never wrote to the bot: their menus come with /start", strangers)


async def show_admin_menu(bot: Bot, admin_id: int) -> None:
    """Fills the menu of an admin who just wrote for the first time."""
    try:
        await _show_to_admin(bot, admin_id)
    except TelegramError as error:
        log.warning("the menu of an admin can't be set: %s", describe(error))


async def _show_to_admin(bot: Bot, admin_id: int) -> None:
    commands = texts.guide.COMMANDS | texts.guide.ADMIN_COMMANDS
    await _show(bot, commands, BotCommandScopeChat(admin_id))


async def _show(bot: Bot, commands: Mapping[str, str], scope: BotCommandScope) -> None:
    await bot.set_my_commands([BotCommand(*command) for command in commands.items()], scope=scope)
