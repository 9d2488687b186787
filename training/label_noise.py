"""Finds rows whose label is probably wrong, by confident learning.

A row is suspicious when a model that never saw it is surer of another label than that label's own
rows usually are. Northcutt et al. 2021, arXiv:1911.00068; the computing is cleanlab's. What is
found is for a person to look at: among the suspicious rows are those that are right and hard, and
without these a model learns less.
"""

import numpy as np
from cleanlab.filter import find_label_issues

from training.data import Example
from training.splits import folds
from training.word_model import word_model
from tweetsent.labels import LABELS, Label

_FOLDS = 5
_SEED = 0
_LEAST = 1e-6  # the word model's probabilities may be 0, and the others' then too


def out_of_sample_probabilities(examples: list[Example]) -> np.ndarray:
    """Probabilities (n, 3), in label order, of word models that never saw the row.

    Nor did they see its near-copies. No two rows may be equal. Raises DataError when there are
    too few rows for the folds.
    """
    place = {row: number for number, row in enumerate(examples)}
    result = np.full((len(examples), len(LABELS)), _LEAST)
    for seen, unseen in folds(examples, _FOLDS, _SEED):
        labels = [row.label.value for row in seen]
        if len(set(labels)) < 2:  # nothing to tell apart: as likely as any other
            continue
        model = word_model().fit([row.text for row in seen], labels)
        columns = [LABELS.index(Label(name)) for name in model.classes_]
        found = model.predict_proba([row.text for row in unseen])
        result[np.ix_([place[row] for row in unseen], columns)] += found
    shares: np.ndarray = result / result.sum(axis=1, keepdims=True)
    return shares


def suspicious_rows(probabilities: np.ndarray, labels: list[Label]) -> list[int]:
    """The rows whose labels are probably wrong, the least credible label first.

    `probabilities` is (n, 3) in label order and out of sample: each row's come from a model that
    was trained without it and without its near-copies, as by grouped cross-validation. Raises
    ValueError when the two differ in length.
    """
    if len(probabilities) != len(labels):
        raise ValueError(f"{len(probabilities)} probabilities for {len(labels)} labels")
    # cleanlab wants each of its classes to occur in the labels.
    present = sorted({LABELS.index(label) for label in labels})
    if len(present) < 2:
        return []
    shares = probabilities[:, present]
    codes = [present.index(LABELS.index(label)) for label in labels]
    found = find_label_issues(
        np.array(codes),
        shares / shares.sum(axis=1, keepdims=True),
        filter_by="prune_by_noise_rate",
        return_indices_ranked_by="normalized_margin",
        n_jobs=1,  # worker processes take longer to start than the whole work does
    )
    return [int(row) for row in found]
