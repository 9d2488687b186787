"""Empty databases of the newest revision: SQLite in a temporary folder, and PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import Engine

from tests.postgres import emptied
from tweetsent.database import create_engine_for
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Incoming, Prediction
from tweetsent.store import Store
from tweetsent.tables import Base

ADMIN, OTHER_ADMIN = 901, 902


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'tweetsent.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine on an empty database at the head revision.

    On PostgreSQL the tests share one, whose schema they must leave as it is.
    """
    if request.param == "postgresql":
        url = emptied(request.getfixturevalue("migrated_postgres"), [*Base.metadata.tables])
        engine = create_engine_for(url)
        yield engine
        engine.dispose()
    else:
        yield request.getfixturevalue("sqlite_engine")


@pytest.fixture
def sqlite_engine(url: str, tmp_path: Path, empty_database: Path) -> Iterator[Engine]:
    """The same, always SQLite."""
    shutil.copy(empty_database, tmp_path / "tweetsent.db")
    engine = create_engine_for(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    """A store on an empty database."""
    pseudonymise = Pseudonymiser(b"a key for the tests only")
    return Store(engine, pseudonymise, admin_ids={ADMIN, OTHER_ADMIN})


class Saver(Protocol):
    """Stores a prediction; what a test does not care about has a default."""

    def __call__(
        self,
        message_id: int,
        *,
        label: Label = Label.POSITIVE,
        user_id: int = 1,
        chat_id: int = 1,
        model_version: str = "m1",
        latency_ms: float = 10.0,
        is_forward: bool = False,
        is_group: bool = False,
        confidence: float = 0.8,
        parts: int = 1,
    ) -> Prediction: ...


@pytest.fixture
def save(store: Store) -> Saver:
    """Stores a prediction in `store`."""

    def save(
        message_id: int,
        *,
        label: Label = Label.POSITIVE,
        user_id: int = 1,
        chat_id: int = 1,
        model_version: str = "m1",
        latency_ms: float = 10.0,
        is_forward: bool = False,
        is_group: bool = False,
        confidence: float = 0.8,
        parts: int = 1,
    ) -> Prediction:
        return store.save_prediction(
            Incoming(user_id, chat_id, message_id, f"metin {message_id}", is_forward, is_group),
            Scores(
                **{name: confidence if name == label else (1 - confidence) / 2 for name in LABELS}
            ),
            model_version=model_version,
            prompt_version="p1",
            latency_ms=latency_ms,
            parts=parts,
        )

    return save
