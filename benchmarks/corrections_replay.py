"""The story of a model that learns from its users: macro-F1 from round to round.

    python -m benchmarks.corrections_replay STORY… -- TRAIN VALID TEXT_COLUMN LABEL_COLUMN \
        LABEL_MAP SEED [ROWS_A_ROUND]

A first adapter is trained on a tenth of TRAIN. The rest, or so many rows a round, come in five
rounds as messages of simulated users, who correct what serves; one correction in ten has a wrong
label. After each round there is a retraining run with the real store, policy, screening, training,
gate and registry, and what serves then is measured on VALID, which no part of the story sees. The
stories:

    careful    policy, screening, gate, and an admin who knows the truth of what waits for a review
    open       no policy, no screening, no review, no gate: every run's result serves
    onward     careful, but each run starts from the adapter that serves, for one epoch

Users say of every message what it is, also where the answer was right. The seed decides which rows
are whose, who writes what and when, which labels are wrong, and the trainings. Each
story's rounds are written into corrections_replay.json beside this file as they end, and the
picture is drawn from what is there: the means over the seeds, and each seed as a thin line.
"""

import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock

from training.challenge import RECIPE, in_enough_steps
from training.data import Example, LabelledData, Source, parse_label_map, read_labelled
from training.duplicates import resolve_duplicates
from training.evaluation import evaluate
from training.plan import make_plan
from training.qlora import Listener
from training.retraining import Workshop, retrain
from training.run import train
from training.settings import TrainingSettings
from training.splits import hold_out, without_near
from tweetsent.adapter import Dataset
from tweetsent.classifier import load_from
from tweetsent.database import create_engine_for, upgrade
from tweetsent.labels import LABELS, Label
from tweetsent.model import BaseModel, choose_device, find_base_model
from tweetsent.policy import Policy
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import ActivatedBy, Incoming, RunState, Trigger
from tweetsent.registry import Registry
from tweetsent.runs import Runs
from tweetsent.settings import Settings
from tweetsent.store import Store

ROUNDS = 5
BASE_SHARE = FROZEN_SHARE = 0.1
NOISE = 0.1
USERS = 300
ADMIN = 1
RESULT = Path(__file__).with_suffix(".json")
NO_POLICY = Policy(
    sure_confidence=2.0,
    suspicious_share=0.0,
    corrections_per_user=10**6,
    share_per_user=1.0,
    least_per_user=10**6,
)
QUIET = Listener(lambda _: None, lambda _: None, lambda *_: None, lambda: False)


@dataclass(frozen=True)
class Rows:
    """Who sees which rows; no near-copy is in two parts."""

    base: list[Example]
    """What the first adapter, and every other, is trained on."""
    rounds: list[list[Example]]
    """What the users write, with the true labels."""
    frozen: list[Example]
    """The gate's test set."""
    unseen: list[Example]
    """What the story is measured on."""


@dataclass(frozen=True)
class World:
    """What all stories share."""

    rows: Rows
    base: BaseModel
    recipe: TrainingSettings
    device: torch.device
    first: Path
    """The adapter that serves at the beginning."""


def divide(
    rows: list[Example],
    unseen: list[Example],
    seed: int,
    rounds: int = ROUNDS,
    most: int | None = None,
) -> Rows:
    """Take the rows apart, the same way for the same seed; `most` is the most rows of a round."""
    kept = without_near(resolve_duplicates(rows).kept, unseen)
    rest, frozen = hold_out(kept, FROZEN_SHARE, seed)
    written, base = hold_out(rest, BASE_SHARE, seed)
    random.Random(seed).shuffle(written)
    parts = [written[number::rounds][:most] for number in range(rounds)]
    return Rows(base, parts, frozen, unseen)


def make_first(
    rows: Rows, base: BaseModel, recipe: TrainingSettings, device: torch.device, folder: Path
) -> Path:
    """Train what serves at the beginning."""
    dataset = Dataset(name="base", sha256="0" * 64, rows=len(rows.base))
    plan = make_plan([LabelledData(dataset, rows.base)], [])
    train(plan, base, in_enough_steps(recipe, len(rows.base)), folder, device, QUIET)
    return folder


def replay(story: str, world: World, folder: Path) -> list[dict[str, Any]]:
    """One story in an empty folder; a dictionary of figures for the beginning and each round."""
    shop = _open(story, world, folder)
    is_open = story == "open"
    rng = random.Random(world.recipe.seed)
    told = [{"round": 0, "macro_f1": _measure(shop, world)}]
    recipe = replace(world.recipe, epochs=1) if story == "onward" else world.recipe
    for number, rows in enumerate(world.rows.rounds, start=1):
        _write(shop, world, rows, rng, first=1000 * number)
        reviewed = 0 if is_open else _review(shop, world.rows)
        run = retrain(shop, Trigger.CLI, world.base, recipe, world.device, QUIET)
        assert run.model_version is not None
        if is_open and run.state is RunState.REFUSED:
            shop.registry.promote(run.model_version, ActivatedBy.CLI, "without the gate")
        waiting = shop.store.review_queue(train_on_forwards=False)
        told.append(
            {
                "round": number,
                "macro_f1": _measure(shop, world),
                "state": run.state.value,
                "reason": run.reason,
                "corrections": run.corrections,
                "reviewed": reviewed,
                "waiting": len(waiting),
                "false_in_set": _false_in_set(shop, world.rows),
            }
        )
        say(f"{story}: {json.dumps(told[-1], ensure_ascii=False)}")
    return told


