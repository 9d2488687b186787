"""Batches: shuffled, of like length, the same for the same seed and epoch.

An epoch's batches depend on nothing but the rows, the settings and the epoch's number, so a run
that is taken up again in the middle sees what it would have seen.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.augment import augment
from training.data import Example
from training.settings import TrainingSettings
from tweetsent.labels import LABELS
from tweetsent.prompt import PromptEncoder

# Batches are cut from stretches of this many, sorted by length: little padding, still shuffled.
_BUCKET_BATCHES = 32
# Up to so many tokens, lengths are rounded up to multiples of so many.
_WIDTHS = ((128, 16), (math.inf, 32))


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt's token ids and the probability of each label, in label order."""

    ids: list[int]
    target: tuple[float, float, float]
    weight: float = 1.0
    """How many rows it counts as."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded rows, on the CPU."""

    input_ids: torch.Tensor
    """(B, T) int64, padded on the right with 0."""
    lengths: torch.Tensor
    """(B,) int64, at least 1."""
    targets: torch.Tensor
    """(B, 3) float32, each row adds up to 1."""
    weights: torch.Tensor
    """(B,) float32: a row's share of the step's loss; 0 for rows that only fill up."""


class Batches:
    """The rows of every optimiser step of a run."""

    def __init__(
        self, examples: Sequence[Example], encoder: PromptEncoder, settings: TrainingSettings
    ) -> None:
        self._examples = examples
        self._encoder = encoder
        self._settings = settings
        self._targets = [_target(example, settings) for example in examples]
        # Once for all epochs; only what is rewritten is read anew.
        self._ids = encoder.encode_all([example.text for example in examples])

    def of_epoch(self, epoch: int) -> list[list[Row]]:
        """The rows of each step of epoch 1, 2, …, in order."""
        rng = random.Random(f"{self._settings.seed} {epoch}")
        order = rng.sample(range(len(self._examples)), len(self._examples))
        rewritten = {
            index: augment(self._examples[index].text, rng)
            for index in order
            if rng.random() < self._settings.augment
        }
        new_ids = self._encoder.encode_all(list(rewritten.values()))
        ids = dict(zip(rewritten, new_ids, strict=True))
        rows = [
            Row(
                ids.get(index, self._ids[index]), self._targets[index], self._examples[index].weight
            )
            for index in order
        ]
        size = self._settings.batch_size
        batches = []
        for start in range(0, len(rows), size * _BUCKET_BATCHES):
            stretch = rows[start : start + size * _BUCKET_BATCHES]
            stretch.sort(key=lambda row: len(row.ids))
            batches += [stretch[at : at + size] for at in range(0, len(stretch), size)]
        rng.shuffle(batches)
        return batches


def _target(example: Example, settings: TrainingSettings) -> tuple[float, float, float]:
    smoothing = settings.label_smoothing
    even = smoothing / len(LABELS)
    given = [even + (1 - smoothing) * (label is example.label) for label in LABELS]
    if example.expected is not None:
        share = settings.self_distillation
        pairs = zip(given, example.expected, strict=True)
        given = [(1 - share) * label + share * expected for label, expected in pairs]
    first, second, third = given
    return first, second, third


def rounded_width(tokens: int) -> int:
    """One of few lengths, at least so many tokens."""
    multiple = next(step for limit, step in _WIDTHS if tokens <= limit)
    return -(-tokens // multiple) * multiple


def collate(rows: list[Row], step_weight: float, *, size: int, few_shapes: bool = False) -> Batch:
    """Pad rows to a batch of `size` rows.

    `step_weight` is the weight of all rows in the optimiser step that these are part of;
    `few_shapes` pads a little further, so that there are few different lengths.
    """
    longest = max((len(row.ids) for row in rows), default=1)
    width = rounded_width(longest) if few_shapes else longest
    empty = size - len(rows)
    ids = [row.ids + [0] * (width - len(row.ids)) for row in rows] + [[0] * width] * empty
    targets = [row.target for row in rows] + [(1.0, 0.0, 0.0)] * empty
    return Batch(
        input_ids=torch.tensor(ids),
        lengths=torch.tensor([len(row.ids) for row in rows] + [1] * empty),
        targets=torch.tensor(targets),
        weights=torch.tensor([row.weight / step_weight for row in rows] + [0.0] * empty),
    )
