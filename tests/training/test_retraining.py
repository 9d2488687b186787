"""Whole runs with the tiny model on a real database: what serves afterwards, whatever happens."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, update

from tests.training.runs import CPU, PLAIN
from tests.training.test_challenge import QUIET, RULES, numbered
from tests.tweetsent.adapters import make_adapter
from training import retraining
from training.data import Example
from training.export import export_snapshot
from training.qlora import Listener, Progress
from training.retraining import Workshop, retrain
from training.snapshot import PARQUET, Row, Snapshot, read_snapshot, write_snapshot
from tweetsent.adapter import read_manifest, write_manifest
from tweetsent.database import create_engine_for, upgrade
from tweetsent.errors import (
    DataError,
    Lack,
    NotReadyError,
    RunError,
    StoppedError,
    StoreError,
    TweetsentError,
)
from tweetsent.labels import Label, Scores
from tweetsent.model import BaseModel
from tweetsent.own_data import OwnData
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import (
    ActivatedBy,
    Consent,
    Incoming,
    ModelState,
    Run,
    RunState,
    RunStep,
    Trigger,
)
from tweetsent.registry import Registry
from tweetsent.runs import Lease, Runs
from tweetsent.sessions import reading, writing
from tweetsent.settings import Settings
from tweetsent.store import Store
from tweetsent.tables import RunRow

RECIPE = replace(PLAIN, epochs=5, batch_size=8, learning_rate=1e-2)
LENIENT = replace(RULES, tolerance=1.0, drift=1.0, recall_drop=1.0, calibration_drop=1.0)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
STRICT = replace(RULES, tolerance=0.0, recall_drop=0.0, calibration_drop=0.0)
CORRECTED = [
    Example(f"{row.text} çık git", Label.NEGATIVE)
    for row in numbered(75, first=300)
    if row.label is Label.POSITIVE
]


@dataclass
class Shop:
    """A bot's folder, and what a run needs."""

    workshop: Workshop
    engine: Engine
    base: BaseModel

    def retrain(self, listener: Listener = QUIET, **how: object) -> Run:
        given = {"rules": LENIENT, "trigger": Trigger.CLI, "recipe": RECIPE} | how
        return retrain(
            self.workshop,
            given.pop("trigger"),  # type: ignore[arg-type]
            self.base,
            given.pop("recipe"),  # type: ignore[arg-type]
            CPU,
            listener,
            given.pop("rules"),  # type: ignore[arg-type]
        )

    def set(self, **settings: object) -> None:
        """Another setting for the runs to come."""
        changed = self.workshop.settings.model_copy(update=settings)
        self.workshop = replace(self.workshop, settings=changed)

    @property
    def last(self) -> Run:
        return self.workshop.runs.list(1)[0]

    def correct(self, rows: list[Example], *, first: int = 0) -> None:
        """Each row is a user's message, answered wrongly and corrected."""
        store = self.workshop.store
        for number, row in enumerate(rows, start=first):
            user = 100 + number % 9
            store.set_consent(user, True)
            incoming = Incoming(user, user, number, row.text)
            wrong = Scores(0.1, 0.2, 0.7) if row.label is Label.NEGATIVE else Scores(0.7, 0.2, 0.1)
            prediction = store.save_prediction(
                incoming, wrong, model_version="m", prompt_version="p", latency_ms=1.0
            )
            store.correct(user, prediction.id, row.label)


@pytest.fixture
def shop(tiny_base: BaseModel, tmp_path: Path) -> Shop:
    return make_shop(tiny_base, tmp_path)


def make_shop(tiny_base: BaseModel, tmp_path: Path) -> Shop:
    """A folder with data, and a database with corrections."""
    base_data, test_data = tmp_path / "base.csv", tmp_path / "test.csv"
    for path, rows in ((base_data, numbered(60)), (test_data, numbered(24, first=500))):
        frame = pd.DataFrame([(row.text, row.label.value) for row in rows])
        frame.to_csv(path, index=False, header=["text", "label"])
    settings = Settings(
        _env_file=None,
        tweetsent_data_dir=tmp_path / "data",
        tweetsent_base_model=tiny_base.name,
        tweetsent_base_data=base_data,
        tweetsent_test_data=(test_data,),
    )
    upgrade(settings.database_url)
    engine = create_engine_for(settings.database_url)
    store = Store(engine, Pseudonymiser(b"a key for the tests only"))
    shop = Shop(
        Workshop(settings, store, Runs(engine), Registry.of(settings, engine)), engine, tiny_base
    )
    shop.correct(CORRECTED)
    return shop


