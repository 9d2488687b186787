"""Backups by really taking and restoring them, on SQLite and on PostgreSQL."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from tests.postgres import PostgresServer
from tests.tweetsent.conftest import Saver
from tweetsent import backups
from tweetsent.backups import back_up, check_backup, restore
from tweetsent.database import check_revision, create_engine_for, head_revision
from tweetsent.errors import DataError, StoreError
from tweetsent.records import EVERYTHING
from tweetsent.sessions import reading, writing
from tweetsent.store import Store
from tweetsent.tables import PredictionRow


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture(autouse=True)
def programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's programs are installed."""
    if "postgresql" in request.node.name:
        server: PostgresServer = request.getfixturevalue("postgres")
        monkeypatch.setenv("PATH", f"{server.programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def backup(engine: Engine, save: Saver, tmp_path: Path) -> Path:
    """A backup of a database with one message."""
    save(1)
    back_up(url_of(engine), tmp_path / "backup")
    return tmp_path / "backup"


def messages(engine: Engine) -> list[int | None]:
    with reading(engine) as session:
        return list(session.scalars(select(PredictionRow.message_id).order_by(PredictionRow.id)))


def predictions(store: Store) -> int:
    return store.stats(EVERYTHING, train_on_forwards=False).predictions


def test_what_was_stored_since_is_gone_after_a_restore_and_kept_beside(
    engine: Engine, backup: Path, store: Store, save: Saver
) -> None:
    save(2)
    engine.dispose()
    replaced = restore(url_of(engine), backup).replaced

    check_revision(engine)
    assert messages(engine) == [1]
    assert save(3).id > 1, "the ids go on"
    assert replaced is not None
    engine.dispose()
    restore(url_of(engine), replaced)
    assert messages(engine) == [1, 2]


def test_what_waited_when_the_backup_was_taken_is_given_up_and_not_lost(
    engine: Engine, store: Store, tmp_path: Path
) -> None:
    store.inbox.add([(1, 5, "{}"), (2, 5, "{}"), (3, 6, "{}")])
    store.inbox.failed(1, "ValueError")
    store.inbox.sending(2, True)
    back_up(url_of(engine), tmp_path / "backup")
    engine.dispose()

    assert restore(url_of(engine), tmp_path / "backup").given_up == 2
    assert store.inbox.pending(9) == []
    assert store.inbox.add([(3, 6, "{}")]) == [], "Telegram may deliver it again"
    with reading(engine) as session:
        rows = session.execute(
            text("SELECT update_id, error FROM inbox WHERE failed_at IS NOT NULL ORDER BY 1")
        ).all()
    assert rows == [(1, "ValueError"), (2, "Restored"), (3, "Restored")]


def test_two_restores_of_one_moment_keep_what_was_replaced(
    engine: Engine, backup: Path, save: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_now", lambda: "now")
    save(2)
    engine.dispose()
    replaced = restore(url_of(engine), backup).replaced
    assert replaced is not None
    kept = replaced.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        restore(url_of(engine), replaced)
    assert replaced.read_bytes() == kept
    assert messages(engine) == [1]


def test_a_backup_is_for_nobody_else_to_read_and_replaces_no_file(
    engine: Engine, backup: Path
) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    content = backup.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        back_up(url_of(engine), backup)
    assert backup.read_bytes() == content
    assert sorted(path.name for path in backup.parent.glob("*backup*")) == ["backup"]


def test_a_backup_amid_writing_holds_whole_transactions(engine: Engine, tmp_path: Path) -> None:
    stop, started = threading.Event(), threading.Event()

    def write_pairs() -> None:
        for number in range(0, 1_000_000, 2):
            with writing(engine) as session:
                for half in (number, number + 1):
                    session.execute(
                        text("INSERT INTO inbox (update_id, payload, received_at, attempts)"
                             " VALUES (:id, :payload, '2026-01-01', 0)"),
                        {"id": half, "payload": "x" * 2000},
                    )  # fmt: skip
            if number > 20:
                started.set()
            if stop.is_set():
                return

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        assert started.wait(60)
        back_up(url_of(engine), tmp_path / "backup")
    finally:
        stop.set()
        writer.join()
    engine.dispose()
    with reading(engine) as session:
        all_rows = session.scalar(text("SELECT count(*) FROM inbox"))
    engine.dispose()
    restore(url_of(engine), tmp_path / "backup")

    with reading(engine) as session:
        rows = session.scalar(text("SELECT count(*) FROM inbox"))
    assert 20 < rows <= all_rows
    assert rows % 2 == 0


def test_nothing_is_restored_while_somebody_uses_the_database(
    engine: Engine, backup: Path, store: Store, save: Saver
) -> None:
    save(2)  # whose connection stays open, idle, as a bot's do

    with pytest.raises(StoreError, match="is in use: stop the bot first"):
        restore(url_of(engine), backup)

    assert predictions(store) == 2
    save(3)


def test_a_missing_database_is_restored(engine: Engine, backup: Path, store: Store) -> None:
    if engine.name == "sqlite":
        engine.dispose()
        Path(str(engine.url.database)).unlink()
    else:
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()

    assert restore(url_of(engine), backup).replaced is None
    assert predictions(store) == 1


@pytest.mark.parametrize("harm", ["middle", "end"])
def test_a_damaged_backup_is_refused_and_nothing_changes(
    engine: Engine, backup: Path, store: Store, save: Saver, harm: str
) -> None:
    save(2)
    engine.dispose()
    content = backup.read_bytes()
    half = len(content) // 2
    damaged = content[:half] + (
        b"\xff" * 3000 + content[half + 3000 :] if harm == "middle" else b""
    )
    backup.write_bytes(damaged)

    with pytest.raises(StoreError) as caught:
        restore(url_of(engine), backup)

    assert "\n" not in str(caught.value)
    assert predictions(store) == 2


def test_a_newer_backup_is_refused(engine: Engine, save: Saver, tmp_path: Path) -> None:
    url, head = url_of(engine), head_revision()
    set_revision(engine, "9999")
    try:
        with pytest.raises(StoreError, match="9999, newer than this tweetsent"):
            back_up(url, tmp_path / "backup")
    finally:
        set_revision(engine, head)
    assert not (tmp_path / "backup").exists()


def set_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))


