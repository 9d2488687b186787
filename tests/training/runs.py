"""Training runs of the tiny model for the tests: started in one line, everything heard kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sentences import SENTENCES
from training.data import Example
from training.memory import Memory
from training.qlora import Listener, Progress, Score, Trained, fine_tune
from training.settings import TrainingSettings
from tweetsent.labels import LABELS
from tweetsent.model import BaseModel, LabelScorer, pad_right
from tweetsent.prompt import PromptEncoder

CPU = torch.device("cpu")
FEW = SENTENCES[::4]  # two of each label
PLAIN = TrainingSettings(
    epochs=3,
    batch_size=2,
    learning_rate=5e-3,
    warmup_share=0.0,
    lora_rank=4,
    lora_dropout=0.0,
    seed=7,
)
"""Three epochs of three steps over FEW."""


@dataclass
class Run:
    """What was heard of a run, and what came out of it if it came to its end."""

    steps: list[Progress] = field(default_factory=list)
    scores: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    snapshots: list[torch.Tensor] = field(default_factory=list)
    """The trained weights at each measuring."""
    trained: Trained | None = None

    @property
    def model(self) -> Any:
        assert self.trained is not None
        return self.trained.model

    @property
    def weights(self) -> torch.Tensor:
        return trained_weights(self.model)

    @property
    def losses(self) -> list[float]:
        return [step.loss for step in self.steps]


def trained_weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad]).cpu()


def likelihood(_: int, scorer: LabelScorer, encoder: PromptEncoder) -> dict[str, float]:
    """The mean probability of the right label: a score that shows every change."""
    device = next(scorer.parameters()).device
    with torch.inference_mode():
        logits = scorer(*pad_right(encoder.encode_all([row.text for row in FEW]), device)).cpu()
    right = torch.tensor([LABELS.index(row.label) for row in FEW])
    return {"few.csv": float(logits.softmax(dim=1).gather(1, right[:, None]).mean())}


def run(
    base: BaseModel,
    settings: TrainingSettings = PLAIN,
    examples: list[Example] = FEW,
    *,
    score: Score = likelihood,
    stop: Callable[[], bool] = lambda: False,
    memory: Memory = Memory.FAST,
    checkpoint: Path | None = None,
    start: Path | None = None,
    heard: Run | None = None,
    device: torch.device = CPU,
) -> Run:
    """Train, by default on the CPU; `heard` is filled even where the run ends in an error."""
    result = heard or Run()

    def snapshot(epoch: int, scorer: LabelScorer, encoder: PromptEncoder) -> dict[str, float]:
        result.snapshots.append(trained_weights(scorer))
        return score(epoch, scorer, encoder)

    listener = Listener(
        say=result.said.append,
        on_step=result.steps.append,
        on_scores=lambda step, scores: result.scores.append((step, scores)),
        should_stop=stop,
    )
    result.trained = fine_tune(
        base,
        examples,
        settings,
        device,
        listener,
        score=snapshot,
        memory=memory,
        checkpoint=checkpoint,
        start=start,
    )
    return result


def at_call(number: int) -> Callable[[], bool]:
    """A listener's `should_stop` that says yes after so many steps."""
    calls = iter(range(1, 1_000_000))
    return lambda: next(calls) == number


def compute_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a CPU without bfloat16: only a wrong calculation makes a difference there."""
    monkeypatch.setattr("tweetsent.model._cpu_computes_in_bf16", lambda: False)


def difference(first: torch.Tensor, second: torch.Tensor) -> float:
    """How far two vectors are apart, as a share of the second's length."""
    return float((first - second).norm() / second.norm())
