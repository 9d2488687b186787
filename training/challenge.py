"""Makes an adapter out of base data and corrections and measures it against the one that serves.

Wherever it starts from, it reads all base data again: an adapter trained further on corrections
alone forgets (catastrophic forgetting; replay: Rolnick et al. 2019, arXiv:1811.11682).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training.data import Example, LabelledData
from training.duplicates import resolve_duplicates
from training.evaluation import Evaluation, evaluate, pool
from training.gate import CORRECTIONS, Decision, GateRules, decide
from training.memory import Memory
from training.plan import make_plan
from training.qlora import Listener
from training.run import train
from training.settings import TrainingSettings
from training.splits import hold_out, without_near
from tweetsent.adapter import Dataset
from tweetsent.classifier import load_from
from tweetsent.errors import ConfigError, StoppedError
from tweetsent.model import BaseModel

RECIPE = TrainingSettings(
    epochs=3,
    batch_size=64,
    learning_rate=3e-4,
    lora_rank=32,
    augment=0.3,
    language_modelling=0.5,
)
"""The best of those in benchmarks/accuracy.md that train one model only."""
_FEWEST_STEPS, _SMALLEST_BATCH = 300, 8
"""Of few rows, large batches make too few steps to learn anything."""
_FROZEN_SHARE = 0.1
# The same rows in every run: which rows are frozen depends on nothing but their texts and this.
_FROZEN_SEED = 0
_HELD_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Material:
    """What a challenger learns from and is measured on; of the latter no near-copy is learnt."""

    base: LabelledData
    corrections: LabelledData
    frozen: list[LabelledData]
    """Test sets that no run trains on."""
    held: list[Example]
    """The newest corrections, kept out as a test."""


def freeze(base: LabelledData) -> LabelledData:
    """A tenth of the base data as a test set: the same in every run, whatever users correct."""
    _, kept = hold_out(resolve_duplicates(base.examples).kept, _FROZEN_SHARE, _FROZEN_SEED)
    dataset = base.dataset.model_copy(
        update={"name": f"frozen-{base.dataset.name}", "rows": len(kept)}
    )
    return LabelledData(dataset, kept)


def gather(
    base: LabelledData,
    corrections: list[Example],
    snapshot: str,
    frozen: list[LabelledData],
    rules: GateRules,
) -> Material:
    """Take apart what is trained on and what is tested on.

    `corrections` are oldest first, `snapshot` is the hash of the data set that they come from.
    Raises ConfigError when there is no base data, or only what is tested on.
    """
    if not base.examples:
        raise ConfigError("there is no base data: name it in TWEETSENT_BASE_DATA")
    count = max(rules.fewest_corrections, int(_HELD_SHARE * len(corrections)))
    first_held = max(0, len(corrections) - count)
    older, held = corrections[:first_held], corrections[first_held:]
    unseen = [row for part in frozen for row in part.examples] + held
    learnt = without_near(older, unseen)
    rows = without_near(base.examples, unseen)
    if not rows:
        raise ConfigError("every row of the base data is in the test data, or nearly so")
    return Material(
        base=LabelledData(base.dataset, rows),
        corrections=LabelledData(
            Dataset(name=CORRECTIONS, sha256=snapshot, rows=len(learnt)), learnt
        ),
        frozen=frozen,
        held=held,
    )


def make_challenger(
    material: Material,
    weight: float,
    base: BaseModel,
    settings: TrainingSettings,
    output: Path,
    device: torch.device,
    listener: Listener,
    start: Path | None = None,
) -> None:
    """Train an adapter into the folder `output`; each correction counts as `weight` rows.

    It starts from the adapter `start`, without one from the base model. Errors as
    `training.run.train`.
    """
    weighted = [replace(row, weight=weight) for row in material.corrections.examples]
    corrections = replace(material.corrections, examples=weighted)
    plan = make_plan([part for part in (material.base, corrections) if part.examples], [])
    settings = in_enough_steps(settings, len(plan.examples))
    train(plan, base, settings, output, device, listener, Memory.AUTO, start)


def in_enough_steps(settings: TrainingSettings, rows: int) -> TrainingSettings:
    """The settings with batches that are small enough for so few rows."""
    size = settings.epochs * rows // _FEWEST_STEPS
    smaller = max(_SMALLEST_BATCH, size)
    return replace(settings, batch_size=min(settings.batch_size, smaller))


def compare(
    champion: Path | None,
    challenger: Path,
    material: Material,
    base: BaseModel,
    rules: GateRules,
    device: torch.device,
    progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
    best: Mapping[str, float] | None = None,
) -> tuple[Decision, list[Evaluation]]:
    """Measure two adapters on the frozen sets and on the held corrections, and decide.

    Returns the decision, and both evaluations of all frozen rows: the champion's and the
    challenger's. `champion` None is the untrained model; `progress` gets rows done and in all;
    `best` as in `decide`.
    Raises ModelError when an adapter can't be loaded, StoppedError when asked to stop.
    """
    sets = {part.dataset.name: part.examples for part in material.frozen}
    total = 2 * (sum(map(len, sets.values())) + len(material.held))
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        if should_stop():
            raise StoppedError("stopped while measuring")
        done += rows
        progress(done, total)

    measured: list[dict[str, Evaluation]] = []
    held: list[Evaluation] = []
    for folder in (champion, challenger):
        classifier = load_from(base, folder, device)
        measured.append({name: evaluate(classifier, rows, count) for name, rows in sets.items()})
        if material.held:
            held.append(evaluate(classifier, material.held, count))
    before, after = measured
    corrections = (held[0], held[1]) if held else None
    decision = decide(before, after, corrections=corrections, rules=rules, best=best)
    return decision, [pool(list(results.values())) for results in measured]
