"""Bootstrap intervals: how far a score would move with other rows of the same kind.

Rows are drawn with replacement and the percentiles of the score over the resamples are its interval
(Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13). The scores here depend on
the rows only through how often each combination of true and predicted label occurs, so drawing
those counts from a multinomial distribution is the row bootstrap itself, not an approximation, and
takes milliseconds. An interval speaks of the draw of the rows alone: it knows nothing of other
training seeds, other kinds of text or rows that resemble each other, and is too narrow when a few
rows, or rows without a single error, are all there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tweetsent.labels import LABELS, Label

RESAMPLES = 2000
SEED = 0
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """The percentile interval of a score."""

    low: float
    high: float


class Intervals(NamedTuple):
    """The intervals of the scores of one confusion matrix."""

    accuracy: Interval
    macro_f1: Interval


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How the macro-F1 of a first model stands above that of a second one on the same rows."""

    difference: float
    """Macro-F1 of the first minus that of the second, on the rows as they are."""
    interval: Interval
    """Of the difference; above 0 as a whole, it says that the first is better."""
    share_better: float
    """Share of the resamples, from 0 to 1, in which the first is better; a tie is not."""
    share_worse: float
    """Share in which the first is worse by more than the tolerance."""


def bootstrap_intervals(
    confusion_matrix: np.ndarray, *, resamples: int = RESAMPLES, seed: int = SEED
) -> Intervals:
    """The 95 % intervals of accuracy and macro-F1 behind a confusion matrix.

    `confusion_matrix` is (3, 3) counts of at least one row, rows = truth, in label order.
    """
    drawn = _resample(confusion_matrix, resamples, seed)
    return Intervals(_percentiles(accuracy_of(drawn)), _percentiles(macro_f1_of(drawn)))


def paired_bootstrap(
    first: Sequence[Label],
    second: Sequence[Label],
    truth: Sequence[Label],
    *,
    tolerance: float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> PairedDifference:
    """Compare the labels that two models gave to the same rows, at least one.

    `tolerance` is the macro-F1 by which the first may be below the second and not yet be called
    worse. Each resample holds the same rows for both, so what is hard for both cancels (Koehn 2004,
    Statistical Significance Tests for Machine Translation Evaluation). Raises ValueError when the
    three do not have the same, non-zero length.
    """
    counts = _paired_counts(first, second, truth)
    differences = _difference(_resample(counts, resamples, seed))
    return PairedDifference(
        difference=float(_difference(counts)),
        interval=_percentiles(differences),
        share_better=float((differences > 0).mean()),
        share_worse=float((differences < -tolerance).mean()),
    )


def _paired_counts(
    first: Sequence[Label], second: Sequence[Label], truth: Sequence[Label]
) -> np.ndarray:
    """(3, 3, 3) counts: truth, label of the first model, label of the second."""
    if not 0 < len(first) == len(second) == len(truth):
        raise ValueError(f"{len(first)}, {len(second)} and {len(truth)} labels can't be paired")
    counts = np.zeros((len(LABELS),) * 3, dtype=np.int64)
    np.add.at(counts, (_indices(truth), _indices(first), _indices(second)), 1)
    return counts


def accuracy_of(counts: np.ndarray) -> np.ndarray:
    """Accuracy (...) of confusion matrices (..., 3, 3)."""
    right: np.ndarray = counts.trace(axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1))
    return right


def macro_f1_of(counts: np.ndarray) -> np.ndarray:
    """Macro-F1 (...) of confusion matrices (..., 3, 3), as `compute_metrics` defines it.

    The mean is over the labels that occur in the truth or the predictions of each matrix.
    """
    # Twice the precision times the recall over their sum, without their divisions by zero.
    size = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = 2 * np.diagonal(counts, axis1=-2, axis2=-1) / np.maximum(size, 1)
    mean: np.ndarray = f1.sum(axis=-1) / (size > 0).sum(axis=-1)
    return mean


def _difference(counts: np.ndarray) -> np.ndarray:
    """Macro-F1 of the first model minus that of the second; `counts` is (..., 3, 3, 3)."""
    first, second = macro_f1_of(counts.sum(axis=-1)), macro_f1_of(counts.sum(axis=-2))
    difference: np.ndarray = first - second
    return difference


def _resample(counts: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Counts (resamples, *shape) of as many rows as there are in `counts` (*shape)."""
    n = int(counts.sum())
    rng = np.random.default_rng(seed)
    drawn: np.ndarray = rng.multinomial(n, counts.ravel() / n, size=resamples)
    return drawn.reshape((resamples, *counts.shape))


def _percentiles(scores: np.ndarray) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _indices(labels: Sequence[Label]) -> np.ndarray:
    return np.array([LABELS.index(label) for label in labels])
