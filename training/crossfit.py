"""What models that never saw a row, nor a near-copy of it, say about it: for every training row.

Each of several models is trained on all folds but one and asked about that one. Trained towards
these probabilities as well as towards its label, a row that was labelled wrongly teaches less
(self-distillation: Furlanello et al. 2018, arXiv:1805.04770; cross-fitted, since a model is sure of
the rows that it has read).
"""

import gc
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from training.calibration import fit_temperature
from training.checkpoint import Checkpoint, History
from training.data import Example
from training.memory import Memory
from training.qlora import Listener, Score, fine_tune, identity_of, is_main_process
from training.settings import TrainingSettings
from training.splits import folds
from tweetsent.classifier import Classifier
from tweetsent.model import BaseModel, LabelScorer
from tweetsent.packed import PackedScorer
from tweetsent.prompt import PromptEncoder

FOLDS = 5


def with_expectations(
    base: BaseModel,
    examples: list[Example],
    settings: TrainingSettings,
    device: torch.device,
    listener: Listener,
    memory: Memory,
    done: Path,
) -> list[Example]:
    """The same rows, each with `expected`, if the settings want self-distillation.

    Parameters and errors as in `out_of_fold_probabilities`.
    """
    if not settings.self_distillation:
        return examples
    probabilities = out_of_fold_probabilities(
        base, examples, settings, device, listener, memory, done
    )
    return [
        replace(row, expected=(negative, neutral, positive))
        for row, (negative, neutral, positive) in zip(examples, probabilities.tolist(), strict=True)
    ]


def out_of_fold_probabilities(
    base: BaseModel,
    examples: list[Example],
    settings: TrainingSettings,
    device: torch.device,
    listener: Listener,
    memory: Memory,
    done: Path,
) -> torch.Tensor:
    """Calibrated probabilities (n, 3), in label order, of models that never saw the row.

    The folds done so far are kept in the file `done`, from where the same call goes on. Errors as
    `fine_tune`; DataError also when there are too few rows for the folds.
    """
    # A fold has nothing to choose its best epoch by.
    settings = replace(settings, self_distillation=0.0, patience=0)
    memory = memory.resolve(device)
    identity = identity_of(base, examples, settings, memory, device)
    logits = torch.zeros(len(examples), 3)
    first = 0
    if done.exists():
        kept = Checkpoint.load(done, torch.device("cpu"))
        kept.require(identity, done)
        logits, first = kept.tensors["logits"], kept.step
    parts = folds(examples, FOLDS, settings.seed)
    for number, (seen, unseen) in list(enumerate(parts, start=1))[first:]:
        listener.say(f"fold {number} of {FOLDS}: training without {len(unseen):,} rows")
        rows = set(unseen)
        logits[[index for index, row in enumerate(examples) if row in rows]] = _logits_of(
            base, seen, unseen, settings, device, _of_fold(listener, number), memory, done
        )
        if is_main_process():
            Checkpoint(identity, number, {"logits": logits}, {}, History()).save(done)
    temperature = fit_temperature(logits, [row.label for row in examples])
    return (logits / temperature).softmax(dim=1)


def _of_fold(listener: Listener, number: int) -> Listener:
    return replace(
        listener,
        on_step=lambda at: listener.on_step(replace(at, stage=f"fold {number} of {FOLDS}")),
        on_scores=lambda *_: None,
    )


def _logits_of(
    base: BaseModel,
    seen: list[Example],
    unseen: list[Example],
    settings: TrainingSettings,
    device: torch.device,
    listener: Listener,
    memory: Memory,
    done: Path,
) -> torch.Tensor:
    """Logits (m, 3) of the unseen rows, in every process."""
    found: list[torch.Tensor | None] = [None]
    checkpoint = done.with_name(f"{done.name}.checkpoint")
    fine_tune(
        base,
        seen,
        settings,
        device,
        listener,
        score=_reader(unseen, settings.epochs, found),
        memory=memory,
        checkpoint=checkpoint,
    )
    broadcast_object_list(found)
    if is_main_process():
        checkpoint.unlink(missing_ok=True)
    PartialState().wait_for_everyone()  # none may take it for the next fold's
    # The model hangs in cycles; the next one needs its place.
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    assert found[0] is not None
    return found[0]


def _reader(unseen: list[Example], epochs: int, found: list[torch.Tensor | None]) -> Score:
    """Instead of measuring, keeps what the model of the last epoch says of the unseen rows."""

    def read(epoch: int, scorer: LabelScorer, encoder: PromptEncoder) -> dict[str, float]:
        if epoch == epochs:
            packed = PackedScorer(scorer.model, scorer.label_ids, encoder.longest)
            classifier = Classifier(packed, encoder, temperature=1.0, version="a fold's")
            found[0] = classifier.logits([row.text for row in unseen])
        return {}

    return read
