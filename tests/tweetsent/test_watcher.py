"""Real swaps of a real tiny model under load: nothing lost, mixed up or left behind."""

import asyncio
import json
import shutil
import weakref
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import Engine, text

from tests.tweetsent.adapters import damage, make_adapter, scaled_copy
from tweetsent import watcher as watcher_module
from tweetsent.adapter import MANIFEST, WEIGHTS
from tweetsent.batching import BatchingClassifier
from tweetsent.classifier import Classifier, load_from
from tweetsent.database import create_engine_for
from tweetsent.errors import ModelError
from tweetsent.faults import Faults
from tweetsent.model import BaseModel, load_tokenizer
from tweetsent.records import ActivatedBy, FaultKind, Scored
from tweetsent.registry import Registry
from tweetsent.sealed import sha256_of
from tweetsent.watcher import Watcher

CLI = ActivatedBy.CLI
CPU = torch.device("cpu")
TEXTS = [f"{number}. film çok güzeldi ama uzundu" for number in range(12)]


class Loader:
    """Loads adapters of the tiny model; None is the untrained model."""

    def __init__(self, base: BaseModel) -> None:
        self.base = base
        self.calls: list[Path | None] = []

    def __call__(self, adapter: Path | None) -> Classifier:
        self.calls.append(adapter)
        return load_from(self.base, adapter, CPU)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "POLL_SECONDS", 0.02)


@pytest.fixture
def registry(sqlite_engine: Engine, tmp_path: Path) -> Registry:
    return Registry(sqlite_engine, tmp_path / "data", has_shipped=False)


@pytest.fixture
def versions(registry: Registry, tiny_adapters: tuple[Path, Path]) -> tuple[str, str]:
    one, two = (registry.add(folder).version for folder in tiny_adapters)
    return one, two


@pytest.fixture
def loader(tiny_base: BaseModel) -> Loader:
    return Loader(tiny_base)


def watcher_of(registry: Registry, load: Callable[[Path | None], Classifier]) -> Watcher:
    return Watcher(registry, load, Faults(registry._engine))


@asynccontextmanager
async def watching(registry: Registry, loader: Loader) -> Any:
    """A batching classifier that is kept in step; each text reaches its model."""
    watcher = watcher_of(registry, loader)
    batching = BatchingClassifier(watcher.first(), remembered=0)
    task = asyncio.create_task(watcher.run(batching))
    try:
        yield batching
        assert not task.done()
    finally:
        task.cancel()
        batching.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


def test_swaps_under_load_lose_no_text_and_mix_up_no_versions(
    registry: Registry, versions: tuple[str, str], loader: Loader
) -> None:
    one, two = versions
    registry.promote(one, CLI)

    async def talk() -> tuple[list[tuple[str, Scored]], list[int], int]:
        answers: list[tuple[str, Scored]] = []
        finished: list[int] = []
        tasks: set[asyncio.Task[None]] = set()
        stop = asyncio.Event()

        async def ask(number: int, batching: BatchingClassifier) -> None:
            words = TEXTS[number % len(TEXTS)]
            answers.append((words, await batching.classify(words)))
            finished.append(number)

        async def load(batching: BatchingClassifier) -> int:
            number = 0
            while not stop.is_set():
                tasks.add(asyncio.create_task(ask(number, batching)))
                number += 1
                await asyncio.sleep(0.002)
            return number

        async with watching(registry, loader) as batching:
            asking = asyncio.create_task(load(batching))
            for step in range(5):
                if step % 2:
                    wanted = (await asyncio.to_thread(registry.rollback, CLI)).version
                else:
                    wanted = (await asyncio.to_thread(registry.promote, two, CLI)).version
                await until(lambda wanted=wanted: batching.version == wanted)
                await asyncio.sleep(0.05)
            stop.set()
            asked = await asking
            await asyncio.gather(*tasks)
        return answers, finished, asked

    answers, finished, asked = asyncio.run(talk())

    assert len(loader.calls) == 1 + 5
    assert asked > 50
    assert finished == list(range(asked))
    assert {scored.model_version for _, scored in answers} == {one, two}
    alone = {}
    for version in versions:
        folder = registry.verified_folder(registry.get(version))
        scores = load_from(loader.base, folder, CPU).classify(TEXTS)
        alone[version] = dict(zip(TEXTS, (score.negative for score in scores), strict=True))
    assert all(abs(alone[one][words] - alone[two][words]) > 0.05 for words in TEXTS)
    for words, scored in answers:
        expected = alone[scored.model_version][words]
        assert scored.scores.negative == pytest.approx(expected, abs=0.02)


