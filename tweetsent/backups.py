"""Backups of the database: taken while a bot writes, checked before they count, put back whole.

Of SQLite a backup is a database in one file, of PostgreSQL an archive of `pg_dump`. It holds what
the database holds and nothing else: not the key of the pseudonyms, without which it names nobody
but the numbers of private chats and of what waits in the inbox.
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, make_url

from tweetsent.database import (
    OTHERS,
    advisory_lock,
    connect_sqlite,
    copy_sqlite,
    create_engine_for,
    file_lock,
    in_use,
    known_revision,
    require_known,
    take_sqlite,
    upgrade,
)
from tweetsent.errors import DataError, StoreError
from tweetsent.inbox import Inbox
from tweetsent.sessions import READ_ONLY, readable_errors, show, sqlite_path

_SQLITE_MAGIC, _POSTGRES_MAGIC = b"SQLite format 3\0", b"PGDMP"
_PROGRAMS = ("pg_dump", "pg_restore", "psql")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore left behind."""

    replaced: Path | None
    """The backup that was taken of the replaced database; None where there was none."""
    given_up: int
    """Updates that waited when the backup was taken."""


def default_target(url: str, data_dir: Path) -> Path:
    """A file of this moment's name in the data folder's `backups`."""
    suffix = "db" if sqlite_path(make_url(url)) else "dump"
    return data_dir / "backups" / f"tweetsent-{_now()}.{suffix}"


def back_up(url: str, target: Path) -> str:
    """Write what a database holds at this moment into a new file; returns its revision.

    The file appears when it is complete and checked, and so does its folder. Raises DataError where
    one is already there, StoreError when anything fails, and then there is none.
    """
    if target.exists():
        raise DataError(f"{target} exists already: a backup replaces no file")
    engine = create_engine_for(url)
    path = sqlite_path(engine.url)
    try:
        if path is not None and not path.exists():  # connecting would make it
            raise StoreError(f"there is no database {path}")
        reader = engine.execution_options(**{READ_ONLY: True})
        with readable_errors(engine.url), reader.connect() as connection:
            if known_revision(connection) is None:
                raise StoreError(f"database {show(engine.url)} has no tables to back up")
        with _scratch(target) as scratch:
            _copy(engine.url, scratch)
            if path is not None and (
                flaw := _flaw(scratch)
            ):  # the copy has the flaws of the original
                raise StoreError(
                    f"database {path} is damaged: {flaw}: restore the last good backup"
                )
            revision = check_backup(url, scratch)
            _publish(scratch, target)
    finally:
        engine.dispose()
    return revision


def check_backup(url: str, backup: Path) -> str:
    """The revision of a backup for this kind of database.

    Raises DataError for another file, StoreError for one that is damaged or newer than this code.
    """
    is_sqlite = sqlite_path(make_url(url)) is not None
    try:
        with backup.open("rb") as file:
            start = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise DataError(f"can't read the backup {backup}: {error.strerror}") from error
    if not start.startswith(_SQLITE_MAGIC if is_sqlite else _POSTGRES_MAGIC):
        raise _foreign(backup, "an SQLite" if is_sqlite else "a PostgreSQL")
    revision = _sqlite_revision(backup) if is_sqlite else _postgres_revision(backup)
    require_known(revision, f"backup {backup}")
    return revision


def restore(url: str, backup: Path) -> Restored:
    """Put a backup in the place of a database, at this code's revision.

    What waited in its inbox is given up: most of it was answered since. All of it happens or
    nothing. Raises DataError or StoreError as `check_backup`, and StoreError while anybody uses the
    database.
    """
    check_backup(url, backup)
    engine = create_engine_for(url, foreign_keys=False)
    path = sqlite_path(engine.url)
    try:
        if path is not None:
            with file_lock(engine.url):
                replaced = _restore_sqlite(engine.url, path, backup)
        else:
            with (
                readable_errors(engine.url),
                engine.connect() as connection,
                advisory_lock(connection),
            ):
                replaced = _restore_postgres(connection, backup)
    finally:
        engine.dispose()
    upgrade(url)
    engine = create_engine_for(url)
    try:
        return Restored(replaced, Inbox(engine).give_up_all("Restored"))
    finally:
        engine.dispose()


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"