def test_a_newer_backup_of_sqlite_is_not_restored(sqlite_engine: Engine, tmp_path: Path) -> None:
    back_up(url_of(sqlite_engine), tmp_path / "backup")
    with closing(sqlite3.connect(tmp_path / "backup")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    with pytest.raises(StoreError, match=r"backup .*9999, newer than this tweetsent"):
        restore(url_of(sqlite_engine), tmp_path / "backup")


@pytest.mark.parametrize("content", [b"", b"my notes" * 1000, None])
def test_what_is_no_backup_is_refused(
    engine: Engine, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "notes"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="notes"):
        check_backup(url_of(engine), path)


def test_a_damaged_database_is_replaced(sqlite_engine: Engine, tmp_path: Path) -> None:
    url, path = url_of(sqlite_engine), tmp_path / "tweetsent.db"
    back_up(url, tmp_path / "backup")
    sqlite_engine.dispose()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    restore(url, tmp_path / "backup")
    check_revision(create_engine_for(url))


def test_a_file_that_is_no_database_is_not_replaced(sqlite_engine: Engine, tmp_path: Path) -> None:
    url, path = url_of(sqlite_engine), tmp_path / "tweetsent.db"
    back_up(url, tmp_path / "backup")
    sqlite_engine.dispose()
    path.write_bytes(b"my notes" * 1000)

    with pytest.raises(StoreError, match=r"can't replace .* move it"):
        restore(url, tmp_path / "backup")
    assert path.read_bytes() == b"my notes" * 1000


def test_a_backup_without_room_leaves_nothing_behind(sqlite_engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    code = f"""
import resource
from pathlib import Path
from tweetsent.backups import back_up
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
back_up({url_of(sqlite_engine)!r}, Path({str(target)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "StoreError" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == []


def test_without_the_programs_of_postgresql_a_backup_says_what_is_missing(
    migrated_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match=r"pg_dump is not installed: .*client programs"):
        back_up(migrated_postgres, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_damaged_database_is_named_and_leaves_no_folder(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "tweetsent.db"
    sqlite_engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'model_faults'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)

    with pytest.raises(StoreError) as caught:
        back_up(url_of(sqlite_engine), tmp_path / "backups" / "backup")
    assert str(caught.value).startswith(f"database {path} is damaged: ")
    assert str(caught.value).endswith(": restore the last good backup")
    assert not (tmp_path / "backups").exists()
