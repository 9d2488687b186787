"""QLoRA fine-tuning of the label scores: NF4 base, LoRA on every linear layer.

The loss is cross-entropy over the label words' first tokens at the end of the prompt, the only
place where the served model is ever asked. QLoRA: Dettmers et al. 2023, arXiv:2305.14314.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from training.augment import augment
from training.data import Example
from tweetsent.errors import ConfigError, ModelError
from tweetsent.labels import LABELS
from tweetsent.model import BaseModel, LabelScorer, load_nf4, load_tokenizer, pad_right
from tweetsent.prompt import Prompt, PromptEncoder

if TYPE_CHECKING:
    from peft import PeftModel

# Batches are cut from stretches of this many, sorted by length: little padding, still shuffled.
_BUCKET_BATCHES = 32


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Every knob of a run; each reaches the trainer."""

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 2e-4
    """Peak, after the warm-up; falls to zero along a cosine."""
    warmup_share: float = 0.06
    """Share of all steps."""
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.05
    label_smoothing: float = 0.0
    augment_probability: float = 0.0
    """Chance that a text is rewritten as other users would type it, drawn anew each epoch."""
    seed: int = 42

    def __post_init__(self) -> None:
        """Raises ConfigError naming every value that can't be."""
        problems = [
            f"{name} must be {rule}"
            for name, rule, valid in (
                ("epochs", "at least 1", self.epochs >= 1),
                ("batch_size", "at least 1", self.batch_size >= 1),
                ("learning_rate", "above 0, finite", 0 < self.learning_rate < math.inf),
                ("warmup_share", "from 0 to 1", 0 <= self.warmup_share <= 1),
                ("weight_decay", "0 or more", self.weight_decay >= 0),
                ("max_gradient_norm", "above 0", self.max_gradient_norm > 0),
                ("lora_rank", "at least 1", self.lora_rank >= 1),
                ("lora_alpha", "at least 1", self.lora_alpha >= 1),
                ("lora_dropout", "from 0 to below 1", 0 <= self.lora_dropout < 1),
                ("label_smoothing", "from 0 to below 1", 0 <= self.label_smoothing < 1),
                ("augment_probability", "from 0 to 1", 0 <= self.augment_probability <= 1),
                ("seed", "from 0 to 2**32 - 1", 0 <= self.seed < 2**32),
            )
            if not valid
        ]
        if problems:
            raise ConfigError(f"training settings: {'; '.join(problems)}")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a step."""

    step: int
    steps: int
    epoch: int
    loss: float
    """Mean over the epoch so far."""


def fine_tune(
    base: BaseModel,
    examples: list[Example],
    settings: TrainingSettings,
    device: torch.device,
    *,
    on_step: Callable[[Progress], None],
    on_epoch: Callable[[int, LabelScorer, PromptEncoder], None],
) -> "PeftModel":
    """Train a fresh LoRA adapter on the examples and return the model that carries it.

    `on_epoch` gets the epoch's number and the scorer in evaluation mode. Raises ModelError when
    the loss is no longer finite.
    """
    from transformers import get_cosine_schedule_with_warmup, set_seed

    set_seed(settings.seed)
    encoder = PromptEncoder(load_tokenizer(base), Prompt())
    model = _with_lora(base, settings, device)
    scorer = LabelScorer(model, encoder.label_ids)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trained,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=device.type == "cuda",
    )
    batches = math.ceil(len(examples) / settings.batch_size)
    steps = batches * settings.epochs
    schedule = get_cosine_schedule_with_warmup(
        optimizer, round(settings.warmup_share * steps), steps
    )
    rng = random.Random(settings.seed)
    step = 0
    for epoch in range(1, settings.epochs + 1):
        scorer.train()
        total = torch.zeros((), device=device)
        for done, (ids, targets) in enumerate(_batches(examples, encoder, settings, rng), start=1):
            input_ids, lengths = pad_right(ids, device)
            loss = cross_entropy(
                scorer(input_ids, lengths),
                torch.tensor(targets, device=device),
                label_smoothing=settings.label_smoothing,
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, settings.max_gradient_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += loss.detach()
            step += 1
            # Reading the loss waits for the GPU, so it is not done at every step.
            if step % 20 == 0 or done == batches:
                mean = float(total) / done
                if not math.isfinite(mean):
                    raise ModelError(f"the loss is no longer finite (step {step} of {steps})")
                on_step(Progress(step, steps, epoch, mean))
        scorer.eval()
        on_epoch(epoch, scorer, encoder)
    return model


def _with_lora(base: BaseModel, settings: TrainingSettings, device: torch.device) -> "PeftModel":
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    model: PeftModel = get_peft_model(load_nf4(base, device), config)
    return model


def _batches(
    examples: list[Example],
    encoder: PromptEncoder,
    settings: TrainingSettings,
    rng: random.Random,
) -> Iterator[tuple[list[list[int]], list[int]]]:
    """One epoch of (token ids, label indices), shuffled, texts of like length together."""
    rows = []
    for example in rng.sample(examples, len(examples)):
        rewrite = rng.random() < settings.augment_probability
        text = augment(example.text, rng) if rewrite else example.text
        rows.append((encoder.encode(text), LABELS.index(example.label)))
    size = settings.batch_size
    batches = []
    for start in range(0, len(rows), size * _BUCKET_BATCHES):
        stretch = sorted(rows[start : start + size * _BUCKET_BATCHES], key=lambda row: len(row[0]))
        batches += [stretch[at : at + size] for at in range(0, len(stretch), size)]
    rng.shuffle(batches)
    for batch in batches:
        yield [ids for ids, _ in batch], [label for _, label in batch]