def _publish(scratch: Path, target: Path) -> None:
    """Give a file its name, unless another has it by now."""
    try:
        target.hardlink_to(scratch)
    except FileExistsError:
        raise DataError(f"{target} exists already: a backup replaces no file") from None
    scratch.unlink()


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A place beside a file to write it to, for nobody else to read; what is left there goes.

    The file's folder is made; where nothing came into it, it goes as well.
    """
    is_new = not target.parent.exists()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    except OSError as error:
        raise StoreError(f"can't write to {target.parent}: {error.strerror}") from error
    try:
        yield folder / target.name
    except OSError as error:
        raise StoreError(f"can't write {target}: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # it holds the backup
                target.parent.rmdir()


def _copy(url: URL, target: Path) -> None:
    path = sqlite_path(url)
    if path is None:
        _run("pg_dump", "--format=custom", "--no-owner", f"--file={target}", url=url)
        target.chmod(0o600)
        return
    with readable_errors(url), closing(connect_sqlite(path)) as source:
        copy_sqlite(source, target)


def _foreign(backup: Path, kind: str) -> DataError:
    return DataError(f"{backup} is no backup of {kind} database of tweetsent")


def _sqlite_revision(backup: Path) -> str:
    if flaw := _flaw(backup):
        raise StoreError(f"backup {backup} is damaged: {flaw}")
    try:
        with closing(_opened(backup)) as connection:
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, TypeError):  # it is whole, but another program's
        raise _foreign(backup, "an SQLite") from None
    return str(revision)


def _flaw(copy: Path) -> str:
    """What is damaged in a database in one file; empty where all is well."""
    try:
        with closing(_opened(copy)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())


def _opened(backup: Path) -> sqlite3.Connection:
    """A connection that leaves the file as it is, and no other beside it."""
    return sqlite3.connect(f"{backup.resolve().as_uri()}?immutable=1", uri=True)


def _postgres_revision(backup: Path) -> str:
    _run("pg_restore", f"--file={os.devnull}", str(backup))  # reads all of it
    rows = _run("pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(backup))
    lines = iter(rows.splitlines())
    if not any(line.startswith("COPY ") for line in lines):
        raise _foreign(backup, "a PostgreSQL")
    return next(lines)


def _restore_sqlite(url: URL, path: Path, backup: Path) -> Path | None:
    kept = path.with_name(f"{path.name}.replaced.{_now()}.bak") if path.exists() else None
    path.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as target:
            take_sqlite(target)
            if kept is not None:
                with _scratch(kept) as scratch:
                    copy_sqlite(target, scratch)
                    _publish(scratch, kept)
            with closing(_opened(backup)) as source:
                source.backup(target)
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise in_use(url) from error
        raise StoreError(
            f"can't replace the database {path}: {error}; move it, its -wal and its -shm away"
        ) from error
    return kept


def _restore_postgres(connection: Connection, backup: Path) -> Path | None:
    url = connection.engine.url
    if connection.scalar(OTHERS):
        raise in_use(url)
    tables = inspect(connection).get_table_names()
    connection.rollback()
    kept = backup.with_name(f"{url.database}.replaced.{_now()}.dump") if tables else None
    with _scratch(kept or backup) as scratch:
        if kept is not None:
            _copy(url, scratch)
            _publish(scratch, kept)
        script = scratch.with_suffix(".sql")
        script.touch(mode=0o600)
        _run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(backup))
        quote = connection.dialect.identifier_preparer.quote
        drops = [f"--command=DROP TABLE {quote(table)} CASCADE" for table in tables]
        _run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            *drops,
            f"--file={script}",
            url=url,
        )
    return kept


def _run(program: str, *arguments: str, url: URL | None = None) -> str:
    """What a program of PostgreSQL prints; StoreError with the first line of its complaint."""
    if shutil.which(program) is None:
        raise StoreError(
            f"{program} is not installed: backups of PostgreSQL need its client programs "
            f"({', '.join(_PROGRAMS)})"
        )
    environment = os.environ | {"PGCONNECT_TIMEOUT": "10"}
    if url is not None:
        # Others could read a password in the list of processes.
        environment["PGPASSWORD"] = url.password or environment.get("PGPASSWORD", "")
        plain = URL.create(
            "postgresql", url.username, None, url.host, url.port, url.database, url.query
        )
        arguments = (f"--dbname={plain.render_as_string()}", *arguments)
    done = subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StoreError(f"{program} failed: {lines[0]}")
    return done.stdout
