"""Scores a classifier on labelled rows and writes what came out for people and for programs."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data import Example
from tweetsent.classifier import Classifier
from tweetsent.errors import DataError
from tweetsent.figures import confusion_png
from tweetsent.labels import LABELS, Label
from tweetsent.metrics import Metrics, compute_metrics, expected_calibration_error


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's quality and speed on one set of rows."""

    metrics: Metrics
    ece: float
    """Expected calibration error over 15 bins."""
    seconds: float
    """Classification alone, without loading the model."""
    model: str
    probabilities: np.ndarray
    """(n, 3), in label order."""
    truth: list[Label]

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
        }


def evaluate(
    classifier: Classifier,
    examples: list[Example],
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Classify the examples and compare with their labels; errors as `Classifier.classify`."""
    start = time.perf_counter()
    scores = classifier.classify([example.text for example in examples], progress)
    seconds = time.perf_counter() - start
    probabilities = np.array([[row.of(label) for label in LABELS] for row in scores])
    return summarise(probabilities, [row.label for row in examples], seconds, classifier.version)


def summarise(
    probabilities: np.ndarray, truth: list[Label], seconds: float, model: str
) -> Evaluation:
    """The evaluation of probabilities (n, 3), in label order, that took `seconds` to compute."""
    predicted = [LABELS[index] for index in probabilities.argmax(axis=1)]
    return Evaluation(
        metrics=compute_metrics(truth, predicted),
        ece=expected_calibration_error(probabilities, truth),
        seconds=seconds,
        model=model,
        probabilities=probabilities,
        truth=truth,
    )


def pool(evaluations: list[Evaluation]) -> Evaluation:
    """The evaluation of one model over the rows of several, at least one, put together."""
    return summarise(
        np.concatenate([part.probabilities for part in evaluations]),
        [label for part in evaluations for label in part.truth],
        sum(part.seconds for part in evaluations),
        evaluations[0].model,
    )


def make_folder(folder: Path) -> None:
    """Make a folder for results unless it is there; raises DataError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: can't be made: {error.strerror or error}") from error


def write_report(evaluation: Evaluation, folder: Path, name: str) -> None:
    """Write `<name>.json` and `<name>.png`, the confusion matrix, into a folder."""
    make_folder(folder)
    text = json.dumps(evaluation.as_dict(), ensure_ascii=False, indent=2)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    matrix = evaluation.metrics.confusion_matrix
    (folder / f"{name}.png").write_bytes(confusion_png(matrix, title=name))