def test_all_processes_on_one_database_switch(
    registry: Registry, versions: tuple[str, str], loader: Loader, url: str, tmp_path: Path
) -> None:
    one, two = versions
    registry.promote(one, CLI)
    elsewhere = create_engine_for(url)

    async def talk() -> None:
        other = Registry(elsewhere, tmp_path / "data", has_shipped=False)
        async with watching(registry, loader) as first, watching(other, loader) as second:
            assert (first.version, second.version) == (one, one)
            await asyncio.to_thread(registry.promote, two, CLI)
            await until(lambda: first.version == second.version == two)

    asyncio.run(talk())
    elsewhere.dispose()


def test_a_swap_frees_the_old_model(
    registry: Registry, versions: tuple[str, str], loader: Loader
) -> None:
    one, two = versions
    registry.promote(one, CLI)

    async def talk() -> None:
        async with watching(registry, loader) as batching:
            await batching.classify(TEXTS[0])
            old = weakref.ref(batching._classifier._scorer.model)
            await asyncio.to_thread(registry.promote, two, CLI)
            await until(lambda: batching.version == two)
            await until(lambda: old() is None)

    asyncio.run(talk())


def spoil_weights(folder: Path) -> None:
    damage(folder)


def spoil_base(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"base_revision": "0" * 64}))


