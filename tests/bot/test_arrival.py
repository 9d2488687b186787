"""Updates are read once, and judged by what they ask of the bot."""

from typing import Any

import pytest
from telegram import Bot, User

from bot.arrival import Arrival, Kind
from tests.bot.botapi import TOKEN

USER = {"id": 7, "is_bot": False, "first_name": "Ada"}
PRIVATE = {"id": 7, "type": "private"}
GROUP = {"id": -100, "type": "group", "title": "Aile"}


@pytest.fixture
def bot() -> Bot:
    bot = Bot(TOKEN)
    bot._bot_user = User(123456789, "Duygu", True, username="duygu_bot")
    return bot


def message(text: str, chat: dict[str, Any] = PRIVATE, **more: object) -> dict[str, Any]:
    said = {"message_id": 5, "date": 1000, "chat": chat, "from": USER, "text": text}
    return {"update_id": 1, "message": said | more}


def press() -> dict[str, Any]:
    pressed = {"id": "1", "from": USER, "chat_instance": "1", "data": "x"}
    return {"update_id": 1, "callback_query": pressed}


QUERY = {"id": "1", "from": USER, "query": "harika", "offset": ""}
PART = {"media_group_id": "a", "photo": []}


@pytest.mark.parametrize(
    ("raw", "kind", "is_quick"),
    [
        (message("harika"), Kind.MESSAGE, False),
        (message("/yardım"), Kind.COMMAND, True),
        (message("/duygu harika"), Kind.MESSAGE, False),
        (message("harika", GROUP), None, False),
        (message("", **PART), None, False),
        (message("", **PART, caption="harika"), Kind.MESSAGE, False),
        (press(), Kind.PRESS, True),
        ({"update_id": 1, "inline_query": QUERY}, Kind.INLINE, False),
        ({"update_id": 1}, None, False),
    ],
)
def test_what_an_update_asks_for(
    bot: Bot, raw: dict[str, Any], kind: Kind | None, is_quick: bool
) -> None:
    arrival = Arrival(raw, bot)
    assert (arrival.kind, arrival.is_quick) == (kind, is_quick)


def test_an_update_is_read_once(bot: Bot) -> None:
    arrival = Arrival(message("harika"), bot)
    assert arrival.update is arrival.update


def test_what_cant_be_read_fails_only_who_reads_it(bot: Bot) -> None:
    arrival = Arrival({"update_id": 1, "message": {"text": "harika"}}, bot)
    assert not arrival.is_quick
    with pytest.raises(KeyError, match="date"):
        _ = arrival.update


def test_its_time_is_that_of_the_users_act(bot: Bot) -> None:
    edited = message("harika", edit_date=2000)
    assert Arrival(message("harika"), bot).time == 1000
    assert Arrival(edited, bot).time == 2000
