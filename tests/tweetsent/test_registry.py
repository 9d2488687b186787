"""The registry on a real database: what serves, what can be gone back to, what damage does."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from tests.tweetsent.adapters import damage, make_adapter
from tweetsent.adapter import WEIGHTS, read_manifest, shipped_adapter
from tweetsent.database import create_engine_for
from tweetsent.errors import ModelError, VersionError
from tweetsent.records import ActivatedBy, ModelState
from tweetsent.registry import SHIPPED, Registry
from tweetsent.settings import Settings

CLI, GATE, ADMIN = ActivatedBy.CLI, ActivatedBy.GATE, ActivatedBy.ADMIN
SHIPPED_VERSION = read_manifest(shipped_adapter()).version


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Registry:
    return Registry(engine, tmp_path / "data")


Add = Callable[[str], str]


@pytest.fixture
def add(registry: Registry, tmp_path: Path) -> Add:
    """Adds an adapter of a version and returns the version."""
    return lambda version: registry.add(make_adapter(tmp_path / "made", version)).version


def folder(tmp_path: Path, version: str) -> Path:
    return tmp_path / "data" / "models" / version


def states(registry: Registry) -> dict[str, ModelState]:
    return {model.version: model.state for model in registry.list()}


def active(registry: Registry) -> str | None:
    model = registry.active()
    return model and model.version


def test_an_empty_registry_leaves_the_choice_to_the_settings(registry: Registry) -> None:
    assert registry.active() is None
    assert registry.serving() is None
    assert registry.list() == []
    assert registry.prune(1) == []
    with pytest.raises(VersionError, match="no version to go back to"):
        registry.rollback(CLI)
    assert registry.history("a-1") == []
    with pytest.raises(VersionError, match="there is no version a-1"):
        registry.get("a-1")
    with pytest.raises(VersionError, match="there is no version a-1"):
        registry.promote("a-1", CLI)


def test_an_adapter_is_copied_whole_and_recorded(registry: Registry, tmp_path: Path) -> None:
    made = make_adapter(tmp_path / "made", "a-1")
    (made / "evaluation").mkdir()
    (made / "evaluation" / "report.txt").write_text("iyi")
    model = registry.add(made)
    shutil.rmtree(made)
    assert model == registry.get("a-1") == registry.list()[0]
    assert (model.version, model.folder, model.state) == ("a-1", "models/a-1", "candidate")
    assert model.parent_version == SHIPPED_VERSION
    assert model.metrics == {"v.csv": {"n": 6, "macro_f1": 0.5}}
    assert model.decided_at is None
    assert registry.verified_folder(model) == folder(tmp_path, "a-1")
    assert (folder(tmp_path, "a-1") / "evaluation" / "report.txt").read_text() == "iyi"
    assert registry.active() is None


def test_a_promotion_may_ask_that_nothing_changed_meanwhile(
    registry: Registry, tmp_path: Path
) -> None:
    for version in ("a-1", "b-2"):
        registry.add(make_adapter(tmp_path / "made", version))
    before = registry.last_activation()
    assert before == 0
    registry.promote("a-1", CLI, after=before)
    done: list[str] = []
    with pytest.raises(VersionError, match="another version was activated in the meantime"):
        registry.promote("b-2", CLI, "", lambda _: done.append("b-2"), after=before)
    assert (active(registry), done) == ("a-1", [])
    registry.promote("b-2", CLI, after=registry.last_activation())
    assert active(registry) == "b-2"


def test_adding_twice_is_harmless_and_repairs_a_damaged_copy(
    registry: Registry, tmp_path: Path
) -> None:
    made = make_adapter(tmp_path / "made", "a-1")
    first = registry.add(made)
    registry.promote("a-1", CLI)
    damage(folder(tmp_path, "a-1"))
    second = registry.add(made)
    assert (second.created_at, second.state) == (first.created_at, ModelState.ACTIVE)
    registry.verified_folder(second)
    assert registry.add(folder(tmp_path, "a-1")) == second  # its own folder
    assert len(registry.list()) == 1 + 1  # and the shipped one


def test_what_is_no_adapter_is_refused_and_leaves_nothing(
    registry: Registry, tmp_path: Path
) -> None:
    broken = make_adapter(tmp_path / "made", "a-1")
    damage(broken)
    with pytest.raises(ModelError, match="is damaged"):
        registry.add(broken)
    for number, version in enumerate(("../a", "a/b", ".a", "", "a" * 129, "a\n")):
        with pytest.raises(ModelError, match="can't be a folder's name"):
            registry.add(make_adapter(tmp_path / str(number), version))
    assert registry.list() == []
    assert not (tmp_path / "data").exists()


def test_a_version_belongs_to_one_set_of_weights(registry: Registry, tmp_path: Path) -> None:
    registry.add(make_adapter(tmp_path / "made", "a-1"))
    other = make_adapter(tmp_path / "other", "a-1", weights=b"other weights")
    with pytest.raises(ModelError, match="a-1 is taken by other weights"):
        registry.add(other)
    registry.verified_folder(registry.get("a-1"))


def test_a_full_disk_is_one_line(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    made = make_adapter(tmp_path / "made", "a-1")
    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(ModelError, match=r"can't be copied: .*No space left"):
        registry.add(made)
    assert [path.name for path in (tmp_path / "data" / "models").iterdir()] == [".lock"]


def test_a_promotion_retires_the_one_before_and_is_history(registry: Registry, add: Add) -> None:
    add("a-1")
    add("b-2")
    registry.promote("a-1", GATE, "macro-F1 0.71 → 0.73")
    model = registry.promote("b-2", CLI)
    assert model == registry.active()
    assert states(registry) == {"b-2": "active", "a-1": "retired", SHIPPED_VERSION: "retired"}
    assert registry.get("a-1").reason == "b-2 took its place"
    assert registry.get(SHIPPED_VERSION).folder == SHIPPED
    (first,) = registry.history("a-1")
    assert (first.by, first.reason) == (GATE, "macro-F1 0.71 → 0.73")
    serving = registry.serving()
    assert serving is not None
    assert (serving.model, serving.previous, serving.versions) == (model, "a-1", 3)
    assert (serving.activation.version, serving.activation.by) == ("b-2", CLI)
    assert add("c-3")
    assert registry.get("c-3").parent_version == "b-2"


def test_promoting_what_serves_changes_nothing(registry: Registry, add: Add) -> None:
    add("a-1")
    assert registry.promote("a-1", CLI) == registry.promote("a-1", ADMIN, "once more")
    assert len(registry.history("a-1")) == 1


def test_going_back_leads_to_the_shipped_adapter_in_the_end(registry: Registry, add: Add) -> None:
    for version in (add("a-1"), add("b-2")):
        registry.promote(version, CLI)
    for version in ("a-1", SHIPPED_VERSION):
        assert registry.rollback(ADMIN, "/geri_al").version == version
        assert active(registry) == version
    with pytest.raises(VersionError, match="no version to go back to"):
        registry.rollback(CLI)
    registry.verified_folder(registry.get(SHIPPED_VERSION))
    registry.promote("b-2", CLI)
    assert registry.rollback(CLI).version == SHIPPED_VERSION
    ways = [
        [one.is_rollback for one in registry.history(version)]
        for version in ("b-2", "a-1", SHIPPED_VERSION)
    ]
    assert ways == [[False, False], [True, False], [True, True, False]]


def test_going_back_from_another_activation_than_shown_is_refused(
    registry: Registry, add: Add
) -> None:
    add("a-1")
    add("b-2")
    registry.promote("a-1", CLI)
    shown = registry.history("a-1")[0].id
    registry.promote("b-2", GATE)
    with pytest.raises(VersionError, match="b-2 was activated in the meantime"):
        registry.rollback(ADMIN, from_activation=shown)
    assert registry.rollback(ADMIN, from_activation=registry.history("b-2")[0].id).version == "a-1"


def test_without_a_shipped_adapter_the_first_version_has_none_before(
    engine: Engine, tmp_path: Path
) -> None:
    settings = Settings(_env_file=None, tweetsent_base_model="x/y", tweetsent_data_dir=tmp_path)
    registry = Registry.of(settings, engine)
    assert registry.add(make_adapter(tmp_path / "made", "a-1")).parent_version is None
    registry.promote("a-1", CLI)
    assert [model.version for model in registry.list()] == ["a-1"]
    with pytest.raises(VersionError, match="no version to go back to"):
        registry.rollback(CLI)


def test_the_shipped_adapter_may_be_added_under_its_version(registry: Registry, add: Add) -> None:
    registry.add(shipped_adapter())
    registry.promote(add("a-1"), CLI)
    assert registry.get(SHIPPED_VERSION).folder == f"models/{SHIPPED_VERSION}"
    assert registry.rollback(CLI).version == SHIPPED_VERSION


def test_a_damaged_folder_is_never_activated(registry: Registry, add: Add, tmp_path: Path) -> None:
    registry.promote(add("a-1"), CLI)
    damage(folder(tmp_path, add("b-2")))
    with pytest.raises(ModelError, match="is damaged"):
        registry.promote("b-2", CLI)
    registry.promote(add("c-3"), CLI)
    damage(folder(tmp_path, "a-1"))
    with pytest.raises(ModelError, match="is damaged"):
        registry.rollback(CLI)
    shutil.rmtree(folder(tmp_path, "a-1"))
    shutil.copytree(folder(tmp_path, "c-3"), folder(tmp_path, "a-1"))
    with pytest.raises(ModelError, match="is c-3 now, not a-1"):
        registry.rollback(CLI)
    assert active(registry) == "c-3"
    assert len(registry.history("c-3")) == 1


def test_a_candidate_may_be_refused_and_what_serves_may_not(registry: Registry, add: Add) -> None:
    add("a-1")
    add("b-2")
    registry.promote("a-1", CLI)
    model = registry.refuse("b-2", "worse on v.csv")
    assert (model.state, model.reason) == (ModelState.REFUSED, "worse on v.csv")
    assert model.decided_at is not None
    with pytest.raises(VersionError, match="a-1 serves"):
        registry.refuse("a-1", "")
    assert registry.promote("b-2", CLI, "an admin knows better").state is ModelState.ACTIVE


def test_pruning_keeps_the_newest_what_serves_and_the_one_before(
    registry: Registry, add: Add, tmp_path: Path
) -> None:
    for version in (add("a-1"), add("b-2")):
        registry.promote(version, CLI)
    for number in range(3, 8):
        add(f"c-{number}")
    assert registry.prune(2) == ["c-5", "c-4", "c-3"]
    left = {path.name for path in (tmp_path / "data" / "models").iterdir()}
    assert left == {".lock", "a-1", "b-2", "c-6", "c-7"}
    assert len(registry.list()) == 8
    assert registry.get("c-3").deleted_at is not None
    assert registry.prune(2) == []
    with pytest.raises(VersionError, match=r"c-3 was deleted.*models add"):
        registry.promote("c-3", CLI)
    registry.rollback(CLI)
    registry.promote("b-2", CLI)
    registry.rollback(CLI)
    assert active(registry) == "a-1"


def test_a_deleted_version_comes_back_by_adding_it(
    registry: Registry, add: Add, tmp_path: Path
) -> None:
    add("a-1")
    add("b-2")
    assert registry.prune(1) == ["a-1"]
    with pytest.raises(VersionError, match="was deleted"):
        registry.verified_folder(registry.get("a-1"))
    registry.add(tmp_path / "made" / "a-1")
    assert registry.promote("a-1", CLI).deleted_at is None


def test_pruning_finishes_what_a_killed_one_began(
    registry: Registry, add: Add, tmp_path: Path
) -> None:
    add("a-1")
    add("b-2")
    kept = shutil.copytree(folder(tmp_path, "a-1"), tmp_path / "kept")
    registry.prune(1)
    shutil.copytree(kept, folder(tmp_path, "a-1"))
    assert registry.prune(1) == []
    assert not folder(tmp_path, "a-1").exists()


def test_many_promotions_at_once_come_one_after_the_other(
    engine: Engine, registry: Registry, add: Add, tmp_path: Path
) -> None:
    versions = [add(f"v-{number}") for number in range(6)]

    def promote(version: str) -> None:
        Registry(engine, tmp_path / "data").promote(version, CLI)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(promote, versions))
    assert sorted(states(registry).values()) == ["active", *["retired"] * 6]
    served = [active(registry), *(registry.rollback(CLI).version for _ in range(6))]
    assert sorted(map(str, served[:-1])) == versions  # each once: none was overlooked
    assert served[-1] == SHIPPED_VERSION


def test_the_database_allows_one_active_version(
    engine: Engine, registry: Registry, add: Add
) -> None:

    add("a-1")
    add("b-2")
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("UPDATE models SET state = 'active'"))


def killed_between_copy_and_row(url: str, data_dir: Path, made: Path, step: str) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if step == "copying":
        shutil.copytree = lambda source, target: (target.mkdir(), die())  # type: ignore[assignment]
    registry = Registry(create_engine_for(url), data_dir)
    if step == "recording":
        registry._record = die  # type: ignore[method-assign, assignment]
    registry.add(made)


@pytest.mark.parametrize(("step", "left"), [("copying", ".adding-"), ("recording", "a-1")])
def test_a_kill_leaves_nothing_in_the_way(
    sqlite_engine: Engine, url: str, tmp_path: Path, step: str, left: str
) -> None:
    made, data = make_adapter(tmp_path / "made", "a-1"), tmp_path / "data"
    child = multiprocessing.get_context("spawn").Process(
        target=killed_between_copy_and_row, args=(url, data, made, step)
    )
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert any(path.name.startswith(left) for path in (data / "models").iterdir())
    registry = Registry(sqlite_engine, data)
    assert registry.list() == []
    registry.promote(registry.add(made).version, CLI)
    assert {path.name for path in (data / "models").iterdir()} == {".lock", "a-1"}


def test_the_rows_hold_the_manifests_hashes(registry: Registry, tmp_path: Path) -> None:
    made = make_adapter(tmp_path / "made", "a-1")
    manifest = json.loads((made / "tweetsent.json").read_text())
    model = registry.add(made)
    assert model.weights_sha256 == manifest["files"][WEIGHTS]
    assert (model.base_model, model.base_revision) == ("tiny", "r" * 64)


def test_a_file_without_a_neutral_has_no_macro_f1(registry: Registry, tmp_path: Path) -> None:
    model = registry.add(make_adapter(tmp_path / "made", "a-1"))
    without = {"n": 6, "macro_f1": 0.3, "two_class_accuracy": 0.9}
    measured = replace(model, metrics=model.metrics | {"pn.csv": without})
    assert measured.macro_f1 == {"v.csv": 0.5}


def test_what_was_drawn_of_a_version_is_there_as_long_as_its_folder(
    registry: Registry, tmp_path: Path
) -> None:
    folder = make_adapter(tmp_path / "made", "a-1")
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "learning-curves.png").write_bytes(b"curves")
    registry.add(folder)
    registry.add(make_adapter(tmp_path / "made", "b-2"))
    assert registry.pictures("a-1") == {"learning-curves": b"curves"}
    assert registry.pictures("b-2") == {}
    registry.prune(keep=1)
    assert registry.pictures("a-1") == {}
    with pytest.raises(VersionError, match="no version c-3"):
        registry.pictures("c-3")
