"""A run's state on disk, from which it goes on as if it had never stopped.

One safetensors file, never pickle, replaced as a whole: a kill leaves the old one or the new one.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tweetsent.errors import DataError

Identity = dict[str, Any]
"""What makes two runs the same, by name: base model, settings, rows, device; JSON values."""


@dataclass(slots=True)
class History:
    """What was measured on the way, for learning curves and for early stopping."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    """(step, mean loss since the last entry)."""
    scores: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """By validation file: (step, macro-F1)."""


@dataclass(slots=True)
class Checkpoint:
    """Everything that the next step depends on."""

    identity: Identity
    """Of the run that it belongs to."""
    step: int
    """Optimiser steps done."""
    tensors: dict[str, torch.Tensor]
    numbers: dict[str, Any]
    """State of the optimiser and of the loss scale that is no tensor."""
    history: History

    def save(self, path: Path) -> None:
        """Write the file, or leave what was there and raise DataError."""
        state = json.dumps(
            {
                "identity": self.identity,
                "step": self.step,
                "numbers": self.numbers,
                "history": asdict(self.history),
            }
        )
        draft = path.with_name(f"{path.name}.draft")
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, draft, {"state": state})
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(path)
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path} can't be written: {error}") from error

    def require(self, identity: Identity, path: Path) -> None:
        """Raise DataError, saying what differs, when it is of another run."""
        names = [name for name, value in identity.items() if self.identity.get(name) != value]
        if names:
            raise DataError(
                f"{path} is of a run with another {', '.join(names)}: give that command again to "
                "finish it, choose another --output, or delete the file"
            )

    @classmethod
    def load(cls, path: Path, device: torch.device) -> "Checkpoint":
        """Read it back; DataError when it is damaged."""
        try:
            with safe_open(path, framework="pt", device=str(device)) as file:
                state = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            history = History(
                [(step, loss) for step, loss in state["history"]["losses"]],
                {
                    name: [(step, score) for step, score in scores]
                    for name, scores in state["history"]["scores"].items()
                },
            )
            return cls(dict(state["identity"]), state["step"], tensors, state["numbers"], history)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is damaged; delete it to start from the beginning") from error
