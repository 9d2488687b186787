"""A retraining run from its start to its end: export, training, evaluation, gate, promotion.

Every step stands in the database, and only a whole, verified adapter that passed the gate ever
serves. Whatever ends a run before, the model that serves stays and the next run starts clean.
"""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from sqlalchemy.orm import Session

from training.challenge import Material, compare, freeze, gather, make_challenger
from training.data import Example, LabelledData
from training.evaluation import Evaluation
from training.export import export_snapshot, read_base
from training.gate import Decision, GateRules
from training.publish import require_different_names
from training.qlora import Listener, Progress
from training.screening import screen_corrections
from training.settings import TrainingSettings
from training.snapshot import MANIFEST, Row, Snapshot, read_snapshot, require_new
from training.start import read_start
from tweetsent.adapter import read_manifest, shipped_adapter
from tweetsent.classifier import load_classifier
from tweetsent.embedded import NAME
from tweetsent.errors import (
    DataError,
    Lack,
    ModelError,
    NotReadyError,
    RunError,
    StoppedError,
    StoreError,
    VersionError,
    first_line,
)
from tweetsent.figures import comparison_png
from tweetsent.limits import explaining_memory
from tweetsent.model import BaseModel
from tweetsent.readiness import require_ready
from tweetsent.records import ActivatedBy, Run, RunState, RunStep, Trigger
from tweetsent.registry import Registry
from tweetsent.runs import Lease, Runs, snapshot_of
from tweetsent.settings import Settings
from tweetsent.store import Store

_HEARTBEAT_SECONDS = 20.0
_PROGRESS_SECONDS = 2.0
_REMEMBERED_RUNS = 1000


@dataclass(frozen=True, slots=True)
class Workshop:
    """What runs work with: the bot's own database, versions and settings."""

    settings: Settings
    store: Store
    runs: Runs
    registry: Registry

    @property
    def snapshots(self) -> Path:
        """The folder of all data sets that runs were made with."""
        return self.settings.snapshots

    @property
    def scratch(self) -> Path:
        """The folder of what a run has not finished."""
        return self.settings.tweetsent_data_dir / "runs"

    def serving(self) -> Path | None:
        """The adapter that should serve, on whichever base model; None is the untrained model."""
        model = self.registry.active()
        if model is not None:
            try:
                return self.registry.verified_folder(model)
            except (ModelError, VersionError):
                pass  # then the bot, too, serves the adapter of the settings
        return self._shipped()

    def champion(self, base: BaseModel) -> Path | None:
        """The adapter that serves on a base model; None is the untrained model."""
        for folder in (self.serving(), self._shipped()):
            if folder and read_manifest(folder).base_revision == base.revision:
                return folder
        return None

    def _shipped(self) -> Path | None:
        is_embedded = self.settings.tweetsent_base_model in {"auto", NAME}
        return shipped_adapter() if is_embedded else None


def retrain(
    shop: Workshop,
    trigger: Trigger,
    base: BaseModel,
    recipe: TrainingSettings,
    device: torch.device,
    listener: Listener,
    rules: GateRules | None = None,
) -> Run:
    """Make one run; returns it as it ended, promoted or refused.

    Raises NotReadyError when something is lacking and RunError when another run is at work: then
    none was begun. RunError also when an admin stopped it. Any other error, StoppedError among
    them, ends the run as failed and is raised.
    """
    rules = rules or GateRules()
    require_ready(shop.settings, shop.store, shop.runs, trigger, 2 * rules.fewest_corrections)
    _require_usable_data(shop, base)
    lease = shop.runs.start(trigger)
    try:
        with _cleared(shop, lease), _readable_errors(), _beating(lease) as is_lost:
            listener = replace(listener, should_stop=_either(listener.should_stop, is_lost))
            _run(shop, lease, base, recipe, device, listener, rules)
    except RunError:
        raise  # its row is another's to write
    except StoppedError as stop:
        # Its words promise a checkpoint, which runs don't keep.
        words = str(stop).split(";")[0]
        with suppress(StoreError, RunError):
            lease.finish(RunState.FAILED, words)
        raise StoppedError(f"{words}; what served before serves on") from stop
    except BaseException as error:
        with suppress(StoreError, RunError):  # whoever comes next writes down that it ended
            lease.finish(RunState.FAILED, first_line(error))
        raise
    try:
        shop.registry.prune(shop.settings.tweetsent_keep_models)
    except (StoreError, OSError) as error:  # the next run deletes them
        listener.say(f"old versions are not deleted: {first_line(error)}")
    run = shop.runs.get(lease.run_id)
    assert run is not None
    return run