@dataclass
class Served:
    """A shop whose first run was promoted, which tests only look at."""

    shop: Shop
    run: Run
    said: list[str]


@pytest.fixture(scope="module")
def served(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Served:
    shop = make_shop(tiny_base, tmp_path_factory.mktemp("served"))
    said: list[str] = []
    return Served(shop, shop.retrain(replace(QUIET, say=said.append)), said)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait, on a machine that may be busy."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def left_over(shop: Shop) -> list[str]:
    """What lies in the data folder, but for the database, the snapshots and the models."""
    data = shop.workshop.settings.tweetsent_data_dir
    known = {"snapshots", "models", "pseudonym.key", "pseudonym.lock"}
    names = {path.name for path in data.iterdir()} - known
    return sorted(name for name in names if not name.startswith("tweetsent.db"))


def test_consent_that_is_taken_back_during_the_export_is_in_force(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, real, said = shop.workshop.store, read_snapshot, []
    theirs = {row.text for number, row in enumerate(CORRECTED) if number % 9 == 0}

    def withdraw_once_and_read(folder: Path) -> Snapshot:
        if store.consent(100) is Consent.GRANTED:
            store.set_consent(100, False)
        return real(folder)

    monkeypatch.setattr(retraining, "read_snapshot", withdraw_once_and_read)
    lease = shop.workshop.runs.start(Trigger.CLI)

    snapshot = retraining._export(shop.workshop, lease, said.append)

    kept = {row.text for row in snapshot.rows}
    assert not theirs & kept
    assert kept & {row.text for row in CORRECTED}
    assert len([line for line in said if "made anew" in line]) == 1
    assert [path.name for path in shop.workshop.snapshots.iterdir()] == [f"{lease.run_id:06d}"]


def test_corrections_become_a_better_model_that_serves(served: Served) -> None:
    shop, run = served.shop, served.run
    registry = shop.workshop.registry
    active = registry.active()
    assert active is not None
    assert (run.state, run.model_version) == (RunState.PROMOTED, active.version)
    assert (run.step, run.reason) == (RunStep.PROMOTION, "")
    folder = registry.verified_folder(active)
    kept = json.loads((folder / "evaluation" / "gate.json").read_text("utf-8"))
    assert run.decision == kept
    assert kept["corrections"]["challenger"] > kept["corrections"]["champion"]
    assert (folder / "evaluation" / "gate.png").read_bytes().startswith(b"\x89PNG")
    assert "promoted" in served.said

    snapshot = read_snapshot(shop.workshop.snapshots / f"{run.id:06d}")
    assert run.snapshot == snapshot.manifest.rows_sha256
    assert run.corrections == len(CORRECTED)
    assert len(snapshot.rows) == 60 + len(CORRECTED)
    sources = {data.name: data.rows for data in read_manifest(folder).datasets}
    assert sources["corrections"] < len(CORRECTED)  # the newest were held back
    assert left_over(shop) == []


def test_the_next_run_is_measured_against_the_one_before_and_may_be_refused(shop: Shop) -> None:
    first = shop.retrain()
    champion = shop.workshop.registry.active()
    second = shop.retrain(rules=STRICT)
    assert second.state is RunState.REFUSED
    assert second.reason
    assert shop.workshop.registry.active() == champion
    assert second.model_version is not None
    refused = shop.workshop.registry.get(second.model_version)
    # Here the same rows make the same weights again: a version that serves is not refused.
    assert second.model_version == first.model_version
    assert refused == champion
    assert [item.version for item in shop.workshop.registry.list()] == [refused.version]
    snapshots = [
        read_snapshot(shop.workshop.snapshots / f"{run.id:06d}") for run in (first, second)
    ]
    assert snapshots[1].manifest.parent == snapshots[0].manifest.rows_sha256


def made_from(shop: Shop, run: Run) -> str | None:
    """The version that a run's adapter started from."""
    model = shop.workshop.registry.get(run.model_version or "")
    return read_manifest(shop.workshop.registry.verified_folder(model)).started_from


def test_a_run_starts_from_the_base_model_unless_the_champion_is_asked_for(shop: Shop) -> None:
    shop.set(tweetsent_retrain_from="champion")
    said: list[str] = []
    listener = replace(QUIET, say=said.append)
    first = shop.retrain(listener)
    assert "starting from the base model: no adapter of it serves" in said
    assert made_from(shop, first) is None

    second = shop.retrain(listener, rules=STRICT)
    assert f"starting from {first.model_version}" in said
    assert made_from(shop, second) == first.model_version

    shop.set(tweetsent_retrain_from="base")
    said.clear()
    third = shop.retrain(listener, recipe=replace(RECIPE, seed=8))
    assert made_from(shop, third) is None
    assert not any("starting from" in line for line in said)


def test_a_champion_that_does_not_fit_is_not_started_from(shop: Shop) -> None:
    champion = shop.retrain(recipe=replace(RECIPE, lora_rank=2)).model_version
    active = shop.workshop.registry.active()
    assert active is not None
    assert active.version == champion
    shop.set(tweetsent_retrain_from="champion")
    said: list[str] = []
    run = shop.retrain(replace(QUIET, say=said.append))
    (line,) = [line for line in said if line.startswith("starting from")]
    assert line.startswith("starting from the base model: adapter ")
    assert line.endswith("can start from it only with --lora-rank 2 (here it is 4)")
    assert made_from(shop, run) is None


def test_a_champion_of_another_base_model_is_not_started_from(served: Served) -> None:
    shop = replace(served.shop)
    shop.set(tweetsent_retrain_from="champion")
    other, said = replace(shop.base, revision="0" * 64), []
    assert retraining._start(shop.workshop, other, RECIPE, said.append) is None
    assert said == ["starting from the base model: no adapter of it serves"]
    assert retraining._start(shop.workshop, shop.base, RECIPE, said.append) is not None


def test_a_withdrawn_consent_is_in_force_with_the_next_run(shop: Shop) -> None:
    users = {100 + number % 9 for number in range(len(CORRECTED))}
    for user in sorted(users)[:3]:
        shop.workshop.store.set_consent(user, False)
    run = shop.retrain()
    assert run.corrections is not None
    assert 0 < run.corrections < len(CORRECTED)


def test_too_little_to_learn_from_begins_no_run(shop: Shop) -> None:
    with pytest.raises(RunError, match="accepted corrections are too few to learn"):
        shop.retrain(rules=replace(RULES, fewest_corrections=20))
    with pytest.raises(RunError, match="TWEETSENT_RETRAIN_MIN_CORRECTIONS is 50"):
        shop.retrain(trigger=Trigger.SCHEDULE)
    without = shop.workshop.settings.model_copy(update={"tweetsent_base_data": None})
    shop.workshop = replace(shop.workshop, settings=without)
    with pytest.raises(NotReadyError, match="TWEETSENT_BASE_DATA is not set"):
        shop.retrain()
    assert shop.workshop.runs.list() == []


def test_a_second_run_at_the_same_time_is_refused(shop: Shop) -> None:
    def start_another(_: object) -> None:
        with pytest.raises(RunError, match="only one runs at a time"):
            shop.retrain()

    run = shop.retrain(replace(QUIET, on_step=start_another))
    assert run.state is RunState.PROMOTED
    assert len(shop.workshop.runs.list()) == 1


def test_a_stopped_run_is_written_down_and_the_next_starts_clean(shop: Shop) -> None:
    with pytest.raises(StoppedError):
        shop.retrain(replace(QUIET, should_stop=lambda: True))
    assert (shop.last.state, shop.last.step) == (RunState.FAILED, RunStep.TRAINING)
    assert shop.last.reason.startswith("stopped after step 1")
    assert left_over(shop) == []
    assert shop.workshop.registry.active() is None
    assert shop.retrain().state is RunState.PROMOTED


Fault = Callable[..., object]


def plays_training(*_: object) -> None:
    """Nothing is trained: for what goes wrong elsewhere."""


def fails(error: BaseException) -> Fault:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("export_snapshot", RunStep.EXPORT),
        ("make_challenger", RunStep.TRAINING),
        ("compare", RunStep.EVALUATION),
        ("_write_report", RunStep.EVALUATION),
    ],
)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DataError("no space left"), "no space left"),
        (OSError(28, "No space left on device", "a"), "a can't be read or written: No space left"),
        (MemoryError(), "memory ran out: raise TWEETSENT_RETRAIN_MEMORY_GB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory ran out"),
    ],
)
def test_an_error_at_any_step_leaves_the_old_model_serving(
    where: str,
    step: RunStep,
    error: Exception,
    reason: str,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retraining, "make_challenger", plays_training)
    monkeypatch.setattr(retraining, "compare", lambda *_: (None, (None, None)))
    monkeypatch.setattr(retraining, where, fails(error))
    with pytest.raises(TweetsentError, match=reason):
        shop.retrain()
    assert (shop.last.state, shop.last.step) == (RunState.FAILED, step)
    assert shop.last.reason.startswith(reason)
    assert shop.workshop.registry.active() is None
    assert left_over(shop) == []


