"""A rich conversation, then `/unut`: of the user nothing is left in any table, file or log."""

import json
import logging
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, inspect, text

from bot import labeller, transport
from tests.bot.botapi import BotApi, Params
from tests.bot.test_corrections import buttons
from tests.bot.test_labeller import table
from tests.bot.tiny import ADMIN
from tests.tweetsent.test_encryption import NEW
from training.export import export_snapshot
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import RunState, Trigger
from tweetsent.runs import Runs, snapshot_of
from tweetsent.sessions import reading
from tweetsent.settings import Settings
from tweetsent.store import Store
from tweetsent.text_key import encrypt_texts, open_database

GROUP = -100_123_456_789
USER, OTHER = 7_700_000_123, 8_800_000_456
MENTION = {"type": "mention", "offset": 0, "length": 10}
PHOTO = [{"file_id": "f", "file_unique_id": "u", "width": 9, "height": 9}]
NAMES = {USER: "Zübeyde", OTHER: "Nurettin"}
WORDS = {USER: ["zencefil", "kakule", "safran", "sumak"], OTHER: ["tarçın"]}

IN_THE_EXPORT = {
    "users": "takma kimlik",
    "predictions": "mesajlar",
    "corrections": "düzeltmeler",
    "files": "dosyalar",
    "private_chats": "duyurular için sohbetin Telegram numarası",
}
"""Under which key of the file of `/verilerim` a table's rows are."""

NOT_IN_THE_EXPORT = {"inbox": "of updates that failed, kept for a week, the file says so"}


@pytest.fixture(params=[None, NEW], ids=["plain", "encrypted"])
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The bot's settings, without and with a key for texts."""
    key = request.param and SecretStr(request.param)
    settings = settings.model_copy(update={"tweetsent_text_key": key})
    encrypt_texts(settings)
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    engine = open_database(settings)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_DELAYS_SECONDS", (0.01,))
    monkeypatch.setattr(labeller, "RETRY_DELAYS_SECONDS", (0.01,))


class People:
    """What users do, each under their own name, and what the bot answers."""

    def __init__(self, telegram: BotApi, settings: Settings) -> None:
        self.telegram = telegram
        self.settings = settings

    def say(self, user: int, words: str | None = None, chat: int | None = None, **more: Any) -> Any:
        """A message; returns the bot's first answer to it."""
        where = user if chat is None else chat
        before = len(self.telegram.sent(where))
        name = NAMES[user]
        sender = {"id": user, "is_bot": False, "first_name": name, "username": f"{name}_x"}
        self.telegram.send(words, user=user, chat=chat, **{"from": sender}, **more)
        return self.telegram.wait_sent(before + 1, where)[before]

    def press(self, user: int, message: Params, number: int) -> None:
        before = len(self.telegram.of("editMessageText"))
        self.telegram.press(message, buttons(message)[number], user=user)
        self.telegram.wait_calls("editMessageText", before + 1)

    def talk(self) -> None:
        """Everything that leaves something behind, of both users."""
        say, telegram = self.say, self.telegram
        telegram.message("merhaba", user=ADMIN)  # who is told of runs
        for user in NAMES:
            say(user, "/onay")
        theirs = say(OTHER, "berbat tarçın")
        self.press(OTHER, theirs, 1)
        answer = say(USER, "harika zencefil")
        self.press(USER, answer, 1)
        self.press(USER, answer, 2)
        say(USER, "harika sumak")
        edits = len(telegram.of("editMessageText"))
        sent = next(m for m in list(telegram.messages.values()) if m.get("text") == "harika sumak")
        telegram.edit(sent, text="berbat sumak kakule")
        telegram.wait_calls("editMessageText", edits + 1)
        say(
            USER,
            "enfes safran",
            forward_origin={"type": "hidden_user", "date": 1, "sender_user_name": NAMES[OTHER]},
        )
        say(USER, photo=PHOTO, caption="harika kakule", media_group_id="13579")
        telegram.send(photo=PHOTO, user=USER, media_group_id="13579")
        in_group = say(USER, "@duygu_bot harika safran", chat=GROUP, entities=[MENTION])
        say(OTHER, "/duzelt olumsuz", chat=GROUP, reply_to_message=in_group)
        others = say(OTHER, "@duygu_bot berbat tarçın", chat=GROUP, entities=[MENTION])
        say(USER, "/duzelt olumlu", chat=GROUP, reply_to_message=others)
        say(USER, document=telegram.upload("kakule fiyatları.xlsx", table("harika safran")))
        telegram.wait(lambda: telegram.of("sendPhoto"), 120)  # the last of what comes of a file
        query = telegram.type_inline("harika zencefil", user=USER)
        telegram.wait(
            lambda: any(
                c.params["inline_query_id"] == query for c in telegram.of("answerInlineQuery")
            )
        )
        say(USER, "çöktü safran")
        for command in ("/gecmis", "/istatistik", "/onay_geri", "/onay"):
            say(USER, command)
        telegram.settle()

    def forget(self, user: int) -> None:
        question = self.say(user, "/unut")
        self.press(user, question, 0)
        self.telegram.settle()


@pytest.fixture
def people(telegram: BotApi, settings: Settings) -> People:
    return People(telegram, settings)


def traces_of(user: int, settings: Settings) -> list[str]:
    """Everything by which the user could be told."""
    pseudonymise = Pseudonymiser(load_key(settings))
    names = [NAMES[user], f"{NAMES[user]}_x", str(user), pseudonymise.user(user)]
    return [*names, pseudonymise.chat(user), *WORDS[user]]


