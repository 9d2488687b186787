"""Keeps the database and TWEETSENT_TEXT_KEY together: all texts are encrypted with it, or none.

A known word, encrypted beside them, says whether they are and with which key.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    bindparam,
    delete,
    insert,
    inspect,
    make_url,
    select,
    type_coerce,
    update,
)

from tweetsent.database import OTHERS, check_revision, create_engine_for, in_use, take_sqlite
from tweetsent.encryption import EncryptedJson, EncryptedText, TextCipher, split_keys, use_cipher
from tweetsent.errors import ConfigError, StoreError
from tweetsent.sessions import empty_log, readable_errors, reading, show, sqlite_path
from tweetsent.settings import Settings
from tweetsent.tables import Base, TextKeyRow

_WORD = "tweetsent"
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Encrypted:
    """The texts that were encrypted anew."""

    count: int
    were_plain: bool
    """Whether they had no key before."""


def cipher_of(settings: Settings) -> TextCipher | None:
    """The cipher of TWEETSENT_TEXT_KEY; None without a key."""
    key = settings.tweetsent_text_key
    return None if key is None else TextCipher(split_keys(key.get_secret_value()))


def open_database(settings: Settings) -> Engine:
    """The database of these settings, whose texts it reads and writes.

    Raises StoreError when its schema isn't this version's or its texts are not encrypted yet,
    ConfigError when TWEETSENT_TEXT_KEY is not theirs.
    """
    engine = create_engine_for(settings.database_url)
    try:
        check_revision(engine)
        cipher, sample = cipher_of(settings), _sample(engine)
        _require_key(show(engine.url), cipher, sample)
        if sample is None and cipher is not None:
            raise StoreError(
                f"the texts in database {show(engine.url)} are not encrypted yet: "
                "stop the bot and run `tweetsent db upgrade`"
            )
    except BaseException:
        engine.dispose()
        raise
    use_cipher(engine, cipher)
    return engine


def encrypt_texts(settings: Settings) -> Encrypted | None:
    """Encrypt all texts with the first key of TWEETSENT_TEXT_KEY; None when that is how they are.

    In one transaction: all of them or, after any error, none. Raises StoreError while another
    process uses the database, whose texts it could not read any more; ConfigError when none of the
    keys is that of the texts.
    """
    engine = create_engine_for(settings.database_url)
    try:
        check_revision(engine)
        cipher, sample = cipher_of(settings), _sample(engine)
        _require_key(show(engine.url), cipher, sample)
        if cipher is None or (sample is not None and cipher.is_newest(sample)):
            return None
        use_cipher(engine, cipher)
        with readable_errors(engine.url), engine.connect() as connection:
            _require_alone(connection)
            with connection.begin():
                before = cipher if sample is not None else None
                columns = encrypted_columns()
                count = sum(_encrypt(connection, column, before) for column in columns)
                connection.execute(delete(TextKeyRow))
                connection.execute(insert(TextKeyRow).values(sample=cipher.encrypt(_WORD)))
            if engine.name == "sqlite":
                # Plain words may lie in free pages. SQLAlchemy would begin a transaction for it.
                connection.connection.cursor().execute("VACUUM")
        empty_log(engine)
        return Encrypted(count, were_plain=sample is None)
    finally:
        engine.dispose()


def is_encrypted(url: str) -> bool:
    """Whether the texts in a database of any revision are encrypted; needs no key."""
    engine = create_engine_for(url)
    try:
        with reading(engine) as session:
            has_table = inspect(session.connection()).has_table(TextKeyRow.__tablename__)
        return has_table and _sample(engine) is not None
    finally:
        engine.dispose()


def require_key_of(settings: Settings, backup: Path) -> None:
    """Raise ConfigError when TWEETSENT_TEXT_KEY is not that of a backup of an SQLite database.

    Of PostgreSQL's this is seen only when they are restored.
    """
    if sqlite_path(make_url(settings.database_url)) is None:
        return
    with closing(sqlite3.connect(f"{backup.resolve().as_uri()}?immutable=1", uri=True)) as opened:
        try:
            row = opened.execute(f"SELECT sample FROM {TextKeyRow.__tablename__}").fetchone()
        except sqlite3.OperationalError:  # from before there were keys
            return
    _require_key(str(backup), cipher_of(settings), row and row[0])


def encrypted_columns() -> list[Column[object]]:
    """Every column that holds users' words."""
    return [
        column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, EncryptedText | EncryptedJson)
    ]


def _sample(engine: Engine) -> str | None:
    with reading(engine) as session:
        return session.scalar(select(TextKeyRow.sample))


def _require_key(name: str, cipher: TextCipher | None, sample: str | None) -> None:
    if sample is None:
        return
    if cipher is None:
        raise ConfigError(f"the texts in database {name} are encrypted: set TWEETSENT_TEXT_KEY")
    try:
        cipher.decrypt(sample)
    except StoreError:
        raise ConfigError(
            f"wrong setting: TWEETSENT_TEXT_KEY is not the key of the texts in database {name}"
        ) from None


def _encrypt(connection: Connection, column: Column[object], before: TextCipher | None) -> int:
    """Write every value of a column anew, from the cipher of before; returns how many."""
    (key,) = column.table.primary_key
    kind = column.type
    assert isinstance(kind, EncryptedText | EncryptedJson)
    stored = type_coerce(column, kind.impl_instance)
    change = (
        update(column.table)
        .where(key == bindparam("row"))
        .values({column: bindparam("value", type_=kind)})
    )
    count, last = 0, None
    while True:
        query = select(key, stored).where(column.is_not(None)).order_by(key).limit(_ROWS_AT_ONCE)
        rows = connection.execute(query if last is None else query.where(key > last)).all()
        if not rows:
            return count
        values = [{"row": row, "value": kind.opened(old, before)} for row, old in rows]
        connection.execute(change, values)
        count, last = count + len(rows), rows[-1][0]


def _require_alone(connection: Connection) -> None:
    """StoreError where others are in; on SQLite none gets in until the connection closes."""
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        try:
            take_sqlite(raw)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise in_use(connection.engine.url) from error
        return
    others = connection.scalar(OTHERS)
    connection.rollback()
    if others:
        raise in_use(connection.engine.url)
