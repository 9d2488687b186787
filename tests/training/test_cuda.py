"""What only a GPU does: captured steps, packed weights with a paged optimiser, float16."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sentences import SENTENCES
from tests.training.runs import PLAIN, Run, at_call, difference, run
from training import qlora
from training.batches import Batches, collate
from training.gradients import CapturedGradientStep, GradientStep
from training.memory import Memory, load_trainable
from training.settings import TrainingSettings
from training.weights import TrainedWeights
from tweetsent.errors import StoppedError
from tweetsent.model import BaseModel, LabelScorer, load_tokenizer
from tweetsent.prompt import Prompt, PromptEncoder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

GPU = torch.device("cuda")
SETTINGS = replace(PLAIN, epochs=4, batch_size=8, augment=0.5, language_modelling=0.2)


def train(base: BaseModel, settings: TrainingSettings = SETTINGS, **how: Any) -> Run:
    return run(base, settings, SENTENCES, device=GPU, **how)


def test_a_captured_step_gives_the_gradient_of_one_that_is_not(tiny_base: BaseModel) -> None:
    settings = replace(PLAIN, batch_size=4)
    model = load_trainable(tiny_base, settings, Memory.FAST, GPU)
    encoder = PromptEncoder(load_tokenizer(tiny_base), Prompt())
    scorer = LabelScorer(model, encoder.label_ids).train()
    weights = TrainedWeights(model)
    torch.manual_seed(3)
    with torch.no_grad():
        weights.vector.copy_(0.1 * torch.randn_like(weights.vector))
    weights.publish()
    plain, captured = GradientStep(scorer, weights, GPU), CapturedGradientStep(scorer, weights, GPU)
    found: dict[GradientStep, list[tuple[float, torch.Tensor]]] = {plain: [], captured: []}
    for rows in Batches(SENTENCES, encoder, settings).of_epoch(1):
        batch = collate(rows, len(rows), size=6, few_shapes=True)
        for step, results in found.items():
            weights.forget()
            loss = float(step(batch))
            results.append((loss, weights.gradient.clone()))
    assert len(found[plain]) == 6
    for (loss, gradient), (graph_loss, graph_gradient) in zip(*found.values(), strict=True):
        assert graph_loss == pytest.approx(loss, rel=1e-2)
        assert gradient.any()
        assert difference(graph_gradient, gradient) < 0.02


@pytest.mark.parametrize("memory", [Memory.FAST, Memory.LOW])
def test_training_learns_and_goes_on_after_a_stop_as_if_there_was_none(
    memory: Memory, tiny_base: BaseModel, tmp_path: Path
) -> None:
    whole = train(tiny_base, memory=memory)
    assert whole.losses[-1] < 0.8 * whole.losses[0]
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(StoppedError):
        train(tiny_base, memory=memory, stop=at_call(7), checkpoint=checkpoint)
    resumed = train(tiny_base, memory=memory, checkpoint=checkpoint)
    assert [line for line in resumed.said if line.startswith("going on from step 7")]
    # A GPU adds up in no fixed order.
    assert difference(resumed.weights, whole.weights) < 0.05
    assert resumed.losses[-1] == pytest.approx(whole.losses[-1], rel=0.1)


def test_both_ways_to_hold_a_model_learn_the_same(tiny_base: BaseModel) -> None:
    fast, low = (train(tiny_base, memory=memory) for memory in (Memory.FAST, Memory.LOW))
    assert low.losses == pytest.approx(fast.losses, rel=0.1)


def test_a_gpu_without_bfloat16_computes_in_float16(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    for memory in (Memory.FAST, Memory.LOW):
        trained = train(tiny_base, memory=memory)
        assert {p.dtype for p in trained.model.parameters() if p.requires_grad} == {torch.float16}
        assert trained.losses[-1] < 0.8 * trained.losses[0]


def test_memory_that_runs_out_halves_the_rows_and_the_training_goes_on(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(tiny_base)
    real = qlora.CapturedGradientStep.__call__

    def hungry(self: CapturedGradientStep, batch: Any) -> torch.Tensor:
        if batch.input_ids.shape[0] > 4:
            torch.empty(2**50, dtype=torch.uint8, device=GPU)  # more than any GPU has
        return real(self, batch)

    monkeypatch.setattr(qlora.CapturedGradientStep, "__call__", hungry)
    heard = train(tiny_base)
    assert [line for line in heard.said if line.startswith("out of memory: going on with half")]
    assert difference(heard.weights, expected.weights) < 0.2


def test_memory_that_runs_out_within_a_capture_is_recognised(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = qlora.CapturedGradientStep._run

    def hungry(self: CapturedGradientStep, *parts: torch.Tensor) -> torch.Tensor:
        if parts[0].shape[0] > 4 and torch.cuda.is_current_stream_capturing():
            torch.empty(2**50, dtype=torch.uint8, device=GPU)
        return real(self, *parts)

    monkeypatch.setattr(qlora.CapturedGradientStep, "_run", hungry)
    heard = train(tiny_base)
    assert [line for line in heard.said if line.startswith("out of memory: going on with half")]
    assert heard.losses[-1] < 0.8 * heard.losses[0]
