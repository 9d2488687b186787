"""Opens the database and keeps its schema in step with the code: SQLite by default, or PostgreSQL.

Knows nothing of the tables, which `tweetsent/tables.py` models and `migrations/` makes. Alembic's
settings are made here, so no alembic.ini is needed.
"""

import io
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from tweetsent.errors import ConfigError, StoreError
from tweetsent.sessions import DURABLE, READ_ONLY, readable_errors, reading, show, sqlite_path

_DRIVERS = {"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"}
_MIGRATIONS = Path(__file__).parent.parent / "migrations"
# Any number will do, as long as all processes use the same.
_ADVISORY_LOCK = 7_283_947_117
OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
"""How many others are connected to a PostgreSQL database."""


def create_engine_for(url: str, *, foreign_keys: bool = True) -> Engine:
    """An engine for a database URL; connects to nothing yet, but makes an SQLite file's folder.

    `foreign_keys=False` is for migrations, which may rebuild a table that others refer to.
    Raises ConfigError for a URL that names no database, StoreError for one that can't be used.
    """
    parsed = _parse(url)
    path = sqlite_path(parsed)
    if path is not None:
        _make_folder(path)
    try:
        # Parameters are hidden because an error's text may be logged, and users' texts may not.
        engine = create_engine(
            parsed,
            hide_parameters=True,
            pool_pre_ping=path is None,  # a file doesn't hang up
            connect_args={} if path else {"connect_timeout": 10},
            **_file_options(path) if path else {},
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the database driver {error.name} is not installed: pip install 'psycopg[binary]'"
        ) from error
    if path is not None:
        _set_up_sqlite(engine, foreign_keys)
    return engine


def upgrade(url: str) -> None:
    """Bring a database to this code's revision, making it first if need be; harmless if it is.

    One process upgrades at a time, in one transaction; an SQLite database that holds anything is
    copied beside itself before. Raises StoreError, and then nothing was changed.
    """
    # Rebuilding a table drops the old one, which would delete or forbid rows that refer to it.
    engine = create_engine_for(url, foreign_keys=False)
    try:
        with (
            readable_errors(engine.url),
            file_lock(engine.url),
            engine.connect() as connection,
            advisory_lock(connection),
        ):
            _upgrade(connection)
    finally:
        engine.dispose()


def check_revision(engine: Engine) -> None:
    """Raise StoreError unless the database's schema is the one of this code."""
    path = sqlite_path(engine.url)
    # Connecting would leave an empty file behind.
    if path is not None and not path.exists():
        raise StoreError(f"there is no database {path}: run `tweetsent db upgrade`")
    with reading(engine) as session:
        revision = known_revision(session.connection())
    if revision is None:
        raise StoreError(f"database {show(engine.url)} has no tables: run `tweetsent db upgrade`")
    if revision != head_revision():
        raise StoreError(
            f"database {show(engine.url)} is at the older revision {revision}: "
            "run `tweetsent db upgrade`"
        )


def head_revision() -> str:
    """The revision of this code."""
    head = _scripts().get_current_head()
    if head is None:
        raise StoreError(f"no migrations in {_MIGRATIONS}: install tweetsent again")
    return head


def known_revision(connection: Connection) -> str | None:
    """The database's revision, None without one; StoreError for one that this code lacks."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None:
        require_known(revision, f"database {show(connection.engine.url)}")
    return revision


def require_known(revision: str, holder: str) -> None:
    """Raise StoreError for a revision that this code lacks; `holder` is what is at it."""
    if revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise StoreError(
            f"{holder} is at the revision {revision}, newer than this tweetsent: "
            "install the newer tweetsent"
        )


def in_use(url: URL) -> StoreError:
    """What to raise when others use a database that must be left alone meanwhile."""
    return StoreError(f"database {show(url)} is in use: stop the bot first")


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """A connection for any thread; it only reads where nothing can be written beside the file."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() or os.access(path.parent, os.W_OK):
        return sqlite3.connect(path, check_same_thread=False)
    # Otherwise SQLite would want to make the log, even to read.
    uri = f"{path.resolve().as_uri()}?immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def take_sqlite(connection: sqlite3.Connection) -> None:
    """Lock the whole file until the connection is closed; an error where anybody has it open."""
    # Asked for so before anything is read, the lock is of the whole file, which everybody who has
    # the database open shares.
    connection.execute("PRAGMA busy_timeout=0")
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")


