"""Scores a classifier on labelled rows and writes what came out for people and for programs."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.bootstrap import CONFIDENCE, RESAMPLES, Interval, Intervals, bootstrap_intervals
from training.data import Example
from tweetsent.classifier import Classifier
from tweetsent.errors import DataError
from tweetsent.figures import confusion_png, reliability_png
from tweetsent.labels import LABELS, Label
from tweetsent.metrics import Metrics, Reliability, compute_metrics, reliability

# Characters of the cleaned text, both ends included.
_LENGTH_BANDS = (("1-40", 1, 40), ("41-80", 41, 80), ("81-160", 81, 160), ("over 160", 161, None))
_FEW_ROWS = 30  # resamples of fewer rows say little of how others would do
_EXPLANATION = (
    f"In brackets: {CONFIDENCE:.0%} intervals from {RESAMPLES:,} bootstrap resamples of the rows; "
    f"none for fewer than {_FEW_ROWS} rows"
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows of an evaluation."""

    metrics: Metrics
    intervals: Intervals

    def as_dict(self) -> dict[str, Any]:
        """Its shape within that of the evaluation."""
        return {
            "n": self.metrics.n,
            "accuracy": self.metrics.accuracy,
            "macro_f1": self.metrics.macro_f1,
            "intervals": _as_lists(self.intervals),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's quality and speed on one set of rows."""

    metrics: Metrics
    intervals: Intervals
    """95 %, from the bootstrap over the rows."""
    reliability: Reliability
    """Over 15 bins."""
    seconds: float
    """Classification alone, without loading the model."""
    model: str
    temperature: float
    """What the logits were divided by."""
    probabilities: np.ndarray
    """(n, 3), in label order."""
    truth: list[Label]
    lengths: np.ndarray
    """(n,) characters of the cleaned texts; 0 where the text is not known."""
    sources: list[str]
    """Name of each row's file; empty where it is not known."""
    near_copies: np.ndarray
    """(n,) bool: whether the model was trained on a row much like this one."""

    @property
    def ece(self) -> float:
        """Expected calibration error over 15 bins."""
        return self.reliability.ece

    @property
    def predicted(self) -> list[Label]:
        """The most probable label of each row."""
        return _most_probable(self.probabilities)

    @property
    def two_class_accuracy(self) -> float | None:
        """Accuracy of the choice between negative and positive alone.

        For data that knows no neutral, where an answer of neutral could never be right; None when
        the truth has a neutral row.
        """
        if Label.NEUTRAL in self.truth:
            return None
        pair = (Label.NEGATIVE, Label.POSITIVE)
        chosen = self.probabilities[:, [LABELS.index(label) for label in pair]].argmax(axis=1)
        right = [pair[index] == label for index, label in zip(chosen, self.truth, strict=True)]
        return float(np.mean(right))

    def uncalibrated(self) -> Reliability | None:
        """The reliability that a temperature of 1 would have; None when that is what it has."""
        if self.temperature == 1.0:
            return None
        # softmax(z / T) to the power of T is softmax(z) but for a factor.
        raised = self.probabilities**self.temperature
        return reliability(raised / raised.sum(axis=1, keepdims=True), self.truth)

    def breakdown(self) -> dict[str, dict[str, Part]]:
        """The parts of the rows by "length", by "source" and by "near_copy", none empty.

        The last is there only when some rows have a near-copy in the training rows. A row whose
        length or file is not known is in no part of that kind.
        """
        bands = {
            name: (self.lengths >= low) & (self.lengths <= (high or np.inf))
            for name, low, high in _LENGTH_BANDS
        }
        sources = np.array(self.sources)
        files = {name: sources == name for name in dict.fromkeys(self.sources) if name}
        copies = {"like training rows": self.near_copies, "unlike them": ~self.near_copies}
        kinds = [("length", bands), ("source", files)]
        if self.near_copies.any():
            kinds.append(("near_copy", copies))
        return {
            kind: {name: self._part(rows) for name, rows in masks.items() if rows.any()}
            for kind, masks in kinds
        }

    def _part(self, rows: np.ndarray) -> Part:
        """The rows where the mask (n,) is true."""
        predicted = self.predicted
        kept = np.flatnonzero(rows)
        metrics = compute_metrics([self.truth[i] for i in kept], [predicted[i] for i in kept])
        return Part(metrics, bootstrap_intervals(metrics.confusion_matrix))

    def as_dict(self) -> dict[str, Any]:
        """The shape that `tweetsent evaluate --json` prints."""
        metrics = self.metrics
        return {
            "n": metrics.n,
            "accuracy": metrics.accuracy,
            "macro_f1": metrics.macro_f1,
            "weighted_f1": metrics.weighted_f1,
            "mcc": metrics.mcc,
            "ece": self.ece,
            "per_class": {
                label.value: {
                    "precision": values.precision,
                    "recall": values.recall,
                    "f1": values.f1,
                    "support": values.support,
                }
                for label, values in metrics.per_class.items()
            },
            "confusion_matrix": metrics.confusion_matrix.tolist(),
            "seconds": self.seconds,
            "messages_per_second": metrics.n / self.seconds,
            "model": self.model,
            "two_class_accuracy": self.two_class_accuracy,
            "intervals": _as_lists(self.intervals),
            "breakdown": {
                kind: {name: part.as_dict() for name, part in parts.items()}
                for kind, parts in self.breakdown().items()
            },
        }

    def lines(self, name: str) -> list[str]:
        """What `tweetsent evaluate` prints for people, line by line, under the name of the file."""
        metrics = self.metrics
        lines = [
            f"{name}: n {metrics.n}, {_scores(metrics, self.intervals, ', ')}, "
            f"weighted F1 {metrics.weighted_f1:.3f}, MCC {metrics.mcc:.3f}, ECE {self.ece:.3f} "
            f"({metrics.n / self.seconds:.0f} messages/s, {self.model})"
        ]
        for label, row in metrics.per_class.items():
            counts = metrics.confusion_matrix[LABELS.index(label)].tolist()
            lines.append(
                f"  {label:<9} precision {row.precision:.3f}  recall {row.recall:.3f}  "
                f"F1 {row.f1:.3f}  predicted as {counts}"
            )
        if self.two_class_accuracy is not None:
            lines.append(
                f"  no neutral rows: of two labels, accuracy {self.two_class_accuracy:.3f}"
            )
        breakdown = self.breakdown()
        titles = {"length": "by characters", "source": "by file", "near_copy": "by near-copies"}
        for kind, parts in breakdown.items():
            if len(parts) > 1:
                width = max(map(len, parts))
                lines.append(f"  {titles[kind]}")
                lines += [
                    f"    {part_name:<{width}}  n {part.metrics.n:<6} "
                    f"{_scores(part.metrics, part.intervals, '  ')}"
                    for part_name, part in parts.items()
                ]
        lines.append(f"  {_EXPLANATION}")
        return lines


def evaluate(
    classifier: Classifier,
    examples: list[Example],
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Classify the examples and compare with their labels; errors as `Classifier.classify`."""
    start = time.perf_counter()
    scores = classifier.classify([example.text for example in examples], progress)
    seconds = time.perf_counter() - start
    return summarise(
        np.array([[row.of(label) for label in LABELS] for row in scores]),
        [row.label for row in examples],
        seconds,
        classifier.version,
        temperature=classifier.temperature,
        lengths=[len(row.text) for row in examples],
        sources=[row.source for row in examples],
        near_copies=[row.near_copy for row in examples],
    )


def summarise(
    probabilities: np.ndarray,
    truth: list[Label],
    seconds: float,
    model: str,
    *,
    temperature: float = 1.0,
    lengths: Sequence[int] | None = None,
    sources: list[str] | None = None,
    near_copies: list[bool] | None = None,
) -> Evaluation:
    """The evaluation of probabilities (n, 3), in label order, that took `seconds` to compute.

    `temperature` is the one that the probabilities were computed with; `lengths` are characters of
    the cleaned texts, `sources` the names of their files and `near_copies` whether the training
    rows hold one much like it, for the breakdown.
    """
    metrics = compute_metrics(truth, _most_probable(probabilities))
    return Evaluation(
        metrics=metrics,
        intervals=bootstrap_intervals(metrics.confusion_matrix),
        reliability=reliability(probabilities, truth),
        seconds=seconds,
        model=model,
        temperature=temperature,
        probabilities=probabilities,
        truth=truth,
        lengths=np.zeros(len(truth), dtype=int) if lengths is None else np.array(lengths),
        sources=[""] * len(truth) if sources is None else sources,
        near_copies=np.zeros(len(truth), dtype=bool)
        if near_copies is None
        else np.array(near_copies, dtype=bool),
    )


def pool(evaluations: list[Evaluation]) -> Evaluation:
    """The evaluation of one model over the rows of several, at least one, put together."""
    return summarise(
        np.concatenate([part.probabilities for part in evaluations]),
        [label for part in evaluations for label in part.truth],
        sum(part.seconds for part in evaluations),
        evaluations[0].model,
        temperature=evaluations[0].temperature,
        lengths=[int(length) for part in evaluations for length in part.lengths],
        sources=[source for part in evaluations for source in part.sources],
        near_copies=[bool(near) for part in evaluations for near in part.near_copies],
    )


def _most_probable(probabilities: np.ndarray) -> list[Label]:
    return [LABELS[index] for index in probabilities.argmax(axis=1)]


def _as_lists(intervals: Intervals) -> dict[str, list[float]]:
    return {name: list(interval) for name, interval in intervals._asdict().items()}


def _scores(metrics: Metrics, intervals: Intervals, separator: str) -> str:
    def shown(interval: Interval) -> str:
        return f" [{interval.low:.3f} {interval.high:.3f}]" if metrics.n >= _FEW_ROWS else ""

    return (
        f"accuracy {metrics.accuracy:.3f}{shown(intervals.accuracy)}{separator}"
        f"macro-F1 {metrics.macro_f1:.3f}{shown(intervals.macro_f1)}"
    )


def make_folder(folder: Path) -> None:
    """Make a folder for results unless it is there; raises DataError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: can't be made: {error.strerror or error}") from error


def write_report(evaluation: Evaluation, folder: Path, name: str) -> None:
    """Write an evaluation into a folder.

    `<name>.json` holds the figures, `<name>.png` is the confusion matrix and
    `<name>-reliability.png` the reliability diagram.
    """
    make_folder(folder)
    text = json.dumps(evaluation.as_dict(), ensure_ascii=False, indent=2)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    matrix = evaluation.metrics.confusion_matrix
    (folder / f"{name}.png").write_bytes(confusion_png(matrix, title=name))
    diagram = reliability_png(evaluation.reliability, title=name, before=evaluation.uncalibrated())
    (folder / f"{name}-reliability.png").write_bytes(diagram)
