"""All texts of a database are encrypted with one key or none is, and nobody mixes them up."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select, text

from tests.postgres import emptied
from tests.tweetsent.test_encryption import NEW, OLD
from tweetsent import text_key
from tweetsent.database import create_engine_for
from tweetsent.errors import ConfigError, StoreError
from tweetsent.labels import Label, Scores
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Incoming, Upload
from tweetsent.sessions import reading
from tweetsent.settings import Settings
from tweetsent.store import Store
from tweetsent.tables import Base, TextKeyRow
from tweetsent.text_key import Encrypted, encrypt_texts, encrypted_columns, open_database

WORDS = ["çok güzel manav", "gizli fatura.csv", "duyuru metni", "bekleyen ileti"]


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> Settings:
    """Those of an empty database, without a key."""
    if request.param == "postgresql":
        url = emptied(request.getfixturevalue("migrated_postgres"), [*Base.metadata.tables])
        return Settings(_env_file=None, tweetsent_database_url=url)
    shutil.copy(empty_database, tmp_path / "tweetsent.db")
    return Settings(_env_file=None, tweetsent_data_dir=tmp_path)


def keyed(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"tweetsent_text_key": SecretStr(",".join(keys))})


class Opened:
    """A store, for as long as one block lasts."""

    def __init__(self, settings: Settings) -> None:
        self.engine = open_database(settings)
        self.store = Store(self.engine, Pseudonymiser(b"a key for the tests only"))

    def __enter__(self) -> Store:
        return self.store

    def __exit__(self, *_: object) -> None:
        self.store.close()


def fill(store: Store) -> None:
    """One of everything that holds users' words."""
    store.set_consent(1, True)
    for number in range(1, 4):
        store.save_prediction(
            Incoming(1, 1, number, f"{WORDS[0]} {number}"),
            Scores(0.1, 0.2, 0.7),
            model_version="m",
            prompt_version="p",
            latency_ms=1.0,
        )
    store.correct(1, 1, Label.NEGATIVE)
    store.files.begin(1, Upload(1, 9, "BQAC", WORDS[1]), per_day=10)
    store.announcements.draft(1, 5, WORDS[2])
    store.inbox.add([(7, 1, WORDS[3])])


def check(store: Store) -> None:
    """Everything reads as it was written."""
    assert [row.text for row in store.own.messages(1, 9, older_than=None)] == [
        f"{WORDS[0]} {number}" for number in (3, 2, 1)
    ]
    (trained,) = store.training_corrections(train_on_forwards=False)
    assert trained.text == f"{WORDS[0]} 1"
    assert [job.upload.name for job in store.files.unfinished()] == [WORDS[1]]
    assert store.announcements.draft(1, 5, "another").text == WORDS[2]
    assert [update.payload for update in store.inbox.pending(9)] == [WORDS[3]]


def stored(settings: Settings) -> str:
    """All that the encrypted columns hold, as it is stored."""
    engine = create_engine_for(settings.database_url)
    with engine.connect() as connection:
        values = [
            str(value)
            for column in encrypted_columns()
            for value in connection.scalars(text(f"SELECT {column.name} FROM {column.table.name}"))
        ]
    engine.dispose()
    assert len(values) == 6
    return "\n".join(values)


def test_every_column_of_users_words_is_one_that_is_encrypted() -> None:
    assert {f"{column.table.name}.{column.name}" for column in encrypted_columns()} == {
        "predictions.text",
        "inbox.payload",
        "files.upload",
        "announcements.text",
    }


def test_without_a_key_texts_are_plain(settings: Settings) -> None:
    assert encrypt_texts(settings) is None
    with Opened(settings) as store:
        fill(store)
        check(store)
    assert all(word in stored(settings) for word in WORDS)


def test_with_a_key_nothing_readable_is_stored_and_all_is_read(settings: Settings) -> None:
    settings = keyed(settings, NEW)
    assert encrypt_texts(settings) == Encrypted(0, were_plain=True)  # of an empty database
    with Opened(settings) as store:
        fill(store)
        check(store)
        assert store.stats(train_on_forwards=False).trainable_corrections == 1
    assert not [word for word in WORDS if word in stored(settings)]


def test_a_key_that_comes_later_encrypts_what_there_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_key, "_ROWS_AT_ONCE", 2)
    with Opened(settings) as store:
        fill(store)
    with pytest.raises(StoreError, match=r"not encrypted yet: .* run `tweetsent db upgrade`"):
        open_database(keyed(settings, NEW))
    assert encrypt_texts(keyed(settings, NEW)) == Encrypted(6, were_plain=True)
    assert encrypt_texts(keyed(settings, NEW)) is None
    assert not [word for word in WORDS if word in stored(settings)]
    if settings.tweetsent_database_url is None:
        for path in settings.tweetsent_data_dir.glob("tweetsent.db*"):
            assert not [word for word in WORDS if word.encode() in path.read_bytes()]
    with Opened(keyed(settings, NEW)) as store:
        check(store)


def test_a_new_key_takes_the_place_of_the_old_one(settings: Settings) -> None:
    encrypt_texts(keyed(settings, OLD))
    with Opened(keyed(settings, OLD)) as store:
        fill(store)
    with Opened(keyed(settings, NEW, OLD)) as store:  # before the upgrade, too
        check(store)
    assert encrypt_texts(keyed(settings, NEW, OLD)) == Encrypted(6, were_plain=False)
    with Opened(keyed(settings, NEW)) as store:
        check(store)
    with pytest.raises(ConfigError, match="is not the key of the texts"):
        open_database(keyed(settings, OLD))


@pytest.mark.parametrize("use", [open_database, encrypt_texts])
def test_a_wrong_or_missing_key_stops_the_start(settings: Settings, use: object) -> None:
    assert callable(use)
    encrypt_texts(keyed(settings, NEW))
    with pytest.raises(ConfigError, match=r"wrong setting: TWEETSENT_TEXT_KEY is not the key of"):
        use(keyed(settings, OLD))
    with pytest.raises(ConfigError, match=r"are encrypted: set TWEETSENT_TEXT_KEY$"):
        use(settings)


def test_nothing_is_encrypted_beside_a_bot_that_has_no_key(settings: Settings) -> None:
    with Opened(settings) as store:
        fill(store)
        with pytest.raises(StoreError, match="is in use: stop the bot first"):
            encrypt_texts(keyed(settings, NEW))
        check(store)
    with Opened(settings) as store:
        check(store)


def test_what_ends_half_way_changes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Opened(settings) as store:
        fill(store)
    real, calls = text_key._encrypt, []

    def fails_at_the_third(*arguments: object) -> int:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(text_key, "_encrypt", fails_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            encrypt_texts(keyed(settings, NEW))
    with Opened(settings) as store:
        check(store)
    assert encrypt_texts(keyed(settings, NEW)) == Encrypted(6, were_plain=True)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    encrypt_texts(keyed(settings, NEW))
    engine = open_database(keyed(settings, NEW))
    yield engine
    engine.dispose()


def test_the_sample_is_no_key(engine: Engine) -> None:
    with reading(engine) as session:
        (sample,) = session.scalars(select(TextKeyRow.sample))
    assert NEW not in sample
