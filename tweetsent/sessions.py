"""Sessions on a database and the errors of both in readable form; knows nothing of the tables."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import URL, Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session

from tweetsent.errors import StoreError

T = TypeVar("T")

_SQLITE_FAULTS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
}
# Classes of SQLSTATE and single ones: connection lost, transaction to be repeated, resources gone,
# server stopping or starting, its disk failing; read-only, lock not given.
_POSTGRES_FAULTS = ("08", "40", "53", "57", "58", "25006", "55P03", "XX001", "XX002")

READ_ONLY = "tweetsent_read_only"
"""Execution option of a connection that will only read; the engine begins it accordingly."""
DURABLE = "tweetsent_durable"
"""Execution option of a connection whose commit must outlive a power cut, and not a kill alone."""
_shared: ContextVar[Connection | None] = ContextVar("shared", default=None)
"""The connection of `together`, in its thread."""


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite database; None for a server's."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


def show(url: URL) -> str:
    """The URL for a person: without the password, and an SQLite file by its path."""
    return str(sqlite_path(url) or url.render_as_string(hide_password=True))


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that only reads, all of it from one state of the database.

    Raises StoreError in place of SQLAlchemy's errors.
    """
    # PostgreSQL shows each statement the latest state unless it is told otherwise.
    isolation = {"isolation_level": "REPEATABLE READ"} if engine.name == "postgresql" else {}
    reader = engine.execution_options(**{READ_ONLY: True}, **isolation)
    with readable_errors(engine.url), Session(reader) as session:
        yield session


@contextmanager
def writing(engine: Engine, *, durable: bool = False) -> Iterator[Session]:
    """A session in one write transaction: committed at the end, rolled back by any exception.

    A kill never undoes it; with `durable` it and all before it outlive a power cut as well, which
    on SQLite takes some milliseconds. Raises StoreError in place of SQLAlchemy's errors.
    """
    writer = engine.execution_options(**{DURABLE: True}) if durable else engine
    with readable_errors(engine.url), Session(writer) as session, session.begin():
        yield session


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A write transaction as of `writing`, but without the session, which costs more than the
    few statements that each message needs. Within `together` it is a part of that one.
    """
    shared = _shared.get()
    if shared is not None:
        yield shared
        return
    with readable_errors(engine.url), engine.begin() as connection:
        yield connection


def together(engine: Engine, writes: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What each of some calls returned or raised; what they write by `transaction` is committed.

    They share one transaction. When one fails nothing of it stays, and each gets one of its own;
    a fault of the database is everybody's at once. So they may be called twice.
    """
    if len(writes) > 1:
        try:
            with transaction(engine) as connection:
                token = _shared.set(connection)
                try:
                    return [write() for write in writes]
                finally:
                    _shared.reset(token)
        except StoreError as error:
            if error.is_passing:
                return [error] * len(writes)
        except Exception:  # noqa: BLE001 - whose it is comes out below
            pass
    return [_outcome(write) for write in writes]


def _outcome(write: Callable[[], T]) -> T | Exception:
    try:
        return write()
    except Exception as error:  # noqa: BLE001 - it is its caller's
        return error


@contextmanager
def readable_errors(url: URL) -> Iterator[None]:
    """Turn database errors into StoreError with one line that says which database and why."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = str(cause).strip().split("\n", 1)[0]
        # Not chained: PostgreSQL's details hold the row's values, and a log would show them.
        message = f"database {show(url)}: {reason}{_hint(reason)}"
        raise StoreError(message, is_passing=_is_fault(error, cause)) from None


def _is_fault(error: Exception, cause: object) -> bool:
    """Whether the database, or the way to it, is the trouble, and not what was asked of it."""
    if isinstance(cause, sqlite3.Error):
        # The low byte is the kind, the others say more of it.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_FAULTS
    state = getattr(cause, "sqlstate", None)
    if state is None:  # the server can't be reached, or went away
        return isinstance(error, OperationalError)
    return str(state).startswith(_POSTGRES_FAULTS)


def _hint(reason: str) -> str:
    if "no such table" in reason or "does not exist" in reason or "no such column" in reason:
        return ": run `tweetsent db upgrade`"
    if "locked" in reason:
        return ": another process is using it, try again"
    if "malformed" in reason or "not a database" in reason:
        return ": restore it from a backup"
    if "is full" in reason or "No space left" in reason:
        return ": free some space, and it goes on"
    if "readonly" in reason or "unable to open" in reason:
        return ": check the permissions of the file and its folder, and for a read-only file system"
    return ""


def empty_log(engine: Engine) -> None:
    """Carry SQLite's write-ahead log into the database and empty it, unless somebody reads.

    Until then the log may hold what was deleted from the database. PostgreSQL looks after its own.
    """
    if engine.name != "sqlite":
        return
    with readable_errors(engine.url), closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def insert_new(session: Session, table: type[DeclarativeBase], **values: object) -> None:
    """Insert one row, unless it clashes with a unique constraint: then nothing happens."""
    session.execute(insert_of_new(table, session.get_bind().dialect.name), values)


def bare_table(model: type[DeclarativeBase]) -> Table:
    """The table of a model: statements of it cost half as much, and give no objects to change."""
    return cast(Table, model.__table__)


@cache
def insert_of_new(model: type[DeclarativeBase], dialect: str) -> postgresql.Insert | sqlite.Insert:
    """The statement of `insert_new`, for one row or many."""
    table = bare_table(model)
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
