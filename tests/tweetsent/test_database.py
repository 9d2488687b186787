import logging
import sqlite3
import threading
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, text, update

from tweetsent.database import check_revision, create_engine_for, head_revision, upgrade
from tweetsent.errors import ConfigError, StoreError
from tweetsent.sessions import reading, writing
from tweetsent.tables import InboxRow


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def names(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def test_pragmas_hold_on_every_connection(sqlite_engine: Engine) -> None:
    wanted = {"foreign_keys": 1, "busy_timeout": 5000, "journal_mode": "wal", "synchronous": 1}
    with reading(sqlite_engine) as first, reading(sqlite_engine) as second:
        for session in (first, second):
            found = {name: session.scalar(text(f"PRAGMA {name}")) for name in wanted}
            assert found == wanted


def test_the_folder_is_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/çok derin/klasör 100%/tweetsent.db"
    upgrade(url)
    check_revision(create_engine_for(url))
    assert (tmp_path / "çok derin" / "klasör 100%" / "tweetsent.db").is_file()


def test_read_modify_write_loses_no_update(sqlite_engine: Engine) -> None:
    engine = sqlite_engine
    with writing(engine) as session:
        session.add(InboxRow(update_id=1, payload="{}"))

    def count_up() -> None:
        for _ in range(25):
            with writing(engine) as session:
                attempts = session.scalars(select(InboxRow.attempts)).one()
                session.execute(update(InboxRow).values(attempts=attempts + 1))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as session:
        assert session.scalars(select(InboxRow.attempts)).one() == 100


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "wrong database URL"),
        ("mysql://u:secret@h/d", "unknown database mysql"),
        ("sqlite+aiosqlite:////tmp/x.db", "unknown database"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:tweets", "wrong database URL"),
    ],
)
def test_an_unusable_url_is_one_readable_error(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"TWEETSENT_DATABASE_URL.*{message}") as caught:
        create_engine_for(url)
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_one_readable_error() -> None:
    with pytest.raises(StoreError, match="can't make the folder"):
        create_engine_for("sqlite:////dev/null/x/tweetsent.db")


def test_an_unreachable_server_is_one_readable_error() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"bot:\*\*\*@127\.0\.0\.1:1/tweets") as caught:
        upgrade("postgresql://bot:secret@127.0.0.1:1/tweets")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("call", ["upgrade", "check"])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, call: str) -> None:
    path = tmp_path / "tweetsent.db"
    content = b"these are my notes\n" * 100
    path.write_bytes(content)
    url = f"sqlite:///{path}"
    with pytest.raises(StoreError, match="not a database"):
        upgrade(url) if call == "upgrade" else check_revision(create_engine_for(url))
    assert path.read_bytes() == content


def test_a_damaged_database_is_a_readable_error(url: str, tmp_path: Path) -> None:
    upgrade(url)
    path = tmp_path / "tweetsent.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with (
        pytest.raises(StoreError, match="malformed: restore it from a backup"),
        reading(create_engine_for(url)) as session,
    ):
        session.execute(text("SELECT * FROM predictions"))


def test_a_folder_in_place_of_the_file_is_a_readable_error(tmp_path: Path) -> None:
    (tmp_path / "tweetsent.db").mkdir()
    with pytest.raises(StoreError, match="unable to open database file"):
        upgrade(f"sqlite:///{tmp_path}/tweetsent.db")


def test_check_makes_no_file_and_says_what_to_run(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no database .*tweetsent db upgrade"):
        check_revision(create_engine_for(url))
    assert list(tmp_path.iterdir()) == []


def test_check_refuses_a_database_without_tables(url: str, tmp_path: Path) -> None:
    (tmp_path / "tweetsent.db").touch()
    with pytest.raises(StoreError, match="has no tables: run `tweetsent db upgrade`"):
        check_revision(create_engine_for(url))


def test_check_accepts_what_upgrade_made(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    upgrade(url)
    check_revision(create_engine_for(url))
    assert capfd.readouterr() == ("", "")


def test_a_newer_schema_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    path = tmp_path / "tweetsent.db"
    upgrade(url)
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="9999, newer than this tweetsent"):
        check_revision(create_engine_for(url))
    with pytest.raises(StoreError, match="9999, newer than this tweetsent"):
        upgrade(url)
    assert list(tmp_path.glob("*.bak")) == []


def test_what_a_database_held_is_backed_up_first(url: str, tmp_path: Path) -> None:
    path = tmp_path / "tweetsent.db"
    execute(path, "CREATE TABLE notes (words TEXT)", "INSERT INTO notes VALUES ('keep me')")
    path.chmod(0o600)
    upgrade(url)
    [backup] = tmp_path.glob("*.bak")
    assert names(backup) == {"notes"}
    assert backup.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT * FROM notes").fetchall() == [("keep me",)]
    assert {"notes", "predictions"} <= names(path)
    upgrade(url)
    assert list(tmp_path.glob("*.bak")) == [backup]


def test_a_failed_upgrade_changes_nothing(url: str, tmp_path: Path) -> None:
    path = tmp_path / "tweetsent.db"
    # The revision makes this table last, after all the others.
    execute(path, "CREATE TABLE handled_updates (mine TEXT)")
    with pytest.raises(StoreError, match="handled_updates already exists"):
        upgrade(url)
    assert names(path) == {"handled_updates"}
    execute(path, "DROP TABLE handled_updates")
    upgrade(url)
    check_revision(create_engine_for(url))


def test_rows_that_refer_to_nothing_stop_an_upgrade(url: str, tmp_path: Path) -> None:
    path = tmp_path / "tweetsent.db"
    execute(
        path,
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE children (parent INTEGER REFERENCES parents (id))",
        "INSERT INTO children VALUES (7)",
    )
    with pytest.raises(StoreError, match="1 rows of children refer to missing rows"):
        upgrade(url)
    assert names(path) == {"parents", "children"}


def test_the_head_is_the_last_numbered_file() -> None:
    folder = Path(__file__).parent.parent.parent / "migrations" / "versions"
    assert max(path.name for path in folder.glob("*.py")).split("_")[0] == head_revision()


def test_errors_of_the_database_quote_no_text(
    sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sqlalchemy")  # which writes all statements
    engine = create_engine_for(str(sqlite_engine.url))
    row = insert(InboxRow).values(update_id=1, payload="kimse bilmesin")
    with writing(engine) as session:
        session.execute(row)

    with (
        pytest.raises(StoreError, match=r"UNIQUE constraint failed") as refused,
        writing(engine) as session,
    ):
        session.execute(row)

    assert "INSERT INTO inbox" in caplog.text
    for shown in (caplog.text, "".join(traceback.format_exception(refused.value))):
        assert "kimse bilmesin" not in shown
    engine.dispose()
