import math

import numpy as np
import pytest
import torch

from training.calibration import fit_temperature
from tweetsent.labels import LABELS, Label


def drawn(n: int, scale: float) -> tuple[torch.Tensor, list[Label]]:
    """Logits (n, 3) whose softmax, once they are divided by `scale`, is what labels follow."""
    rng = np.random.default_rng(3)
    honest = rng.normal(0.0, 1.5, (n, 3))
    odds = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = [LABELS[int(rng.choice(3, p=row))] for row in odds]
    return torch.tensor(scale * honest, dtype=torch.float32), truth


def cross_entropy(logits: torch.Tensor, truth: list[Label], temperature: float) -> float:
    targets = torch.tensor([LABELS.index(label) for label in truth])
    return float(torch.nn.functional.cross_entropy(logits / temperature, targets))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 4.0])
def test_the_scale_of_the_logits_is_found_again(scale: float) -> None:
    logits, truth = drawn(6000, scale)
    assert fit_temperature(logits, truth) == pytest.approx(scale, rel=0.08)


def test_no_other_temperature_fits_better() -> None:
    logits, truth = drawn(400, 3.0)
    best = fit_temperature(logits, truth)
    for other in (1.0, best * 0.95, best * 1.05):
        assert cross_entropy(logits, truth, best) < cross_entropy(logits, truth, other)


def test_it_stays_in_its_bounds_when_everything_is_right_or_wrong() -> None:
    logits = 2 * torch.eye(3).repeat(1000, 1)
    right, wrong = 1000 * list(LABELS), 1000 * [LABELS[1], LABELS[2], LABELS[0]]
    assert fit_temperature(logits, right) == pytest.approx(0.2, rel=0.01)
    assert fit_temperature(logits, wrong) == pytest.approx(10.0, rel=0.01)


def test_two_rows_change_little() -> None:
    sure = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
    assert 0.7 < fit_temperature(sure, [LABELS[0], LABELS[2]]) < 1
    assert 1 < fit_temperature(sure, [LABELS[2], LABELS[2]]) < 4


@pytest.mark.parametrize("label", LABELS)
def test_one_label_alone_leaves_it_finite_and_in_its_bounds(label: Label) -> None:
    logits, _ = drawn(40, 2.0)
    assert 0.2 <= fit_temperature(logits, 40 * [label]) <= 10.0


def test_logits_beyond_single_precision_change_nothing() -> None:
    assert fit_temperature(500 * torch.eye(3), list(LABELS)) == pytest.approx(1.0, abs=0.01)


def test_it_is_a_plain_rounded_number() -> None:
    temperature = fit_temperature(*drawn(50, 2.0))
    assert type(temperature) is float
    assert math.isclose(temperature, round(temperature, 4), abs_tol=0)