def test_what_serves_and_what_the_run_says_change_together(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "finish_with", fails(StoreError("the disk is full")))
        with pytest.raises(StoreError, match="the disk is full"):
            shop.retrain()
    assert shop.workshop.registry.active() is None
    (candidate,) = shop.workshop.registry.list()
    assert candidate.state is ModelState.CANDIDATE
    assert shop.last.state is RunState.RUNNING  # no word got through, until the next run


def test_a_promoted_run_does_not_fail_where_old_versions_stay(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "prune", fails(StoreError("the database is locked")))
    said: list[str] = []
    assert shop.retrain(replace(QUIET, say=said.append)).state is RunState.PROMOTED
    assert said[-1] == "old versions are not deleted: the database is locked"


def test_a_snapshot_that_was_damaged_is_no_parent_and_no_obstacle(shop: Shop) -> None:
    snapshots = shop.workshop.snapshots
    for number in (7, 8):
        write_snapshot(snapshots / f"{number:06d}", [Row("a", Label.NEUTRAL, "base")], policy={})
    parent = read_snapshot(snapshots / "000007").manifest.rows_sha256
    with (snapshots / "000008" / PARQUET).open("r+b") as file:
        file.write(b"damage")
    with pytest.raises(StoppedError):
        shop.retrain(replace(QUIET, should_stop=lambda: True))
    assert read_snapshot(snapshots / f"{shop.last.id:06d}").manifest.parent == parent