def copy_sqlite(source: sqlite3.Connection, target: Path) -> None:
    """Write a database as it is at this moment into a new file, whoever else writes to it."""
    # Copying the file would miss what is still in the write-ahead log.
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings for work on one connection; its messages are dropped."""
    config = Config(stdout=io.StringIO())
    # Config files escape "%" by doubling it, and so must a path that comes as their value.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text itself is not shown: it may hold a password.
        raise ConfigError(
            "TWEETSENT_DATABASE_URL is a wrong database URL: it must look like "
            "sqlite:////path/file.db"
        ) from None
    if parsed.drivername not in _DRIVERS:
        raise ConfigError(
            f"TWEETSENT_DATABASE_URL names the unknown database {parsed.drivername}: "
            "use sqlite or postgresql"
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigError(
            "TWEETSENT_DATABASE_URL: an SQLite database must be a file: sqlite:////path/file.db"
        )
    return parsed


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"can't make the folder of the database {path}: {error}") from error


def _file_options(path: Path) -> dict[str, Any]:
    # Once a read-only file system is no more, the next connection is an ordinary one.
    pool = {} if os.access(path.parent, os.W_OK) else {"poolclass": NullPool}
    return {"creator": partial(connect_sqlite, path), **pool}


def _set_up_sqlite(engine: Engine, foreign_keys: bool) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own BEGIN comes late and only before writes; begin() below does it better.
        connection.isolation_level = None
        for pragma in (
            "busy_timeout=5000",
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "secure_delete=ON",  # who asks to be erased must not be found in the file's free pages
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once when another one wrote in
        # between, whatever the timeout; IMMEDIATE takes the write lock at the start and waits.
        options = connection.get_execution_options()
        # Of the driver itself: the way through the engine takes longer than the statement.
        cursor = connection.connection.cursor()
        if options.get(READ_ONLY, False):
            cursor.execute("BEGIN")
            return
        # With NORMAL a commit waits for no disk, and only a loss of power could undo the newest.
        cursor.execute(f"PRAGMA synchronous={'FULL' if options.get(DURABLE) else 'NORMAL'}")
        cursor.execute("BEGIN IMMEDIATE")


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(_MIGRATIONS)


def _upgrade(connection: Connection) -> None:
    url = connection.engine.url
    revision = known_revision(connection)
    tables = inspect(connection).get_table_names()
    connection.rollback()
    if revision == head_revision():
        return
    path = sqlite_path(url)
    if path is not None and tables:
        _back_up(path, revision or "unversioned")
    # On SQLite Alembic would commit each statement, unless a transaction is open before it starts.
    with connection.begin():
        command.upgrade(alembic_config(connection), "head")
        if path is not None:
            _check_foreign_keys(connection, url)


def _check_foreign_keys(connection: Connection, url: URL) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        tables = ", ".join(sorted({row[0] for row in broken}))
        raise StoreError(
            f"database {show(url)}: {len(broken)} rows of {tables} refer to missing rows"
        )


def _back_up(path: Path, revision: str) -> None:
    target = path.with_name(f"{path.name}.{revision}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}.bak")
    scratch = target.with_suffix(".part")
    try:
        with closing(sqlite3.connect(path)) as source:
            copy_sqlite(source, scratch)
        shutil.copymode(path, scratch)
        scratch.rename(target)
    except OSError as error:
        raise StoreError(f"can't back up the database {path}: {error}") from error
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def file_lock(url: URL) -> Iterator[None]:
    """Held by the one process that makes an SQLite database anew; of a server's there is none."""
    path = sqlite_path(url)
    if path is None:
        yield
        return
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire()
    except OSError as error:
        raise StoreError(f"can't lock the database {path}: {error}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def advisory_lock(connection: Connection) -> Iterator[None]:
    """The same for PostgreSQL, held by a connection; of SQLite there is none."""
    if connection.dialect.name != "postgresql":
        yield
        return
    # The lock belongs to the server's session and outlives the transactions in it.
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
        connection.commit()
