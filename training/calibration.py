"""Temperature scaling: one number that makes confidences mean what they say.

Guo et al. 2017, arXiv:1706.04599.
"""

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from tweetsent.labels import LABELS, Label


def fit_temperature(logits: torch.Tensor, truth: list[Label]) -> float:
    """The temperature that gives logits (n, 3) the smallest cross-entropy, from 0.2 to 10."""
    targets = torch.tensor([LABELS.index(label) for label in truth])

    def loss(log_temperature: float) -> float:
        scaled = logits / float(np.exp(log_temperature))
        return float(torch.nn.functional.cross_entropy(scaled, targets))

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(10.0)), method="bounded")
    return round(float(np.exp(found.x)), 4)