def tables_with(traces: list[str], engine: Engine) -> set[str]:
    """The tables, all that there are, of which a row holds any of it or leads to such a user."""
    found = set()
    with reading(engine) as session:
        users = session.execute(text("SELECT id, pseudonym FROM users")).all()
        ids = [user_id for user_id, pseudonym in users if pseudonym in traces]
        inspector = inspect(session.connection())
        for name in inspector.get_table_names():
            keys = inspector.get_foreign_keys(name)
            people = [k["constrained_columns"][0] for k in keys if k["referred_table"] == "users"]
            for row in session.execute(text(f"SELECT * FROM {name}")).mappings():
                said = "\n".join(map(str, row.values()))
                if any(trace in said for trace in traces) or any(row[k] in ids for k in people):
                    found.add(name)
    return found


def forms_of(trace: str) -> list[bytes]:
    """How a database's or another file's bytes may hold it."""
    forms = [trace.encode(), trace.encode("utf-16-le"), json.dumps(trace).strip('"').encode()]
    # SQLite stores such a number in six bytes.
    return [*forms, int(trace).to_bytes(6, "big")] if trace.isdecimal() else forms


def files_with(traces: list[str], folder: Path) -> set[str]:
    """The files in a folder that hold any of it, tables and archives unpacked."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        contents = [path.name.encode(), path.read_bytes()]
        if path.suffix == ".parquet":
            contents.append(pd.read_parquet(path).to_csv().encode())
        elif path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        if any(
            form in content for trace in traces for form in forms_of(trace) for content in contents
        ):
            found.add(path.relative_to(folder).as_posix())
    return found


def export(engine: Engine, settings: Settings) -> Path:
    """The data set of a run that ended."""
    lease = Runs(engine).start(Trigger.CLI)
    store = Store(engine, Pseudonymiser(load_key(settings)))
    folder = snapshot_of(settings.snapshots, lease.run_id)
    export_snapshot(folder, store, base_data=None, train_on_forwards=True)
    lease.finish(RunState.REFUSED)
    return folder


def test_after_unut_nothing_of_the_user_is_left_anywhere(
    people: People, settings: Settings, database: Engine
) -> None:
    people.talk()
    for _ in range(2):
        export(database, settings)
    data, mine = settings.tweetsent_data_dir, traces_of(USER, settings)
    is_plain = settings.tweetsent_text_key is None
    # What finds nothing afterwards finds everything before.
    assert tables_with(mine, database) >= {
        "users",
        "predictions",
        "corrections",
        "inbox",
        "files",
        "private_chats",
    }
    assert {"snapshots/000001/data.parquet", "snapshots/000002/data.xlsx"} <= files_with(
        WORDS[USER], data
    )

    people.forget(USER)
    people.telegram.wait(lambda: not files_with(mine, data))

    assert tables_with(mine, database) == set()
    assert files_with(mine, data) == set()
    others = traces_of(OTHER, settings)
    assert tables_with(others, database) >= {"users", "predictions", "corrections"}
    export(database, settings)
    assert files_with(mine, data) == set()
    assert files_with(WORDS[OTHER], data) >= {"snapshots/000003/data.parquet"}
    assert bool(files_with(WORDS[OTHER], data) & {"tweetsent.db", "tweetsent.db-wal"}) == is_plain


@pytest.mark.parametrize("settings", [NEW], indirect=True, ids=["encrypted"])
def test_with_a_key_the_database_holds_no_word_of_a_conversation(
    people: People, settings: Settings
) -> None:
    people.talk()

    data = settings.tweetsent_data_dir
    names = [NAMES[USER], NAMES[OTHER], "çöktü"]
    assert files_with(WORDS[USER] + WORDS[OTHER] + names, data) == set()


@pytest.mark.parametrize("settings", [None], indirect=True, ids=["plain"])
def test_every_table_that_knows_a_user_is_in_their_export(
    people: People, settings: Settings, database: Engine
) -> None:
    people.talk()
    people.say(USER, "/verilerim")

    known = tables_with(traces_of(USER, settings), database)
    assert known == set(IN_THE_EXPORT) | set(NOT_IN_THE_EXPORT)
    content = people.telegram.of("sendDocument")[-1].files["document"].decode()
    exported = json.loads(content)
    assert [key for key in IN_THE_EXPORT.values() if not exported[key]] == []
    assert exported[IN_THE_EXPORT["private_chats"]] == "saklı"
    assert all(word in content for word in ("zencefil", "kakule", "safran", "sumak"))
    assert not [word for word in [*WORDS[OTHER], NAMES[OTHER], str(OTHER)] if word in content]


@pytest.mark.parametrize("settings", [None], indirect=True, ids=["plain"])
def test_the_log_names_nobody_at_any_level_and_whatever_fails(
    people: People, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in ("bot", "tweetsent", "training"):  # as TWEETSENT_LOG_LEVEL does
        caplog.set_level(logging.DEBUG, logger)
    people.talk()
    with closing(sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db")) as broken:
        broken.execute("ALTER TABLE predictions RENAME TO elsewhere")
    people.say(USER, "harika zencefil")

    assert "RuntimeError" in caplog.text
    assert "no such table" in caplog.text
    secrets = [*traces_of(USER, settings), *traces_of(OTHER, settings), str(abs(GROUP))]
    assert [secret for secret in secrets if secret in caplog.text] == []