def _open(story: str, world: World, folder: Path) -> Workshop:
    """A bot's data folder, in which the first adapter serves."""
    folder.mkdir(parents=True)
    files = {}
    for name, rows in (("base", world.rows.base), ("frozen", world.rows.frozen)):
        files[name] = folder / f"{name}.csv"
        frame = pd.DataFrame([(row.text, row.label.value) for row in rows])
        frame.to_csv(files[name], index=False, header=["text", "label"])
    settings = Settings(
        _env_file=None,
        tweetsent_data_dir=folder / "data",
        tweetsent_base_model=world.base.name,
        tweetsent_base_data=files["base"],
        tweetsent_test_data=(files["frozen"],),
        tweetsent_keep_models=1,
        tweetsent_retrain_from="champion" if story == "onward" else "base",
    )
    upgrade(settings.database_url)
    engine = create_engine_for(settings.database_url)
    policy = NO_POLICY if story == "open" else Policy()
    store = Store(
        engine, Pseudonymiser(b"of simulated users only"), admin_ids=[ADMIN], policy=policy
    )
    registry = Registry.of(settings, engine)
    registry.promote(registry.add(world.first).version, ActivatedBy.CLI)
    return Workshop(settings, store, Runs(engine), registry)


def _write(
    shop: Workshop, world: World, rows: list[Example], rng: random.Random, first: int
) -> None:
    """Each row is a user's message; what serves answers, and the user says what it should be."""
    classifier = load_from(world.base, shop.champion(world.base), world.device)
    for number, (row, scored) in enumerate(
        zip(rows, classifier.classify([row.text for row in rows]), strict=True), start=first
    ):
        user = 100 + rng.randrange(USERS)
        shop.store.set_consent(user, True)
        prediction = shop.store.save_prediction(
            Incoming(user, user, number, row.text),
            scored,
            model_version=classifier.version,
            prompt_version="p",
            latency_ms=1.0,
        )
        is_wrong = rng.random() < NOISE
        label = rng.choice([lb for lb in LABELS if lb is not row.label]) if is_wrong else row.label
        shop.store.correct(user, prediction.id, label)


def _review(shop: Workshop, rows: Rows) -> int:
    """An admin decides all that waits; returns how many that were."""
    truth = _truth(rows)
    queue = shop.store.review_queue(train_on_forwards=False)
    for item in queue:
        is_right = truth[item.text] is item.label
        shop.store.review(ADMIN, item.correction_id, accept=is_right, train_on_forwards=False)
    return len(queue)


def _false_in_set(shop: Workshop, rows: Rows) -> int:
    truth = _truth(rows)
    corrections = shop.store.training_corrections(train_on_forwards=False)
    return sum(truth[row.text] is not row.label for row in corrections)


def _truth(rows: Rows) -> dict[str, Label]:
    return {row.text: row.label for written in rows.rounds for row in written}


def _measure(shop: Workshop, world: World) -> float:
    classifier = load_from(world.base, shop.champion(world.base), world.device)
    return round(evaluate(classifier, world.rows.unseen).metrics.macro_f1, 4)


def draw(stories: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Macro-F1 per round by story and seed: the mean of each story, and its seeds thinly."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, by_seed) in enumerate(stories.items()):
        for told in by_seed.values():
            axes.plot(told, color=f"C{number}", linewidth=0.8, alpha=0.4)
        mean = [statistics.mean(at) for at in zip(*by_seed.values(), strict=True)]
        count = len(by_seed)
        label = f"{name} ({count} seed{'s' if count > 1 else ''})"
        axes.plot(mean, color=f"C{number}", linewidth=2.2, marker="o", label=label)
    axes.set_xlabel("round")
    axes.set_ylabel("macro-F1 of what serves, on unseen rows")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Replay the stories that were asked for."""
    stories, files = (
        arguments[: arguments.index("--")],
        arguments[arguments.index("--") + 1 :],
    )
    train_file, valid_file, text, label, codes, seed, *most = files
    labels = parse_label_map(codes)
    known, unseen = (
        read_labelled(Source(Path(file), text, label, labels)).examples
        for file in (train_file, valid_file)
    )
    settings = Settings.load()
    base = find_base_model(settings.tweetsent_base_model, settings.tweetsent_cache_dir, say)
    rows = divide(known, unseen, int(seed), most=int(most[0]) if most else None)
    recipe = replace(RECIPE, seed=int(seed))
    with tempfile.TemporaryDirectory() as scratch:
        device = choose_device(settings.tweetsent_device)
        first = make_first(rows, base, recipe, device, Path(scratch) / "first")
        world = World(rows, base, recipe, device, first)
        for story in stories:
            started = time.monotonic()
            told = replay(story, world, Path(scratch) / story)
            keep(story, told, world, time.monotonic() - started)


def keep(story: str, told: list[dict[str, Any]], world: World, seconds: float) -> None:
    """Add a story to the record, and draw all that is there."""
    rows = world.rows
    with FileLock(RESULT.with_suffix(".lock")):  # other processes may tell other stories
        kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
        kept.setdefault(story, {})[str(world.recipe.seed)] = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": _machine(),
            "torch": torch.__version__,
            "seconds": round(seconds),
            "base_rows": len(rows.base),
            "rows_a_round": [len(written) for written in rows.rounds],
            "gate_rows": len(rows.frozen),
            "unseen_rows": len(rows.unseen),
            "noise": NOISE,
            "users": USERS,
            "rounds": told,
        }
        text = json.dumps(kept, indent=2, ensure_ascii=False, sort_keys=True)
        RESULT.write_text(text + "\n", encoding="utf-8")
        figures = {
            name: {seed: [at["macro_f1"] for at in run["rounds"]] for seed, run in by_seed.items()}
            for name, by_seed in sorted(kept.items())
        }
        draw(figures, RESULT.with_suffix(".png"))


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), shared"


if __name__ == "__main__":
    main(sys.argv[1:])
