"""The gradient of one batch: eager, or captured once per shape and replayed on a GPU.

A small model's step is bound by launching its kernels, not by computing them; a captured CUDA graph
launches all of them at once.
"""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from training.batches import Batch
from training.weights import TrainedWeights
from tweetsent.model import LabelScorer

_NEXT_TOKENS = 2048  # the logits of one token take a megabyte


class GradientStep:
    """Adds a batch's gradient to the trained weights."""

    def __init__(
        self,
        scorer: LabelScorer,
        weights: TrainedWeights,
        device: torch.device,
        *,
        consistency: float = 0.0,
        language_modelling: float = 0.0,
        scale: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss,
    ) -> None:
        """`scale` multiplies the loss before the backward pass (float16 needs it)."""
        self._scorer = scorer
        self._weights = weights
        self._device = device
        self._consistency = consistency
        self._language_modelling = language_modelling
        self._scale = scale

    def __call__(self, batch: Batch) -> torch.Tensor:
        """The batch's share of the step's loss, (), on the device."""
        return self._run(*(part.to(self._device) for part in _parts(batch)))

    def _run(
        self,
        input_ids: torch.Tensor,
        lengths: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        if self._consistency:
            input_ids, lengths, targets, weights = (
                torch.cat([part, part]) for part in (input_ids, lengths, targets, weights / 2)
            )
        hidden = self._scorer.hidden(input_ids)
        log_probabilities = log_softmax(self._scorer.score(hidden, lengths), dim=1)
        loss = -(targets * log_probabilities).sum(dim=1) @ weights
        if self._consistency:
            loss = loss + self._consistency * _divergence(log_probabilities, weights)
        if self._language_modelling:
            loss = loss + self._language_modelling * weights.sum() * _next_token_loss(
                hidden, input_ids, lengths, self._scorer.model.get_output_embeddings().weight
            )
        self._scale(loss).backward()
        self._weights.collect()
        return loss.detach()


def _parts(batch: Batch) -> tuple[torch.Tensor, ...]:
    return batch.input_ids, batch.lengths, batch.targets, batch.weights


def _divergence(log_probabilities: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Symmetric KL divergence between two passes of the same rows (R-Drop).

    Liang et al. 2021, arXiv:2106.14448, equation 2. The passes stand one above the other.
    """
    first, second = log_probabilities.chunk(2)
    there = kl_div(first, second, reduction="none", log_target=True).sum(dim=1)
    back = kl_div(second, first, reduction="none", log_target=True).sum(dim=1)
    return (there + back) @ weights.chunk(2)[0]


def _next_token_loss(
    hidden: torch.Tensor, input_ids: torch.Tensor, lengths: torch.Tensor, embeddings: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy of every next token, over the rows that the budget has room for.

    Radford et al. 2018 use it beside the task's own loss ("auxiliary training objective").
    """
    rows = max(1, _NEXT_TOKENS // input_ids.shape[1])
    logits = hidden[:rows, :-1] @ embeddings.T  # (R, T-1, V)
    positions = torch.arange(1, input_ids.shape[1], device=hidden.device)
    is_token = positions < lengths[:rows, None]
    losses = cross_entropy(
        logits.flatten(0, 1).float(), input_ids[:rows, 1:].flatten(), reduction="none"
    )
    return (losses * is_token.flatten()).sum() / is_token.sum()


class CapturedGradientStep(GradientStep):
    """The same through a CUDA graph for each shape of batch."""

    def __init__(
        self,
        scorer: LabelScorer,
        weights: TrainedWeights,
        device: torch.device,
        *,
        consistency: float = 0.0,
        language_modelling: float = 0.0,
        scale: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss,
    ) -> None:
        super().__init__(
            scorer,
            weights,
            device,
            consistency=consistency,
            language_modelling=language_modelling,
            scale=scale,
        )
        self._graphs: dict[torch.Size, _Graph] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, batch: Batch) -> torch.Tensor:
        """As GradientStep's; the tensor is overwritten by the next call with this shape."""
        graph = self._graphs.get(batch.input_ids.shape)
        if graph is None:
            graph = self._graphs[batch.input_ids.shape] = self._capture(batch)
        for static, part in zip(graph.inputs, _parts(batch), strict=True):
            static.copy_(part.pin_memory(), non_blocking=True)
        graph.graph.replay()
        return graph.loss

    def _capture(self, batch: Batch) -> "_Graph":
        inputs = tuple(part.to(self._device) for part in _parts(batch))
        kept = self._weights.gradient.clone()
        if not self._graphs:
            # The first pass ever makes handles and workspaces, which a capture can't.
            aside = torch.cuda.Stream(self._device)
            aside.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(aside):
                self._run(*inputs)
            torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            loss = self._run(*inputs)
        self._weights.gradient.copy_(kept)
        return _Graph(graph, inputs, loss)


class _Graph:
    def __init__(
        self, graph: torch.cuda.CUDAGraph, inputs: tuple[torch.Tensor, ...], loss: torch.Tensor
    ) -> None:
        self.graph = graph
        self.inputs = inputs
        self.loss = loss