def _run(
    shop: Workshop,
    lease: Lease,
    base: BaseModel,
    recipe: TrainingSettings,
    device: torch.device,
    listener: Listener,
    rules: GateRules,
) -> None:
    # Whoever holds the lease is alone: what lies there is of runs that were killed.
    shutil.rmtree(shop.scratch, ignore_errors=True)
    adapter = shop.scratch / str(lease.run_id) / "adapter"
    snapshot = _export(shop, lease, listener.say)
    material = _material(snapshot, shop.settings, rules, listener.say)
    report = _throttled(lease)

    def on_step(at: Progress) -> None:
        report(RunStep.TRAINING, at.step, at.steps)
        listener.on_step(at)

    lease.progress(RunStep.TRAINING)
    weight = shop.settings.tweetsent_correction_weight
    heard = replace(listener, on_step=on_step)
    start = _start(shop, base, recipe, listener.say)
    make_challenger(material, weight, base, recipe, adapter, device, heard, start)
    lease.progress(RunStep.EVALUATION)
    listener.say("measuring it beside the one that serves")
    last_activation = shop.registry.last_activation()
    decision, (before, after) = compare(
        shop.champion(base),
        adapter,
        material,
        base,
        rules,
        device,
        lambda done, total: report(RunStep.EVALUATION, done, total),
        listener.should_stop,
        _best_that_served(shop),
    )
    _write_report(adapter, decision, before, after)
    model = shop.registry.add(adapter)
    lease.made(model.version)
    for line in decision.lines():
        listener.say(line)
    lease.progress(RunStep.PROMOTION)
    if decision.is_promoted:
        # As the bot will: what can't be loaded must not serve, and merging takes its time here.
        folder = str(shop.registry.verified_folder(model))
        load_classifier(
            shop.settings.model_copy(update={"tweetsent_adapter": folder}), listener.say
        )
    _settle(shop, lease, model.version, decision, last_activation)


def _settle(
    shop: Workshop, lease: Lease, version: str, decision: Decision, last_activation: int
) -> None:
    """What serves changes together with what the run says of it, or neither does."""
    state, reason = RunState.REFUSED, decision.reason

    def finish(session: Session) -> None:
        lease.finish_with(session, state, reason, decision.as_dict())

    if decision.is_promoted:
        state = RunState.PROMOTED
        try:
            shop.registry.promote(
                version, ActivatedBy.GATE, f"run {lease.run_id}", finish, after=last_activation
            )
        except VersionError as error:  # an admin was quicker: it was compared with another one
            state, reason = RunState.REFUSED, str(error)
        else:
            return
    active = shop.registry.active()
    if active is not None and active.version == version:
        # The same rows made the same weights, which are no better than themselves: they serve on.
        lease.finish(state, reason, decision.as_dict())
    else:
        shop.registry.refuse(version, reason, finish)


def _best_that_served(shop: Workshop) -> dict[str, float]:
    """The highest macro-F1 of all promotions, by the name of the frozen set."""
    best: dict[str, float] = {}
    for run in shop.runs.list(_REMEMBERED_RUNS):
        if run.state is RunState.PROMOTED and run.decision:
            for part in run.decision["frozen"]:
                reached = max(part["champion"], part["challenger"])
                best[part["name"]] = max(reached, best.get(part["name"], 0.0))
    return best


def _require_usable_data(shop: Workshop, base: BaseModel) -> None:
    """What is wrong with the files is said before a run begins."""
    settings = shop.settings
    assert settings.tweetsent_base_data is not None
    _, dataset = read_base(settings.tweetsent_base_data)
    require_different_names([_read(path, lambda _: None) for path in settings.tweetsent_test_data])
    champion = shop.champion(base)
    if champion is None or settings.tweetsent_test_data:
        return
    manifest = read_manifest(champion)
    if any(run.model_version == manifest.version for run in shop.runs.list(_REMEMBERED_RUNS)):
        return  # runs keep their test data out
    # A part of the base data tests nothing of an adapter that was trained on all of it.
    if dataset.sha256 in {data.sha256 for data in manifest.datasets}:
        raise NotReadyError(Lack.TEST_DATA)


def _export(shop: Workshop, lease: Lease, say: Callable[[str], None]) -> Snapshot:
    assert shop.settings.tweetsent_base_data is not None  # `require_ready` has seen to it
    waiting = screen_corrections(
        shop.store,
        base_data=shop.settings.tweetsent_base_data,
        train_on_forwards=shop.settings.tweetsent_train_on_forwards,
    )
    if waiting:
        say(f"{waiting:,} corrections have improbable labels and wait for a review")
    folder = snapshot_of(shop.snapshots, lease.run_id)
    require_new(folder)
    while True:
        snapshot, correction_ids = _write_snapshot(shop, lease, folder, say)
        if shop.store.may_train_with(
            correction_ids, train_on_forwards=shop.settings.tweetsent_train_on_forwards
        ):
            break
        say("somebody withdrew a correction or their consent meanwhile: the set is made anew")
        shutil.rmtree(folder, ignore_errors=True)  # whoever was erased has deleted it already
    corrections = snapshot.manifest.counts["correction"]
    lease.exported(snapshot.manifest.rows_sha256, sum(corrections.values()))
    return snapshot


