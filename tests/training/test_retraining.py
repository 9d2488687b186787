"""Whole runs with the tiny model on a real database: what serves afterwards, whatever happens."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, update

from tests.training.runs import CPU, PLAIN
from tests.training.test_challenge import QUIET, RULES, numbered
from training import retraining
from training.data import Example
from training.qlora import Listener
from training.retraining import Workshop, retrain
from training.snapshot import read_snapshot
from tweetsent.adapter import read_manifest, write_manifest
from tweetsent.database import create_engine_for, upgrade
from tweetsent.errors import DataError, NotReadyError, RunError, StoppedError
from tweetsent.labels import Label, Scores
from tweetsent.model import BaseModel
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Incoming, ModelState, Run, RunState, RunStep, Trigger
from tweetsent.registry import Registry
from tweetsent.runs import Runs
from tweetsent.sessions import writing
from tweetsent.settings import Settings
from tweetsent.store import Store
from tweetsent.tables import RunRow, utc_now

RECIPE = replace(PLAIN, epochs=5, batch_size=8, learning_rate=1e-2)
LENIENT = replace(RULES, tolerance=1.0, recall_drop=1.0, calibration_drop=1.0)
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


def left_over(shop: Shop) -> list[str]:
    """What lies in the data folder, but for the database, the snapshots and the models."""
    data = shop.workshop.settings.tweetsent_data_dir
    known = {"tweetsent.db", "snapshots", "models"}
    names = {path.name for path in data.iterdir()} - known
    return sorted(name for name in names if not name.startswith("tweetsent.db"))


def test_corrections_become_a_better_model_that_serves(shop: Shop) -> None:
    said: list[str] = []
    run = shop.retrain(replace(QUIET, say=said.append))
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
    assert "promoted" in said

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
    if second.model_version != first.model_version:
        assert (refused.state, refused.reason) == (ModelState.REFUSED, second.reason)
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
    assert "starting from the base model: there is no adapter yet" in said
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


def test_a_champion_of_another_base_model_is_not_started_from(shop: Shop) -> None:
    shop.retrain()
    shop.set(tweetsent_retrain_from="champion")
    other, said = replace(shop.base, revision="0" * 64), []
    assert retraining._start(shop.workshop, other, RECIPE, said.append) is None
    assert "000000000000)" in said[0]
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
@pytest.mark.parametrize("error", [DataError("no space left"), MemoryError("out of memory")])
def test_an_error_at_any_step_leaves_the_old_model_serving(
    where: str, step: RunStep, error: Exception, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(retraining, where, fails(error))
        with pytest.raises(type(error)):
            shop.retrain()
    assert (shop.last.state, shop.last.step) == (RunState.FAILED, step)
    assert shop.last.reason == str(error)
    assert shop.workshop.registry.active() is None
    assert left_over(shop) == []


def test_a_run_that_lost_its_place_promotes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = retraining.compare

    def slow(*args: object, **named: object) -> object:
        result = compare(*args, **named)  # type: ignore[arg-type]
        with writing(shop.engine) as session:
            session.execute(update(RunRow).values(lease_until=utc_now().replace(year=2020)))
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
            session.execute(update(RunRow).values(lease_until=utc_now().replace(year=2020)))
        for _ in range(200):
            with writing(shop.engine) as session:
                until = session.get_one(RunRow, lease.run_id).lease_until
            if until > utc_now():
                break
        assert until > utc_now()
        assert not is_lost()
        with writing(shop.engine) as session:
            session.execute(update(RunRow).values(token="another's"))
        for _ in range(1000):
            if is_lost():
                break
            with writing(shop.engine):
                pass
        assert is_lost()


def test_a_damaged_champion_is_what_the_settings_name_instead(shop: Shop) -> None:
    shop.retrain()
    active = shop.workshop.registry.active()
    assert active is not None
    folder = shop.workshop.registry.verified_folder(active)
    assert shop.workshop.champion() == folder
    manifest = read_manifest(folder)
    write_manifest(folder, manifest.model_copy(update={"version": "another"}))
    assert shop.workshop.champion() is None
