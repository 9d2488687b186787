"""Databases made by the real migrations, in a temporary folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import Engine

from tweetsent.database import create_engine_for, upgrade
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Incoming, Prediction
from tweetsent.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'tweetsent.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine on an empty database at the head revision."""
    upgrade(url)
    engine = create_engine_for(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    """A store on an empty database."""
    return Store(engine, Pseudonymiser(b"a key for the tests only"))


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
    ) -> Prediction:
        return store.save_prediction(
            Incoming(user_id, chat_id, message_id, f"metin {message_id}", is_forward, is_group),
            Scores(**{name: 0.8 if name == label else 0.1 for name in LABELS}),
            model_version=model_version,
            prompt_version="p1",
            latency_ms=latency_ms,
        )

    return save
