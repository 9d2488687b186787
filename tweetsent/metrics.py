"""Classification metrics, the same for evaluation, training and the bot's statistics."""

from dataclasses import dataclass

import numpy as np

from tweetsent.labels import LABELS, Label


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """How one label is recognised; `support` counts its true rows."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """Quality of predicted labels against true ones."""

    n: int
    accuracy: float
    macro_f1: float
    """Mean F1 of the labels that occur in the truth or the predictions."""
    weighted_f1: float
    mcc: float
    """Matthews correlation coefficient."""
    per_class: dict[Label, ClassMetrics]
    confusion_matrix: np.ndarray
    """(3, 3) counts: rows = truth, columns = prediction, in label order."""


def compute_metrics(truth: list[Label], predicted: list[Label]) -> Metrics:
    """Metrics of two label lists of the same, non-zero length."""
    # Here, since it takes a second that a start can do without.
    from sklearn.metrics import (
        confusion_matrix,
        f1_score,
        matthews_corrcoef,
        precision_recall_fscore_support,
    )

    names = [label.value for label in LABELS]
    true, guess = [label.value for label in truth], [label.value for label in predicted]
    present = [name for name in names if name in true or name in guess]
    precision, recall, f1, support = precision_recall_fscore_support(
        true, guess, labels=names, zero_division=0.0
    )
    return Metrics(
        n=len(true),
        accuracy=float(np.mean(np.array(true) == np.array(guess))),
        macro_f1=float(f1_score(true, guess, labels=present, average="macro", zero_division=0.0)),
        weighted_f1=float(
            f1_score(true, guess, labels=present, average="weighted", zero_division=0.0)
        ),
        # sklearn answers the same for a single label, but with a warning.
        mcc=float(matthews_corrcoef(true, guess)) if len(present) > 1 else 0.0,
        per_class={
            label: ClassMetrics(
                float(precision[i]), float(recall[i]), float(f1[i]), int(support[i])
            )
            for i, label in enumerate(LABELS)
        },
        confusion_matrix=confusion_matrix(true, guess, labels=names),
    )


def expected_calibration_error(
    probabilities: np.ndarray, truth: list[Label], bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal-width confidence bins, weighted by size.

    `probabilities` is (n, 3) in label order. Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == np.array([LABELS.index(label) for label in truth])
    edges = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(
        sum(
            abs(correct[edges == b].mean() - confidence[edges == b].mean()) * (edges == b).mean()
            for b in range(bins)
            if (edges == b).any()
        )
    )
