"""Presses whose data were made up: whoever and whatever they name, nothing of others changes."""

from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bot import texts
from bot.keyboards import _KINDS
from tests.bot.botapi import BotApi
from tweetsent.settings import Settings
from tweetsent.tables import Base

GROUP = -100
VICTIM, ATTACKER = 7, 8
COMES_AND_GOES = {"inbox", "handled_updates", "private_chats"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"tweetsent_user_rate": 10_000, "tweetsent_group_rate": 10_000}
    )


def rows(database: Engine) -> dict[str, list[Any]]:
    """All that is stored, but for the updates themselves and the attacker's predictions."""
    tables = [table for name, table in Base.metadata.tables.items() if name not in COMES_AND_GOES]
    with database.connect() as connection:
        stored = {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in tables
        }
    stored["predictions"] = [row for row in stored["predictions"] if row[0] == 1]
    return stored


def forged() -> Iterator[str]:
    """Data of every kind of button, as if it were made for what others have."""
    for kind, (made, choices) in _KINDS.items():
        *about, _ = fields(made)
        known = [(str(VICTIM),) if field.name == "user_id" else ("1", "2") for field in about]
        for numbers in product(*known):
            for choice in range(len(choices)):
                yield ":".join([kind, *numbers, str(choice)])


def test_no_kind_of_button_does_a_strangers_work(
    telegram: BotApi, database: Engine, admin: int
) -> None:
    telegram.send("harika bir gün", user=VICTIM)
    (answer,) = telegram.wait_sent(1, VICTIM)
    telegram.press(answer, answer["reply_markup"]["inline_keyboard"][0][1]["callback_data"])
    telegram.wait_sent(2, VICTIM)  # the question of consent
    csv = b"a;b\nharika bir film;berbat bir film\ngood film;bad film\n"
    telegram.send(document=telegram.upload("a.csv", csv), user=VICTIM)
    telegram.wait(lambda: any("sütunda" in sent.get("text", "") for sent in telegram.sent(VICTIM)))
    telegram.send("/duyuru gizli", user=admin)
    telegram.wait(lambda: [True for row in rows(database)["announcements"] if row[3]])
    telegram.send("berbat", user=ATTACKER)
    (own,) = telegram.wait_sent(1, ATTACKER)
    in_group = telegram.message("x", user=VICTIM, chat=GROUP)
    before, said = rows(database), len(telegram.sent(VICTIM))
    assert all(before[name] for name in ("users", "predictions", "corrections", "files"))

    presses = list(forged())
    assert {data[0] for data in presses} == set(_KINDS)
    own_ones = {f"d:2:{choice}" for choice in range(3)}  # the attacker's own message
    count = 1  # the victim's own
    for place in (own, in_group, None):
        for data in presses:
            if data not in own_ones:
                telegram.press(place, data, user=ATTACKER)
                count += 1
        telegram.wait(lambda: len(telegram.of("answerCallbackQuery")) >= count, 200)  # noqa: B023
    telegram.send("enfes", user=ATTACKER)
    telegram.wait(lambda: telegram.sent(ATTACKER)[-1].get("text", "").startswith("😊"))

    assert rows(database) == before
    assert len(telegram.sent(VICTIM)) == said
    shown = [str(call.params.get("text")) for call in telegram.calls if ATTACKER in _about(call)]
    assert not any("harika bir" in text or "gizli" in text for text in shown)
    # Whoever turns pages sees the attacker's own messages, again and again the same.
    assert set(telegram.refusals) <= {"editMessageText: message is not modified"}
    telegram.calls.clear()


def _about(call: Any) -> set[int]:
    return {int(call.params[name]) for name in ("chat_id",) if name in call.params}


@pytest.mark.parametrize(
    "data",
    ["", "d", "d:1", "d:1:0:0:0", "d:0:0", "z:1:1", "d:-1:0", "d:1:9", "\x00", "🙂" * 16, "d:1:0 "],
)
def test_data_of_no_button_is_said_to_be_unknown(telegram: BotApi, data: str) -> None:
    telegram.send("harika")
    (answer,) = telegram.wait_sent()
    telegram.press(answer, data)

    (reply,) = telegram.wait_calls("answerCallbackQuery")
    assert reply.params["text"] == texts.answers.BUTTON_UNKNOWN
