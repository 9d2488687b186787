import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.bootstrap import (
    accuracy_of,
    bootstrap_intervals,
    macro_f1_of,
    paired_bootstrap,
)
from tweetsent.labels import LABELS, Label
from tweetsent.metrics import compute_metrics

MATRIX = np.array([[60, 10, 10], [20, 50, 30], [5, 5, 110]])


def rows_of(matrix: np.ndarray) -> tuple[list[Label], list[Label]]:
    """Truth and prediction of each row behind a confusion matrix."""
    cells = [(i, j) for i in range(3) for j in range(3) for _ in range(int(matrix[i, j]))]
    return [LABELS[i] for i, _ in cells], [LABELS[j] for _, j in cells]


def indices(labels: list[Label]) -> np.ndarray:
    return np.array([LABELS.index(label) for label in labels])


def matrix_of(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The confusion matrix of labels by their indices."""
    return np.bincount(3 * truth + predicted, minlength=9).reshape(3, 3)


def noisy(truth: list[Label], right: float, seed: int) -> list[Label]:
    """Predictions of which this share is right and the others are drawn."""
    rng = np.random.default_rng(seed)
    return [label if rng.random() < right else LABELS[int(rng.integers(3))] for label in truth]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 20), min_size=9, max_size=9).filter(any))
def test_the_scores_are_those_of_the_metrics(cells: list[int]) -> None:
    matrix = np.array(cells).reshape(3, 3)
    metrics = compute_metrics(*rows_of(matrix))
    assert float(accuracy_of(matrix)) == pytest.approx(metrics.accuracy)
    assert float(macro_f1_of(matrix)) == pytest.approx(metrics.macro_f1)


@pytest.mark.parametrize(
    "matrix",
    [
        MATRIX,
        np.diag([3, 40, 1]),
        np.ones((3, 3), dtype=int),
        np.array([[9, 2, 0], [0, 0, 0], [1, 3, 12]]),
        np.array([[0, 0, 0], [4, 1, 2], [0, 0, 0]]),
        np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
    ],
)
def test_the_intervals_cover_what_was_measured(matrix: np.ndarray) -> None:
    found = bootstrap_intervals(matrix)
    assert 0 <= found.accuracy.low <= accuracy_of(matrix) <= found.accuracy.high <= 1
    assert 0 <= found.macro_f1.low <= macro_f1_of(matrix) <= found.macro_f1.high <= 1


def test_they_match_a_row_bootstrap_by_brute_force() -> None:
    truth, predicted = (indices(labels) for labels in rows_of(MATRIX))
    rng = np.random.default_rng(7)
    scores = []
    for _ in range(2000):
        rows = rng.integers(len(truth), size=len(truth))
        matrix = matrix_of(truth[rows], predicted[rows])
        scores.append((accuracy_of(matrix), macro_f1_of(matrix)))
    low, high = np.quantile(np.array(scores), [0.025, 0.975], axis=0)
    found = bootstrap_intervals(MATRIX)
    # An interval is about 0.1 wide; its ends move by a twentieth of that with the draw.
    assert found.accuracy == pytest.approx((low[0], high[0]), abs=0.015)
    assert found.macro_f1 == pytest.approx((low[1], high[1]), abs=0.015)


def test_the_accuracys_is_as_wide_as_the_normal_approximation_says() -> None:
    accuracy, n = float(accuracy_of(MATRIX)), MATRIX.sum()
    expected = 2 * 1.96 * np.sqrt(accuracy * (1 - accuracy) / n)
    low, high = bootstrap_intervals(MATRIX).accuracy
    assert high - low == pytest.approx(expected, rel=0.1)


def test_they_shrink_with_the_square_root_of_the_rows() -> None:
    few, many = bootstrap_intervals(MATRIX), bootstrap_intervals(100 * MATRIX)
    for wide, narrow in zip(few, many, strict=True):
        assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(10, rel=0.15)


def test_the_seed_decides() -> None:
    assert bootstrap_intervals(MATRIX) == bootstrap_intervals(MATRIX)
    assert bootstrap_intervals(MATRIX, seed=1) != bootstrap_intervals(MATRIX, seed=2)


def test_a_big_file_takes_no_time() -> None:
    start = time.perf_counter()
    bootstrap_intervals(1000 * MATRIX)
    assert time.perf_counter() - start < 1


def test_a_model_compared_with_itself_is_no_better() -> None:
    truth, predicted = rows_of(MATRIX)
    found = paired_bootstrap(predicted, predicted, truth)
    assert (found.difference, found.interval, found.share_better) == (0.0, (0.0, 0.0), 0.0)


def test_the_difference_is_that_of_the_metrics_and_turns_with_the_models() -> None:
    truth, worse = rows_of(MATRIX)
    better = noisy(truth, 0.95, seed=1)
    found, turned = paired_bootstrap(better, worse, truth), paired_bootstrap(worse, better, truth)
    expected = compute_metrics(truth, better).macro_f1 - compute_metrics(truth, worse).macro_f1
    assert found.difference == pytest.approx(expected)
    assert turned.difference == pytest.approx(-expected)
    assert found.interval.low > 0 > turned.interval.high
    assert (found.share_better, turned.share_better) == (1.0, 0.0)


def test_equal_models_are_better_about_half_of_the_time() -> None:
    truth = [label for label in LABELS for _ in range(400)]
    found = paired_bootstrap(noisy(truth, 0.7, seed=1), noisy(truth, 0.7, seed=2), truth)
    assert found.interval.low < found.difference < found.interval.high
    assert found.interval.low < 0 < found.interval.high
    assert 0.02 < found.share_better < 0.98


def test_pairing_matches_brute_force_and_is_sharper_than_two_intervals() -> None:
    truth = [label for label in LABELS for _ in range(60)]
    second = noisy(truth, 0.7, seed=3)
    first = list(second)
    for row in range(0, len(truth), 20):  # a few rows better, all others the same
        first[row] = truth[row]
    a, b, t = (indices(labels) for labels in (first, second, truth))
    rng = np.random.default_rng(5)
    differences = []
    for _ in range(2000):
        rows = rng.integers(len(truth), size=len(truth))
        better, worse = matrix_of(t[rows], a[rows]), matrix_of(t[rows], b[rows])
        differences.append(macro_f1_of(better) - macro_f1_of(worse))
    found = paired_bootstrap(first, second, truth)
    assert found.interval == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=0.008)
    alone = bootstrap_intervals(compute_metrics(truth, first).confusion_matrix).macro_f1
    assert found.interval.high - found.interval.low < (alone.high - alone.low) / 2


def test_a_tolerance_narrows_what_is_worse() -> None:
    truth = [label for label in LABELS for _ in range(100)]
    first, second = noisy(truth, 0.7, 1), noisy(truth, 0.72, 2)
    shares = [
        paired_bootstrap(first, second, truth, tolerance=amount).share_worse
        for amount in (0.0, 0.02, 0.05, 1.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[1] > shares[-1] == 0
    found = paired_bootstrap(first, second, truth)
    assert found.share_worse + found.share_better == pytest.approx(1, abs=0.02)  # but for ties


def test_what_has_no_partner_can_not_be_paired() -> None:
    truth, predicted = rows_of(MATRIX)
    for labels in (
        (predicted[1:], predicted, truth),
        (predicted, predicted, truth[1:]),
        ([], [], []),
    ):
        with pytest.raises(ValueError, match="can't be paired"):
            paired_bootstrap(*labels)
