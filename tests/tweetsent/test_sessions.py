import re
import signal
import subprocess
import sys
import traceback

import pytest
from sqlalchemy import Engine, event, insert, make_url, select, text

from tweetsent.database import create_engine_for
from tweetsent.errors import StoreError
from tweetsent.sessions import insert_new, reading, show, together, transaction, writing
from tweetsent.tables import User


def test_writing_commits(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(User(pseudonym="a"))
    with reading(engine) as session:
        assert session.scalars(select(User.pseudonym)).all() == ["a"]


def test_an_exception_rolls_back_and_goes_on(engine: Engine) -> None:
    def write_and_fail() -> None:
        with writing(engine) as session:
            session.add(User(pseudonym="a"))
            session.flush()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        write_and_fail()
    with reading(engine) as session:
        assert session.scalars(select(User)).all() == []


def test_only_what_is_durable_waits_for_the_disk(engine: Engine) -> None:
    if engine.name != "sqlite":
        pytest.skip("a server waits for its disk at every commit")
    levels = []
    for durable in (True, False):
        with writing(engine, durable=durable) as session:
            levels.append(session.scalar(text("PRAGMA synchronous")))
    assert levels == [2, 1]


def test_a_reader_sees_one_state_while_another_writes(engine: Engine) -> None:
    with reading(engine) as reader:
        assert reader.scalars(select(User.pseudonym)).all() == []
        with writing(engine) as writer:
            writer.add(User(pseudonym="a"))
        assert reader.scalars(select(User.pseudonym)).all() == []


def add(engine: Engine, pseudonym: str) -> str:
    with transaction(engine) as connection:
        connection.execute(insert(User), {"pseudonym": pseudonym})
    return pseudonym


def pseudonyms(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(User.pseudonym).order_by(User.id)))


def test_writes_together_are_one_transaction(engine: Engine) -> None:
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    assert together(engine, [lambda: add(engine, "a"), lambda: add(engine, "b")]) == ["a", "b"]
    assert len(commits) == 1
    assert pseudonyms(engine) == ["a", "b"]


@pytest.mark.parametrize("wrong", ["a", None])
def test_of_writes_together_only_the_wrong_one_fails(engine: Engine, wrong: str | None) -> None:
    def fail() -> str:
        return add(engine, wrong) if wrong else {}["mine"]

    first, second, third = together(
        engine, [lambda: add(engine, "a"), fail, lambda: add(engine, "b")]
    )
    assert (first, third) == ("a", "b")
    assert isinstance(second, StoreError if wrong else KeyError)
    assert pseudonyms(engine) == ["a", "b"]


def test_a_fault_of_the_database_is_that_of_all_writes_together(sqlite_engine: Engine) -> None:
    calls = []

    def write(pseudonym: str) -> str:
        calls.append(pseudonym)
        return add(sqlite_engine, pseudonym)

    with sqlite_engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    outcomes = together(sqlite_engine, [lambda: write("a"), lambda: write("b")])
    assert [isinstance(one, StoreError) and one.is_passing for one in outcomes] == [True, True]
    assert calls == []  # a full or locked database is asked once, not once for each


_KILLED = """
import os, signal, sys
from sqlalchemy import insert
from tweetsent.database import create_engine_for
from tweetsent.sessions import together, transaction
from tweetsent.tables import User

engine = create_engine_for(sys.argv[1])

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def add(pseudonym):
    with transaction(engine) as connection:
        connection.execute(insert(User), {"pseudonym": pseudonym})

together(engine, [lambda: add("a"), lambda: add("b")])
together(engine, [lambda: add("c"), kill])
"""


def test_a_kill_leaves_whole_groups(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    killed = subprocess.run([sys.executable, "-c", _KILLED, url], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert pseudonyms(engine) == ["a", "b"]
    assert add(engine, "c") == "c"  # nothing is locked


def test_database_errors_become_one_line_without_the_values(engine: Engine) -> None:
    with pytest.raises(StoreError) as caught, writing(engine) as session:
        session.execute(
            text("INSERT INTO corrections (label) VALUES (:text)"), {"text": "private words"}
        )
    assert re.search("not.null", str(caught.value), re.IGNORECASE)
    assert "\n" not in str(caught.value)
    assert "private words" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_table_says_what_to_run(engine: Engine) -> None:
    with pytest.raises(StoreError, match="tweetsent db upgrade"), reading(engine) as session:
        session.execute(text("SELECT * FROM later_table"))


def test_insert_new_leaves_the_row_that_is_there(engine: Engine) -> None:
    with writing(engine) as session:
        insert_new(session, User, pseudonym="a", consent="granted")
        insert_new(session, User, pseudonym="a", consent="refused")
        insert_new(session, User, pseudonym="b")
    with reading(engine) as session:
        rows = session.execute(select(User.pseudonym, User.consent).order_by(User.id)).all()
    assert [tuple(row) for row in rows] == [("a", "granted"), ("b", "unasked")]


def test_show_hides_the_password() -> None:
    assert show(make_url("postgresql://bot:secret@db/tweets")) == "postgresql://bot:***@db/tweets"
    assert show(make_url("sqlite:////data/tweetsent.db")) == "/data/tweetsent.db"


def execute(engine: Engine, *statements: str) -> None:
    with writing(engine) as session:
        for statement in statements:
            session.execute(text(statement))


def is_passing(engine: Engine, *statements: str) -> bool:
    with pytest.raises(StoreError) as caught:
        execute(engine, *statements)
    return caught.value.is_passing


def test_what_was_asked_wrongly_does_not_pass(engine: Engine) -> None:
    assert not is_passing(engine, "SELECT * FROM later_table")
    assert not is_passing(engine, "INSERT INTO corrections (label) VALUES ('positive')")


def test_faults_of_sqlite_pass(sqlite_engine: Engine) -> None:
    insert = "INSERT INTO users (pseudonym, created_at, consent) VALUES ('{}', '2026', 'unasked')"
    assert is_passing(sqlite_engine, "PRAGMA query_only=ON", insert.format("a"))
    sqlite_engine.dispose()
    long_name = insert.format("a" * 100_000)
    assert is_passing(sqlite_engine, "PRAGMA max_page_count=1", long_name)


def test_faults_of_postgresql_pass(migrated_postgres: str) -> None:
    engine = create_engine_for(migrated_postgres)
    kill = "SELECT pg_terminate_backend(pg_backend_pid())"
    assert is_passing(engine, kill)
    insert = "INSERT INTO users (pseudonym) VALUES ('a')"
    assert is_passing(engine, "SET TRANSACTION READ ONLY", insert)
    assert is_passing(create_engine_for("postgresql://postgres@127.0.0.1:1/none"), "SELECT 1")
