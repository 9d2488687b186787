"""Every knob of a training run, checked together."""

import math
from dataclasses import dataclass

from tweetsent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What decides which weights come out; each field reaches the trainer."""

    epochs: int = 3
    batch_size: int = 32
    """Rows of one optimiser step, over all processes and micro-batches."""
    learning_rate: float = 2e-4
    """Peak, after the warm-up; falls to zero along a cosine."""
    warmup_share: float = 0.06
    """Share of all steps."""
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    lora_rank: int = 16
    lora_dropout: float = 0.0
    label_smoothing: float = 0.0
    language_modelling: float = 0.0
    """Weight of the loss of every next token of the prompt, beside that of the labels."""
    self_distillation: float = 0.0
    """Share of a row's target that models trained without the row decide; trains those first."""
    augment: float = 0.0
    """Chance that a text is rewritten as other users would type it, drawn anew each epoch."""
    patience: int = 0
    """Epochs without a better score after which training stops; 0 goes through all of them."""
    seed: int = 42

    def __post_init__(self) -> None:
        """Raises ConfigError naming every value that can't be."""
        problems = [
            f"--{name.replace('_', '-')} must be {rule}"
            for name, rule, valid in (
                ("epochs", "at least 1", self.epochs >= 1),
                ("batch_size", "at least 1", self.batch_size >= 1),
                ("learning_rate", "above 0, finite", 0 < self.learning_rate < math.inf),
                ("warmup_share", "from 0 to 1", 0 <= self.warmup_share <= 1),
                ("weight_decay", "0 or more", self.weight_decay >= 0),
                ("max_gradient_norm", "above 0", self.max_gradient_norm > 0),
                ("lora_rank", "at least 1", self.lora_rank >= 1),
                ("lora_dropout", "from 0 to below 1", 0 <= self.lora_dropout < 1),
                ("label_smoothing", "from 0 to below 1", 0 <= self.label_smoothing < 1),
                (
                    "language_modelling",
                    "0 or more, finite",
                    0 <= self.language_modelling < math.inf,
                ),
                ("self_distillation", "from 0 to 1", 0 <= self.self_distillation <= 1),
                ("augment", "from 0 to 1", 0 <= self.augment <= 1),
                ("patience", "0 or more", self.patience >= 0),
                ("seed", "from 0 to 2**32 - 1", 0 <= self.seed < 2**32),
            )
            if not valid
        ]
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def lora_alpha(self) -> int:
        """Twice the rank: the updates of any rank are scaled alike."""
        return 2 * self.lora_rank

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The learning rate of step 1, 2, … of so many: linear warm-up, then half a cosine."""
        warmup = round(self.warmup_share * steps)
        if step <= warmup:
            return self.learning_rate * step / warmup
        done = (step - warmup - 1) / max(1, steps - warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
