"""Finds rows whose label is probably wrong, by confident learning.

A row is suspicious when a model that never saw it is surer of another label than that label's own
rows usually are. Northcutt et al. 2021, arXiv:1911.00068; the computing is cleanlab's, of the
optional extra `clean`. What is found is for a person to look at: among the suspicious rows are
those that are right and hard, and without these a model learns less.
"""

import numpy as np

from tweetsent.errors import ConfigError
from tweetsent.labels import LABELS, Label


def suspicious_rows(probabilities: np.ndarray, labels: list[Label]) -> list[int]:
    """The rows whose labels are probably wrong, the least credible label first.

    `probabilities` is (n, 3) in label order and out of sample: each row's come from a model that
    was trained without it and without its near-copies, as by grouped cross-validation. Raises
    ConfigError when cleanlab is not installed and ValueError when the two differ in length.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ModuleNotFoundError as error:
        raise ConfigError("finding wrong labels needs cleanlab: pip install '.[clean]'") from error
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
