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


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often a model is right at each level of confidence, over equal-width bins.

    Bin b holds the confidences above b / bins, up to (b + 1) / bins; each array is (bins,).
    """

    counts: np.ndarray
    confidence: np.ndarray
    """Mean of the bin's rows; 0 in an empty bin."""
    accuracy: np.ndarray
    """Share of the bin's rows that are right; 0 in an empty bin."""

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap between the two, weighted by size."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((gaps * self.counts).sum() / self.counts.sum())


def reliability(probabilities: np.ndarray, truth: list[Label], bins: int = 15) -> Reliability:
    """The reliability of probabilities (n, 3), n at least 1, in label order.

    Guo et al. 2017, arXiv:1706.04599, equations 1 to 3.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == np.array([LABELS.index(label) for label in truth])
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    size = np.maximum(counts, 1)
    return Reliability(
        counts=counts,
        confidence=np.bincount(bin_of, weights=confidence, minlength=bins) / size,
        accuracy=np.bincount(bin_of, weights=correct, minlength=bins) / size,
    )


def expected_calibration_error(
    probabilities: np.ndarray, truth: list[Label], bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal-width confidence bins, weighted by size.

    `probabilities` is (n, 3) in label order, n at least 1.
    """
    return reliability(probabilities, truth, bins).ece
