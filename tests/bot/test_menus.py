"""The menus of commands: of users, in groups, and of admins."""

import json
from collections.abc import Callable

from bot import texts
from bot.handlers.commands import _COMMANDS
from tests.bot.botapi import BotApi
from tests.bot.conftest import RunningBot

DEFAULT = ('{"type": "default"}', "")
GROUPS = ('{"type": "all_group_chats"}', "")


def of_chat(chat_id: int) -> tuple[str, str]:
    return json.dumps({"chat_id": chat_id, "type": "chat"}), ""


def test_every_command_of_a_menu_exists() -> None:
    commands = texts.guide.COMMANDS | texts.guide.ADMIN_COMMANDS
    assert set(commands) <= set(_COMMANDS)
    assert set(texts.guide.IN_GROUPS) <= set(texts.guide.COMMANDS)
    assert not set(texts.guide.COMMANDS) & set(texts.guide.ADMIN_COMMANDS)


def test_users_groups_and_admins_have_menus_of_their_own(
    bot: RunningBot, api: BotApi, admin: int, redacted_log: Callable[[], str]
) -> None:
    api.message("merhaba", user=admin)
    bot.start()
    api.wait(lambda: len(api.menus) == 3)

    assert api.menus[DEFAULT] == list(texts.guide.COMMANDS)
    assert api.menus[GROUPS] == ["yardim", "duygu", "duzelt", "gizlilik"]
    both = [*texts.guide.COMMANDS, *texts.guide.ADMIN_COMMANDS]
    assert api.menus[of_chat(admin)] == both
    assert "never wrote" not in redacted_log()


def test_an_admin_who_never_wrote_gets_their_menu_with_the_first_message(
    telegram: BotApi, admin: int, redacted_log: Callable[[], str]
) -> None:
    telegram.wait(lambda: "is listening" in redacted_log())
    assert redacted_log().count("1 admins never wrote to the bot") == 1
    assert set(telegram.menus) == {DEFAULT, GROUPS}
    telegram.send("/start")  # of somebody else
    telegram.send("/start", user=admin)

    telegram.wait_sent(1)
    telegram.wait_sent(1, admin)

    assert set(telegram.menus) == {DEFAULT, GROUPS, of_chat(admin)}
