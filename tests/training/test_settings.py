"""The knobs of a run: what they may be, and the learning rate over the steps."""

import dataclasses
import math
from typing import Any

import pytest

from training.settings import TrainingSettings
from tweetsent.errors import ConfigError

BAD: dict[str, list[float]] = {
    "epochs": [0, -1],
    "batch_size": [0],
    "learning_rate": [0, -1e-4, float("nan"), float("inf")],
    "warmup_share": [-0.1, 1.1, float("nan")],
    "weight_decay": [-1, float("nan")],
    "max_gradient_norm": [0, float("nan")],
    "lora_rank": [0],
    "lora_dropout": [-0.1, 1],
    "label_smoothing": [-0.1, 1],
    "language_modelling": [-0.1, math.inf],
    "self_distillation": [-0.1, 1.1],
    "augment": [-0.1, 1.5],
    "patience": [-1],
    "seed": [-1, 2**32],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_value_that_can_not_be_is_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')} must be [^;]+$"):
        TrainingSettings(**{name: value})  # type: ignore[arg-type]


def test_all_bad_values_are_named_at_once() -> None:
    assert set(BAD) == {item.name for item in dataclasses.fields(TrainingSettings)}
    with pytest.raises(ConfigError) as caught:
        TrainingSettings(**{name: values[0] for name, values in BAD.items()})  # type: ignore[arg-type]
    assert str(caught.value).count(" must be ") == len(BAD)
    assert all(name.replace("_", "-") in str(caught.value) for name in BAD)


@pytest.mark.parametrize(
    "edge",
    [
        {"warmup_share": 0},
        {"warmup_share": 1},
        {"lora_dropout": 0},
        {"augment": 1},
        {"patience": 0},
        {"seed": 0},
        {"seed": 2**32 - 1},
    ],
)
def test_values_at_the_edge_are_allowed(edge: dict[str, Any]) -> None:
    assert edge.items() <= dataclasses.asdict(TrainingSettings(**edge)).items()


def test_the_learning_rate_rises_in_a_line_and_falls_along_half_a_cosine() -> None:
    settings = TrainingSettings(learning_rate=2.0, warmup_share=0.2)
    rates = [settings.learning_rate_at(step, 50) for step in range(1, 51)]
    assert rates[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert rates[10] == 2.0  # the first step after the warm-up is at the peak as well
    assert rates[30] == pytest.approx(1.0)  # half-way down
    assert rates[10:] == pytest.approx([1 + math.cos(math.pi * done / 40) for done in range(40)])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.01


def test_without_a_warm_up_the_first_step_is_at_the_peak() -> None:
    settings = TrainingSettings(learning_rate=0.5, warmup_share=0.0)
    assert settings.learning_rate_at(1, 10) == 0.5


@pytest.mark.parametrize("share", [0.0, 0.06, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 100])
def test_every_step_of_a_short_run_has_a_learning_rate_up_to_the_peak(
    share: float, steps: int
) -> None:
    settings = TrainingSettings(learning_rate=1e-3, warmup_share=share)
    rates = [settings.learning_rate_at(step, steps) for step in range(1, steps + 1)]
    assert all(0 < rate <= 1e-3 for rate in rates)
    assert max(rates) == 1e-3


def test_a_warm_up_over_all_steps_ends_at_the_peak() -> None:
    settings = TrainingSettings(learning_rate=1.0, warmup_share=1.0)
    assert [settings.learning_rate_at(step, 4) for step in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]
