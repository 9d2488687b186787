"""Scores prompts that lie in one row, one behind the other, without padding between them.

Attention looks back within each prompt alone, so a prompt's scores don't depend on the others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tweetsent.attention import HALVES, attend_without_mask
from tweetsent.errors import ModelError
from tweetsent.model import label_rows

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_MOST_TOKENS = {"cuda": 8192, "cpu": 512}
_PROBES = ([2, 11, 5, 7], [2, 9, 4])


@dataclass(frozen=True, slots=True)
class Row:
    """N prompts of T tokens in all, and perhaps empty places behind them."""

    ids: torch.Tensor
    """(T,), int64."""
    positions: torch.Tensor
    """(T,), int64: the place of each token in its own prompt."""
    offsets: torch.Tensor
    """(N + 1,), int32: where each prompt begins, and at last where the last one ends."""
    last: torch.Tensor
    """(N,), int64: the last token of each prompt."""


def pack(sequences: Sequence[list[int]]) -> Row:
    """The prompts in one row, in their order, on the CPU."""
    lengths = np.array([len(sequence) for sequence in sequences])
    offsets = np.concatenate([[0], lengths.cumsum()])
    ids = np.fromiter(chain.from_iterable(sequences), dtype=np.int64, count=offsets[-1])
    positions = np.arange(offsets[-1]) - offsets[:-1].repeat(lengths)
    return Row(
        torch.from_numpy(ids),
        torch.from_numpy(positions),
        torch.from_numpy(offsets.astype(np.int32)),
        torch.from_numpy(offsets[1:] - 1),
    )


class PackedScorer:
    """Scores of the label words after prompts, by one model on one device."""

    def __init__(
        self, model: "PreTrainedModel | PeftModel", label_ids: list[int], longest: int
    ) -> None:
        """No prompt has more than `longest` tokens. Raises ModelError for a model of which a
        prompt's scores depend on what lies before it in the row.
        """
        self.model = model
        self._label_ids = label_ids
        plain: Any = model
        self._decoder = plain.get_decoder()
        self._label_rows = label_rows(model, label_ids)  # (3, H)
        self._longest = longest
        self.device = self._label_rows.device
        self.most_tokens = _MOST_TOKENS[self.device.type]
        self.most_prompts = self.most_tokens
        attend_without_mask(model)
        self._require_independent_prompts()

    def start(self, sequences: Sequence[list[int]]) -> Callable[[], torch.Tensor]:
        """Begin to score prompts of one row; what is returned waits for the logits.

        These are (N, 3), float32, on the CPU, in the order of the prompts.
        """
        logits = self._score(self._on_device(pack(sequences)))
        return logits.cpu

    def on_cpu(self) -> "PackedScorer":
        """The same model on the CPU; this scorer is of no use any more."""
        uncompile(self.model)
        moved: Any = self.model
        moved.to("cpu")
        return PackedScorer(moved, self._label_ids, self._longest)

    def rows(self, sequences: Iterable[list[int]]) -> Iterator[list[list[int]]]:
        """The prompts, in their order, in as few rows as this scorer takes them."""
        row: list[list[int]] = []
        tokens = 0
        for sequence in sequences:
            is_full = len(row) == self.most_prompts or tokens + len(sequence) > self.most_tokens
            if row and is_full:
                yield row
                row, tokens = [], 0
            row.append(sequence)
            tokens += len(sequence)
        if row:
            yield row

    def _score(self, row: Row) -> torch.Tensor:
        """Logits (N, 3), float32, on the device."""
        states = self._decoder(
            input_ids=row.ids[None],
            position_ids=row.positions[None],
            use_cache=False,
            offsets=row.offsets,
            longest=self._longest,
        ).last_hidden_state  # (1, T, H)
        last: torch.Tensor = states[0, row.last]  # (N, H)
        return last.float() @ self._label_rows.T

    def _on_device(self, row: Row) -> Row:
        parts = (row.ids, row.positions, row.offsets, row.last)
        return Row(*(part.to(self.device) for part in parts))

    @torch.inference_mode()
    def _require_independent_prompts(self) -> None:
        # A model with a recurrent state, for example, carries it from one prompt to the next.
        together = self._score(self._on_device(pack(_PROBES)))
        alone = torch.cat([self._score(self._on_device(pack([probe]))) for probe in _PROBES])
        rounding = 0.03 if next(self._decoder.parameters()).dtype in HALVES else 0.001
        if (together - alone).abs().max() > rounding * alone.abs().max():
            raise ModelError(
                "this base model can't be served: its score of a text depends on the texts before "
                "it (only models with nothing but attention between tokens can be)"
            )


def uncompile(model: Any) -> None:
    """Let a model's layers compute by their own code again, whoever compiled them."""
    for layer in getattr(model.get_decoder(), "layers", []):
        vars(layer).pop("forward", None)