def test_a_snapshot_that_is_damaged_before_it_is_read_ends_the_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(folder: Path, *given: object, **named: object) -> None:
        export_snapshot(folder, *given, **named)  # type: ignore[arg-type]
        (folder / PARQUET).write_bytes((folder / PARQUET).read_bytes()[:-1])

    monkeypatch.setattr(retraining, "export_snapshot", damaged)
    with pytest.raises(DataError, match=r"data.parquet was changed"):
        shop.retrain()
    assert (shop.last.state, shop.last.step) == (RunState.FAILED, RunStep.EXPORT)
    assert "data.parquet was changed" in shop.last.reason
    assert left_over(shop) == []
    assert not shop.workshop.snapshots.exists()


def test_a_user_may_be_erased_during_a_run_and_is_in_no_later_set(shop: Shop) -> None:
    snapshots = shop.workshop.snapshots
    own = OwnData(shop.engine, Pseudonymiser(b"a key for the tests only"), snapshots)
    theirs = {message.text for message in own.messages(100, 100, older_than=None)}

    def erase(_: Progress) -> None:
        own.erase(100)

    first = shop.retrain(replace(QUIET, on_step=erase))
    assert first.state is RunState.PROMOTED
    assert list(snapshots.iterdir()) == []

    second = shop.retrain()
    kept = {row.text for row in read_snapshot(snapshots / f"{second.id:06d}").rows}
    assert theirs
    assert not theirs & kept
    assert second.corrections == len(CORRECTED) - len(theirs)


def test_a_run_that_lost_its_place_promotes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = retraining.compare

    def slow(*args: object, **named: object) -> object:
        result = compare(*args, **named)  # type: ignore[arg-type]
        with writing(shop.engine) as session:
            session.execute(update(RunRow).values(heartbeat=None, lease_until=LONG_AGO))
        other = shop.workshop.runs.start(Trigger.SCHEDULE)
        other.finish(RunState.FAILED, "another's")
        return result

    monkeypatch.setattr(retraining, "compare", slow)
    with pytest.raises(RunError, match="another may have taken its place"):
        shop.retrain()
    assert shop.workshop.registry.active() is None
    assert [run.state for run in shop.workshop.runs.list()] == [RunState.FAILED] * 2


