"""The gradient of a batch: of which loss it is, and that the parts of a step add up to it."""

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.sentences import SENTENCES
from tests.training.runs import CPU, PLAIN, compute_in_float32, difference
from training.batches import Batches, Row, collate
from training.gradients import POSITIONS, GradientStep
from training.memory import Memory, load_trainable
from training.settings import TrainingSettings
from training.weights import TrainedWeights
from tweetsent.model import BaseModel, LabelScorer, load_tokenizer, pad_right
from tweetsent.prompt import Prompt, PromptEncoder


class Trainable:
    """The tiny model in float32 with an adapter that has learnt something."""

    def __init__(self, base: BaseModel, memory: Memory, dropout: float = 0.0) -> None:
        torch.manual_seed(5)
        self.encoder = PromptEncoder(load_tokenizer(base), Prompt())
        settings = TrainingSettings(lora_rank=4, lora_dropout=dropout)
        self.model = load_trainable(base, settings, memory, CPU)
        self.scorer = LabelScorer(self.model, self.encoder.label_ids).train()
        self.weights = TrainedWeights(self.model)
        with torch.no_grad():
            # LoRA's B starts at 0, and A without a gradient.
            self.weights.vector.copy_(0.1 * torch.randn_like(self.weights.vector))
        self.weights.publish()
        self.rows = Batches(SENTENCES, self.encoder, PLAIN_ROWS).of_epoch(1)[0]

    def gradient(
        self, parts: list[list[Row]], size: int | None = None, *, seed: int = 0, **how: Any
    ) -> tuple[float, torch.Tensor]:
        """The loss and the gradient of one step in so many passes."""
        step = GradientStep(self.scorer, self.weights, CPU, **how)
        self.weights.forget()
        torch.manual_seed(seed)
        rows = sum(map(len, parts))
        loss = sum(float(step(collate(part, rows, size=size or len(part)))) for part in parts)
        return loss, self.weights.gradient.clone()


PLAIN_ROWS = TrainingSettings(batch_size=7, seed=PLAIN.seed, label_smoothing=0.1)


@pytest.fixture(scope="module")
def made(tiny_base: BaseModel) -> Trainable:
    with pytest.MonkeyPatch.context() as patch:
        compute_in_float32(patch)
        return Trainable(tiny_base, Memory.FAST)


@pytest.fixture(scope="module")
def dropping(tiny_base: BaseModel) -> Trainable:
    with pytest.MonkeyPatch.context() as patch:
        compute_in_float32(patch)
        return Trainable(tiny_base, Memory.FAST, dropout=0.3)


def test_the_loss_is_the_mean_cross_entropy_of_the_rows(made: Trainable) -> None:
    logits = made.scorer(*pad_right([row.ids for row in made.rows], CPU))
    expected = cross_entropy(logits, torch.tensor([row.target for row in made.rows]))
    loss, _ = made.gradient([made.rows])
    assert loss == pytest.approx(float(expected), rel=1e-5)


def test_the_gradient_is_the_slope_of_the_loss(made: Trainable) -> None:
    _, gradient = made.gradient([made.rows])
    torch.manual_seed(1)
    start = made.weights.vector.detach().clone()
    towards = gradient / gradient.norm() + 0.1 * torch.randn_like(gradient) / math.sqrt(
        len(gradient)
    )
    losses = []
    for side in (-1, 1):
        made.weights.publish(start + side * 2e-3 * towards)
        losses.append(made.gradient([made.rows])[0])
    made.weights.publish()
    slope = (losses[1] - losses[0]) / 4e-3
    assert slope == pytest.approx(float(gradient @ towards), rel=0.01)


@pytest.mark.parametrize("micro", [1, 2, 3, 6])
def test_small_passes_add_up_to_the_whole_batch(micro: int, made: Trainable) -> None:
    loss, gradient = made.gradient([made.rows])
    parts = [made.rows[at : at + micro] for at in range(0, len(made.rows), micro)]
    in_parts_loss, in_parts = made.gradient(parts)
    assert in_parts_loss == pytest.approx(loss, rel=1e-5)
    assert difference(in_parts, gradient) < 1e-5
    assert difference(made.gradient([made.rows[:micro]])[1], gradient) > 0.05


def test_rows_that_only_fill_up_have_no_part_in_it(made: Trainable) -> None:
    loss, gradient = made.gradient([made.rows])
    filled_loss, filled = made.gradient([made.rows], size=12)
    assert filled_loss == pytest.approx(loss, rel=1e-5)
    assert difference(filled, gradient) < 1e-5


def test_little_memory_gives_the_same_gradient(
    made: Trainable, tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_in_float32(monkeypatch)
    low = Trainable(tiny_base, Memory.LOW)
    assert torch.equal(low.weights.vector, made.weights.vector)
    loss, gradient = made.gradient([made.rows])
    low_loss, low_gradient = low.gradient([made.rows[:4], made.rows[4:]])
    assert low_loss == pytest.approx(loss, rel=1e-4)
    assert difference(low_gradient, gradient) < 1e-3


def test_the_scale_multiplies_the_gradient_and_not_the_loss_that_is_told(made: Trainable) -> None:
    loss, gradient = made.gradient([made.rows])
    scaled_loss, scaled = made.gradient([made.rows], scale=lambda loss: 1024 * loss)
    assert scaled_loss == loss
    assert difference(scaled, 1024 * gradient) < 1e-6


def test_the_next_token_loss_is_the_mean_surprise_at_the_positions_drawn(made: Trainable) -> None:
    ids, lengths = pad_right([row.ids for row in made.rows], CPU)
    with torch.no_grad():
        logits = made.model(ids).logits.float()
    torch.manual_seed(4)
    width = ids.shape[1] - 1
    drawn = torch.randint(len(ids) * width, (math.ceil(ids.numel() / POSITIONS),)).tolist()
    places = [(n // width, n % width) for n in drawn]
    surprises = [
        float(cross_entropy(logits[row, at], ids[row, at + 1]))
        for row, at in places
        if at + 1 < lengths[row]
    ]
    assert 1 < len(surprises) < len(places)
    labels_only, gradient = made.gradient([made.rows], seed=4)
    both, both_gradient = made.gradient([made.rows], seed=4, language_modelling=0.5)
    mean = sum(surprises) / len(surprises)
    assert both - labels_only == pytest.approx(0.5 * mean, rel=1e-4)
    assert difference(both_gradient, gradient) > 0.05


def test_the_same_seed_drops_the_same(dropping: Trainable) -> None:
    first = dropping.gradient([dropping.rows], seed=1)
    again = dropping.gradient([dropping.rows], seed=1)
    other = dropping.gradient([dropping.rows], seed=2)
    assert first[0] == again[0]
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_evaluating_in_between_leaves_the_gradients_as_they_were(tiny_base: BaseModel) -> None:
    # bitsandbytes would repack NF4 weights at the first evaluation, into a form without a gradient.
    low = Trainable(tiny_base, Memory.LOW)
    _, before = low.gradient([low.rows])
    assert before.any()
    low.scorer.eval()
    with torch.inference_mode():
        low.scorer(*pad_right([row.ids for row in low.rows], CPU))
    low.scorer.train()
    assert torch.equal(low.gradient([low.rows])[1], before)
