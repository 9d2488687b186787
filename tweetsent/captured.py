"""Scores rows on a GPU by replaying captured CUDA graphs, whose layers are compiled where possible.

A pass over one short message is hundreds of kernels of a few microseconds: launched one by one they
take ten times as long as they run. A graph has a fixed size, so there is one for each of some sizes
of a row, and a row goes into the next larger one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tweetsent.attention import HALVES
from tweetsent.errors import first_line
from tweetsent.fused import fuse
from tweetsent.packed import PackedScorer, Row, pack, uncompile

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

# At most a third of a row is left empty, of large rows a ninth.
_SIZES = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
_TOKENS_PER_PROMPT = 16  # about the shortest there are, with the prompt's own words


@dataclass(frozen=True, slots=True)
class _Graph:
    """A pass over rows of one size: what it reads, and what it wrote after a replay."""

    graph: torch.cuda.CUDAGraph
    row: Row
    logits: torch.Tensor
    """(N, 3), float32."""


def make_scorer(
    model: "PreTrainedModel | PeftModel",
    label_ids: list[int],
    longest: int,
    report: Callable[[str], None],
) -> PackedScorer:
    """The fastest scorer of this model on its device; ModelError as `PackedScorer`.

    What the device's software can't do is left out, and `report` says so.
    """
    if model.device.type == "cuda" and model.dtype in HALVES:
        try:
            return CapturedScorer(model, label_ids, longest, report)
        except RuntimeError as error:
            report(f"answering more slowly, without captured graphs: {first_line(error)}")
            uncompile(model)
    fuse(model)
    return PackedScorer(model, label_ids, longest)


class CapturedScorer(PackedScorer):
    """A `PackedScorer` on an NVIDIA GPU."""

    def __init__(
        self,
        model: "PreTrainedModel | PeftModel",
        label_ids: list[int],
        longest: int,
        report: Callable[[str], None],
    ) -> None:
        """Takes some seconds, the first time on a machine about ten: it compiles and captures."""
        super().__init__(model, label_ids, longest)
        self.most_prompts = self.most_tokens // _TOKENS_PER_PROMPT
        with torch.inference_mode():
            self._compile(model, report)
            self._graphs = self._capture()

    @torch.inference_mode()
    def start(self, sequences: Sequence[list[int]]) -> Callable[[], torch.Tensor]:
        """As `PackedScorer.start`, while the GPU may still work on the row before."""
        row = pack(sequences)
        captured = self._graph_for(len(row.ids), len(row.last))
        _fill(captured.row, row)
        captured.graph.replay()
        logits = torch.empty(len(row.last), 3, dtype=torch.float32, pin_memory=True)
        logits.copy_(captured.logits[: len(row.last)], non_blocking=True)
        done = torch.cuda.Event()
        done.record()

        def wait() -> torch.Tensor:
            done.synchronize()
            return logits

        return wait

    def _graph_for(self, tokens: int, prompts: int) -> _Graph:
        return next(
            graph
            for graph in self._graphs
            if len(graph.row.ids) >= tokens and len(graph.row.last) >= prompts
        )

    def _compile(self, model: "PreTrainedModel | PeftModel", report: Callable[[str], None]) -> None:
        """Fuse what lies between the matrix products: by torch's compiler, else by hand."""
        layers = getattr(self._decoder, "layers", [])
        if not getattr(model, "is_quantized", False):
            for layer in layers:
                # One layer's code serves all, so compiling takes the time of one.
                layer.forward = torch.compile(layer.forward, dynamic=True)
            try:
                self._score(self._empty_row(_SIZES[0]))
                return
            except RuntimeError as error:
                report(f"answering more slowly, layers can't be compiled: {first_line(error)}")
                uncompile(model)
        fuse(model)

    def _capture(self) -> list[_Graph]:
        """A graph for each size, the smallest first; they share their memory."""
        graphs: list[_Graph] = []
        pool = None
        for size in reversed(_SIZES):  # the largest one's memory serves all
            row = self._empty_row(size)
            warming = torch.cuda.Stream()
            warming.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(warming):
                self._score(row)
            torch.cuda.current_stream().wait_stream(warming)
            graph = torch.cuda.CUDAGraph()
            # Another model may be answering in another thread meanwhile.
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                logits = self._score(row)
            pool = pool or graph.pool()
            graphs.insert(0, _Graph(graph, row, logits))
        return graphs

    def _empty_row(self, tokens: int) -> Row:
        prompts = tokens // _TOKENS_PER_PROMPT
        offsets = torch.full((prompts + 1,), min(tokens, self._longest), dtype=torch.int32)
        offsets[0] = 0
        return Row(
            torch.zeros(tokens, dtype=torch.int64, device=self.device),
            torch.zeros(tokens, dtype=torch.int64, device=self.device),
            offsets.to(self.device),
            torch.zeros(prompts, dtype=torch.int64, device=self.device),
        )


def _fill(fixed: Row, row: Row) -> None:
    """Put a row at the beginning of a graph's own; the prompts that are too few become empty."""
    prompts, tokens = len(row.last), len(row.ids)
    offsets = torch.full((len(fixed.offsets),), tokens, dtype=torch.int32)
    offsets[: prompts + 1] = row.offsets
    for target, part in (
        (fixed.ids[:tokens], row.ids),
        (fixed.positions[:tokens], row.positions),
        (fixed.offsets, offsets),
        (fixed.last[:prompts], row.last),
    ):
        target.copy_(part.pin_memory(), non_blocking=True)