def _write_snapshot(
    shop: Workshop, lease: Lease, folder: Path, say: Callable[[str], None]
) -> tuple[Snapshot, set[int]]:
    """The data set as it stands in its folder, and the corrections that it is made of."""
    draft = shop.scratch / str(lease.run_id) / folder.name
    exported = export_snapshot(
        draft,
        shop.store,
        base_data=shop.settings.tweetsent_base_data,
        train_on_forwards=shop.settings.tweetsent_train_on_forwards,
        parent=_newest(shop.snapshots),
        screened_only=True,
        say=say,
    )
    # What is trained on is what was written, and not what may have been damaged on the way.
    snapshot = read_snapshot(draft)
    folder.parent.mkdir(exist_ok=True)
    draft.rename(folder)
    return snapshot, {number for row in exported.rows for number in row.correction_ids}


def _material(
    snapshot: Snapshot, settings: Settings, rules: GateRules, say: Callable[[str], None]
) -> Material:
    assert snapshot.manifest.base is not None
    assert settings.tweetsent_base_data is not None
    frozen = [_read(path, say) for path in settings.tweetsent_test_data]
    frozen = frozen or [freeze(_read(settings.tweetsent_base_data, say))]
    base = LabelledData(snapshot.manifest.base, _examples(snapshot.rows, "base"))
    corrections = _examples(snapshot.rows, "correction")
    material = gather(base, corrections, snapshot.manifest.rows_sha256, frozen, rules)
    say(
        f"{len(material.base.examples):,} rows of base data and "
        f"{len(material.corrections.examples):,} corrections to learn from; to test on: "
        f"{sum(len(part.examples) for part in material.frozen):,} frozen rows and the newest "
        f"{len(material.held):,} corrections"
    )
    return material


def _read(path: Path, say: Callable[[str], None]) -> LabelledData:
    examples, dataset = read_base(path, say)
    return LabelledData(dataset, examples)


def _start(
    shop: Workshop, base: BaseModel, recipe: TrainingSettings, say: Callable[[str], None]
) -> Path | None:
    """The adapter that the challenger starts from; None is the base model."""
    if shop.settings.tweetsent_retrain_from == "base":
        return None
    champion = shop.champion(base)
    if champion is None:
        say("starting from the base model: no adapter of it serves")
        return None
    try:
        manifest = read_start(champion, base, recipe)
    except ModelError as error:
        say(f"starting from the base model: {error}")
        return None
    say(f"starting from {manifest.version}")
    return champion


def _examples(rows: list[Row], source: str) -> list[Example]:
    """Those of a source, in the order of the snapshot: corrections by day."""
    return [Example(row.text, row.label) for row in rows if row.source == source]


def _newest(snapshots: Path) -> Path | None:
    """The snapshot of the run before; None without one that can be read."""
    for path in sorted(snapshots.glob(f"*/{MANIFEST}"), reverse=True):
        try:
            return read_snapshot(path.parent).path
        except DataError:
            continue
    return None


def _write_report(adapter: Path, decision: Decision, before: Evaluation, after: Evaluation) -> None:
    """Beside the adapter's own evaluation, so that it stays with a refused one too."""
    text = json.dumps(decision.as_dict(), ensure_ascii=False, indent=2)
    (adapter / "evaluation" / "gate.json").write_text(text + "\n", encoding="utf-8")
    matrices = (part.metrics.confusion_matrix for part in (before, after))
    picture = comparison_png(*matrices, title=f"{before.metrics.n} satır")
    (adapter / "evaluation" / "gate.png").write_bytes(picture)


@contextmanager
def _cleared(shop: Workshop, lease: Lease) -> Iterator[None]:
    """Leave nothing of a run that is not finished; a full disk has room again afterwards."""
    try:
        yield
    finally:
        shutil.rmtree(shop.scratch / str(lease.run_id), ignore_errors=True)
        with suppress(OSError):  # where this run lost its place, another's folder is beside
            shop.scratch.rmdir()


@contextmanager
def _readable_errors() -> Iterator[None]:
    """Say in one line what the machine lacked."""
    try:
        with explaining_memory():
            yield
    except OSError as error:
        where = error.filename or "a file"
        raise ModelError(f"{where} can't be read or written: {error.strerror or error}") from error


@contextmanager
def _beating(lease: Lease) -> Iterator[Callable[[], bool]]:
    """Renew the lease from a thread of its own, whatever else takes its time.

    The yielded function says whether another run took the place of this one.
    """
    stop, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not stop.wait(_HEARTBEAT_SECONDS):
            try:
                lease.renew()
            except StoreError:
                continue  # a database that is busy for a moment
            except RunError:
                lost.set()
                return

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield lost.is_set
    finally:
        stop.set()
        thread.join()


def _throttled(lease: Lease) -> Callable[[RunStep, int, int], None]:
    """Tell the database where the run stands, but not at every batch."""
    told_at = 0.0

    def report(step: RunStep, done: int, total: int) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at > _PROGRESS_SECONDS or done == total:
            told_at = now
            with suppress(StoreError):  # a database that is busy for a moment
                lease.progress(step, done, total)

    return report


def _either(*conditions: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: any(condition() for condition in conditions)
