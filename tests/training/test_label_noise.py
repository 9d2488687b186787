from dataclasses import replace

import numpy as np
import pytest

from tests.training.test_challenge import numbered
from training.label_noise import out_of_sample_probabilities, suspicious_rows
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Label

NEGATIVE, NEUTRAL, POSITIVE = LABELS


def answers(truth: list[Label], rng: np.random.Generator, strength: float = 4.0) -> np.ndarray:
    """Probabilities (n, 3) of a good model that knows the true labels only."""
    logits = rng.normal(0, 1, (len(truth), 3))
    logits[np.arange(len(truth)), [LABELS.index(label) for label in truth]] += strength
    odds = np.exp(logits)
    shares: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
    return shares


def test_turned_labels_are_found_and_few_others() -> None:
    rng = np.random.default_rng(1)
    truth = [LABELS[index] for index in rng.integers(3, size=600)]
    labels = list(truth)
    turned = set(rng.choice(600, size=60, replace=False).tolist())
    for row in turned:
        labels[row] = LABELS[(LABELS.index(truth[row]) + 1) % 3]
    found = suspicious_rows(answers(truth, rng), labels)
    assert len(found) == len(set(found))
    assert len(turned & set(found)) >= 0.9 * len(turned)
    assert len(set(found) - turned) <= 0.2 * len(turned)


def test_the_least_credible_label_comes_first_and_a_mere_doubt_is_none() -> None:
    truth = 20 * list(LABELS)
    probabilities = np.array(
        [[0.8 if label == other else 0.1 for other in LABELS] for label in truth]
    )
    labels = list(truth)
    labels[3], probabilities[3] = POSITIVE, [0.7, 0.1, 0.2]
    labels[30], probabilities[30] = POSITIVE, [0.98, 0.01, 0.01]
    labels[45], probabilities[45] = POSITIVE, [0.85, 0.05, 0.1]
    # Row 3 looks negative, but less than the rows that are labelled so.
    assert suspicious_rows(probabilities, labels) == [30, 45]


def test_a_data_set_of_two_labels_is_judged_by_these() -> None:
    rng = np.random.default_rng(2)
    truth = [LABELS[index] for index in rng.choice([0, 2], size=300)]
    labels = list(truth)
    for row in range(0, 300, 15):
        labels[row] = POSITIVE if truth[row] is NEGATIVE else NEGATIVE
    found = suspicious_rows(answers(truth, rng), labels)
    assert len(set(found) & set(range(0, 300, 15))) >= 18


def test_there_is_nothing_to_find_in_a_clean_or_a_single_label() -> None:
    rng = np.random.default_rng(3)
    truth = 50 * list(LABELS)
    assert suspicious_rows(answers(truth, rng, strength=20.0), truth) == []
    assert suspicious_rows(answers([NEUTRAL] * 9, rng), [NEUTRAL] * 9) == []
    assert suspicious_rows(np.zeros((0, 3)), []) == []


def test_labels_of_other_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 probabilities for 1 labels"):
        suspicious_rows(np.full((2, 3), 1 / 3), [NEGATIVE])


def test_no_model_has_seen_the_row_that_it_judges() -> None:
    rows = numbered(60)
    turned = [5, 17, 40]
    labels = [row.label for row in rows]
    for place in turned:
        labels[place] = NEGATIVE if rows[place].label is POSITIVE else POSITIVE
    given = [replace(row, label=label) for row, label in zip(rows, labels, strict=True)]
    probabilities = out_of_sample_probabilities(given)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    said = [LABELS[place] for place in probabilities.argmax(axis=1)]
    assert [said[place] for place in turned] == [rows[place].label for place in turned]
    assert sorted(suspicious_rows(probabilities, labels)[:3]) == turned


def test_too_few_rows_to_judge_by_are_an_error() -> None:
    with pytest.raises(DataError, match="too few for 5 folds"):
        out_of_sample_probabilities(numbered(6))