def test_the_lease_is_renewed_while_a_step_takes_its_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "_HEARTBEAT_SECONDS", 0.02)
    lease = shop.workshop.runs.start(Trigger.CLI)
    with retraining._beating(lease) as is_lost:
        with writing(shop.engine) as session:
            session.execute(update(RunRow).values(lease_until=LONG_AGO))

        def is_renewed() -> bool:
            with reading(shop.engine) as session:
                return session.get_one(RunRow, lease.run_id).lease_until > LONG_AGO

        wait_until(is_renewed)
        assert not is_lost()
        with writing(shop.engine) as session:
            session.execute(update(RunRow).values(token="another's"))
        wait_until(is_lost)


def test_a_damaged_champion_is_what_the_settings_name_instead(shop: Shop) -> None:
    shop.retrain()
    active = shop.workshop.registry.active()
    assert active is not None
    folder = shop.workshop.registry.verified_folder(active)
    assert shop.workshop.champion(shop.base) == folder
    manifest = read_manifest(folder)
    write_manifest(folder, manifest.model_copy(update={"version": "another"}))
    assert shop.workshop.champion(shop.base) is None


def test_a_version_of_another_base_model_is_no_champion(shop: Shop, tmp_path: Path) -> None:
    registry = shop.workshop.registry
    registry.promote(
        registry.add(make_adapter(tmp_path / "made", "other-1")).version, ActivatedBy.CLI
    )
    assert shop.workshop.serving() is not None
    assert shop.workshop.champion(shop.base) is None
    assert shop.retrain().state is RunState.PROMOTED


def test_what_an_admin_promoted_meanwhile_stays(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = shop.workshop.registry
    other = registry.add(make_adapter(tmp_path / "made", "other-1")).version
    compare = retraining.compare

    def interrupted(*args: object, **named: object) -> object:
        registry.promote(other, ActivatedBy.CLI)
        return compare(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(retraining, "compare", interrupted)
    run = shop.retrain()
    assert (run.state, run.reason) == (
        RunState.REFUSED,
        "another version was activated in the meantime",
    )
    active = registry.active()
    assert active is not None
    assert active.version == other
    assert run.model_version is not None
    assert registry.get(run.model_version).state is ModelState.REFUSED


def test_a_database_that_is_busy_for_a_moment_ends_no_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(self: object, step: RunStep, done: int = 0, total: int = 0) -> None:
        if done:
            raise StoreError("database is locked")

    monkeypatch.setattr("tweetsent.runs.Lease.progress", busy)
    assert shop.retrain().state is RunState.PROMOTED


def test_test_sets_need_names_of_their_own(shop: Shop, tmp_path: Path) -> None:
    (path,) = shop.workshop.settings.tweetsent_test_data
    (tmp_path / "other").mkdir()
    twin = shutil.copy(path, tmp_path / "other" / path.name)
    shop.set(tweetsent_test_data=(path, twin))
    with pytest.raises(DataError, match="need different names"):
        shop.retrain()


def test_the_base_data_can_not_test_what_was_trained_on_all_of_it(shop: Shop) -> None:
    base_data = shop.workshop.settings.tweetsent_base_data
    assert base_data is not None
    shop.set(tweetsent_test_data=())
    shop.retrain()
    shop.retrain()  # of a champion that a run has made a part of it is unread
    active = shop.workshop.registry.active()
    assert active is not None
    with writing(shop.engine) as session:
        session.execute(update(RunRow).values(model_version="another"))
    with pytest.raises(NotReadyError) as raised:
        shop.retrain()
    assert raised.value.lack is Lack.TEST_DATA


def test_many_small_losses_are_measured_against_the_best_that_served(served: Served) -> None:
    assert served.run.decision is not None
    (frozen,) = served.run.decision["frozen"]
    best = max(frozen["champion"], frozen["challenger"])
    assert retraining._best_that_served(served.shop.workshop) == {"test.csv": best}
