import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import classification_report

from tweetsent.labels import LABELS, Label
from tweetsent.metrics import compute_metrics, expected_calibration_error, reliability

NEG, NEU, POS = LABELS


def test_metrics_by_hand() -> None:
    truth = [NEG, NEG, NEG, NEU, NEU, POS]
    predicted = [NEG, NEG, NEU, NEU, POS, POS]
    metrics = compute_metrics(truth, predicted)
    assert metrics.n == 6
    assert metrics.accuracy == pytest.approx(4 / 6)
    assert metrics.confusion_matrix.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    f1 = {NEG: 2 * 1 * (2 / 3) / (1 + 2 / 3), NEU: 0.5, POS: 2 * 0.5 * 1 / 1.5}
    assert {label: metrics.per_class[label].f1 for label in LABELS} == pytest.approx(f1)
    assert metrics.macro_f1 == pytest.approx(sum(f1.values()) / 3)
    assert metrics.weighted_f1 == pytest.approx((3 * f1[NEG] + 2 * f1[NEU] + f1[POS]) / 6)
    assert [metrics.per_class[label].support for label in LABELS] == [3, 2, 1]
    # MCC for K classes (Gorodkin 2004) from c = 4 correct of s = 6, truth 3/2/1, predicted 2/2/2.
    assert metrics.mcc == pytest.approx((4 * 6 - 12) / ((36 - 12) * (36 - 14)) ** 0.5)


@given(
    st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=30)
)
def test_metrics_agree_with_sklearns_report(pairs: list[tuple[Label, Label]]) -> None:
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    metrics = compute_metrics(truth, predicted)
    present = sorted(set(truth) | set(predicted))
    report = classification_report(
        [label.value for label in truth],
        [label.value for label in predicted],
        labels=[label.value for label in present],
        output_dict=True,
        zero_division=0.0,
    )
    assert metrics.macro_f1 == pytest.approx(report["macro avg"]["f1-score"])
    assert metrics.weighted_f1 == pytest.approx(report["weighted avg"]["f1-score"])
    assert metrics.confusion_matrix.sum() == metrics.n == len(pairs)
    assert metrics.accuracy == pytest.approx(np.trace(metrics.confusion_matrix) / metrics.n)
    for label in present:
        assert metrics.per_class[label].precision == pytest.approx(report[label]["precision"])
        assert metrics.per_class[label].recall == pytest.approx(report[label]["recall"])


def test_an_absent_label_does_not_lower_the_macro_f1() -> None:
    metrics = compute_metrics([NEG, POS], [NEG, POS])
    assert (metrics.macro_f1, metrics.mcc) == (1.0, 1.0)
    assert metrics.per_class[NEU].support == 0


def test_one_label_everywhere_has_no_correlation() -> None:
    assert compute_metrics([NEU, NEU], [NEU, NEU]).mcc == 0.0


def test_calibration_error_by_hand() -> None:
    probabilities = np.array(
        [[0.9, 0.05, 0.05], [0.08, 0.9, 0.02], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]
    )
    # Bin of 0.9: one of two right, gap 0.4; bin of 0.6: both right, gap 0.4.
    assert expected_calibration_error(probabilities, [NEG, NEG, NEG, POS]) == pytest.approx(0.4)
    # Bin of 0.9: both right, gap 0.1; bin of 0.6: none right, gap 0.6.
    truth = [NEG, NEU, NEU, NEU]
    assert expected_calibration_error(probabilities, truth) == pytest.approx((0.1 + 0.6) / 2)


def test_calibration_error_of_certain_answers_is_the_error_rate() -> None:
    probabilities = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    assert expected_calibration_error(probabilities, [NEG, POS, POS, NEU]) == pytest.approx(0.25)


def test_opposite_errors_cancel_only_inside_a_bin() -> None:
    probabilities = np.array([[0.75, 0.15, 0.1], [0.5, 0.3, 0.2]])
    truth = [NEG, NEU]
    assert expected_calibration_error(probabilities, truth, bins=1) == pytest.approx(0.125)
    assert expected_calibration_error(probabilities, truth, bins=4) == pytest.approx(0.375)


def test_reliability_puts_each_row_into_the_bin_of_its_confidence() -> None:
    probabilities = np.array([[0.4, 0.35, 0.25], [0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [1.0, 0, 0]])
    found = reliability(probabilities, [NEG, POS, NEU, POS], bins=4)
    # An upper edge belongs to its bin: 0.5 goes with 0.4, and 1 with 0.9.
    assert found.counts.tolist() == [0, 2, 0, 2]
    assert found.confidence.tolist() == pytest.approx([0, 0.45, 0, 0.95])
    assert found.accuracy.tolist() == [0, 0.5, 0, 0.5]
    assert found.ece == pytest.approx((0.05 * 2 + 0.45 * 2) / 4)