def truncate_weights(folder: Path) -> None:
    """Half of the weights, under the hash of that half."""
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][WEIGHTS] = sha256_of(path)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_weights, "is damaged"),
        (spoil_base, "was trained on"),
        (truncate_weights, " now, not "),
        (remove, "there is no tweetsent.json"),
    ],
)
def test_what_can_not_be_loaded_changes_nothing_and_is_said_once(
    registry: Registry,
    versions: tuple[str, str],
    loader: Loader,
    spoil: Callable[[Path], None],
    reason: str,
    tmp_path: Path,
    tiny_adapters: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, two = versions
    registry.promote(one, CLI)
    folder = tmp_path / "data" / "models" / two

    async def talk() -> None:
        async with watching(registry, loader) as batching:
            registry.promote(two, CLI)
            spoil(folder)
            await until(lambda: bool(warnings(caplog)))
            loads = len(loader.calls)
            await asyncio.sleep(0.3)
            assert len(loader.calls) == loads
            assert (await batching.classify(TEXTS[0])).model_version == one
            # Repaired, it is loaded at the next of the quiet tries.
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(tiny_adapters[1], folder)
            await until(lambda: f"model {two} serves in place of {one}" in caplog.text)
            assert batching.version == two

    monkeypatch.setattr(watcher_module, "_RETRY_SECONDS", 1.0)
    caplog.set_level("INFO")
    asyncio.run(talk())

    (line,) = warnings(caplog)
    assert f"model {two} can't be loaded, {one} serves on: " in line
    assert reason in line


def untold(registry: Registry) -> list[tuple[str, FaultKind, str]]:
    faults = Faults(registry._engine)
    found = iter(faults.claim, None)
    return [(fault.version, fault.kind, fault.reason) for fault in found if fault]


def test_a_fault_is_for_the_admins_once_until_it_is_mended(
    registry: Registry,
    versions: tuple[str, str],
    loader: Loader,
    tmp_path: Path,
    tiny_adapters: tuple[Path, Path],
) -> None:
    one, two = versions
    folder = tmp_path / "data" / "models" / two
    registry.promote(one, CLI)
    registry.promote(two, CLI)
    assert watcher_of(registry, loader).first().version == two
    assert untold(registry) == []

    damage(folder)
    for _start in range(2):
        assert watcher_of(registry, loader).first().version == one
    ((version, fault, reason),) = untold(registry)
    assert (version, fault) == (two, FaultKind.LOADING)
    assert "is damaged" in reason
    assert watcher_of(registry, loader).first().version == one
    assert untold(registry) == []

    shutil.rmtree(folder)
    shutil.copytree(tiny_adapters[1], folder)
    assert watcher_of(registry, loader).first().version == two
    damage(folder)
    assert watcher_of(registry, loader).first().version == one
    assert len(untold(registry)) == 1


def test_a_start_does_not_begin_with_scores_that_are_no_numbers(
    registry: Registry,
    versions: tuple[str, str],
    loader: Loader,
    tiny_adapters: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    bad = registry.add(scaled_copy(tiny_adapters[0], tmp_path / "bad", float("nan"))).version
    registry.promote(versions[0], CLI)
    registry.promote(bad, CLI)

    assert watcher_of(registry, loader).first().version == versions[0]
    ((version, _, reason),) = untold(registry)
    assert version == bad
    assert "not numbers" in reason


def test_a_base_model_without_its_tokenizer_is_swapped_in_by_nothing(
    registry: Registry,
    versions: tuple[str, str],
    tiny_base: BaseModel,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, two = versions
    registry.promote(one, CLI)
    base = tmp_path / "base"
    shutil.copytree(tiny_base.source, base)
    loader = Loader(replace(tiny_base, source=str(base)))

    async def talk() -> None:
        async with watching(registry, loader) as batching:
            for path in base.glob("tokenizer*"):
                path.unlink()
            load_tokenizer.cache_clear()  # of another process, for one
            registry.promote(two, CLI)
            await until(lambda: bool(warnings(caplog)))
            assert (await batching.classify(TEXTS[0])).model_version == one

    asyncio.run(talk())
    ((version, _, reason),) = untold(registry)
    assert version == two
    assert "tokenizer" in reason


def test_scores_that_are_no_numbers_never_serve(
    registry: Registry,
    versions: tuple[str, str],
    loader: Loader,
    tiny_adapters: tuple[Path, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry.promote(versions[0], CLI)
    bad = registry.add(scaled_copy(tiny_adapters[0], tmp_path / "bad", float("nan"))).version

    async def talk() -> None:
        async with watching(registry, loader) as batching:
            registry.promote(bad, CLI)
            await until(lambda: bool(warnings(caplog)))
            assert batching.version == versions[0]

    asyncio.run(talk())
    assert "gave scores that are not numbers" in warnings(caplog)[0]


def test_the_start_takes_the_active_version(
    registry: Registry, versions: tuple[str, str], loader: Loader
) -> None:
    assert watcher_of(registry, loader).first().version.endswith("-untrained")
    registry.promote(versions[1], CLI)
    assert watcher_of(registry, loader).first().version == versions[1]


def test_the_start_without_its_versions_warns_and_takes_the_settings_adapter(
    registry: Registry,
    versions: tuple[str, str],
    loader: Loader,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for version in versions:
        registry.promote(version, CLI)
        damage(tmp_path / "data" / "models" / version)

    async def talk() -> None:
        async with watching(registry, loader) as batching:
            assert batching.version.endswith("-untrained")
            await asyncio.sleep(0.2)

    asyncio.run(talk())
    for version, line in zip(reversed(versions), warnings(caplog), strict=True):
        assert line.startswith(f"model {version} can't be loaded, trying the one before it: ")
        assert "is damaged" in line


def test_a_start_with_nothing_that_loads_fails(tmp_path: Path, registry: Registry) -> None:
    def load(_: Path | None) -> Classifier:
        raise ModelError("there is no model")

    registry.promote(registry.add(make_adapter(tmp_path / "made", "a-1")).version, CLI)
    with pytest.raises(ModelError, match="there is no model"):
        watcher_of(registry, load).first()


def test_a_failing_database_is_said_once_and_outlived(
    registry: Registry,
    versions: tuple[str, str],
    loader: Loader,
    sqlite_engine: Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry.promote(versions[0], CLI)

    async def talk() -> None:
        async with watching(registry, loader) as batching:
            with sqlite_engine.begin() as connection:
                connection.execute(text("ALTER TABLE models RENAME TO gone"))
            await until(lambda: bool(warnings(caplog)))
            await asyncio.sleep(0.2)
            assert (await batching.classify(TEXTS[0])).model_version == versions[0]
            with sqlite_engine.begin() as connection:
                connection.execute(text("ALTER TABLE gone RENAME TO models"))
            await asyncio.to_thread(registry.promote, versions[1], CLI)
            await until(lambda: batching.version == versions[1])

    asyncio.run(talk())
    (line,) = warnings(caplog)
    assert f"the registry can't be read, {versions[0]} serves on: " in line
