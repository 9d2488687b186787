"""The gradient of one batch: eager, or captured once per shape and replayed on a GPU.

A small model's step is bound by launching its kernels, not by computing them; a captured CUDA graph
launches all of them at once.
"""

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy, log_softmax

from training.batches import Batch
from training.weights import TrainedWeights
from tweetsent.errors import ModelError
from tweetsent.limits import is_out_of_memory
from tweetsent.model import LabelScorer

# One in so many positions counts in the next-token loss: the logits of one take a megabyte.
POSITIONS = 4


class GradientStep:
    """Adds a batch's gradient to the trained weights."""

    def __init__(
        self,
        scorer: LabelScorer,
        weights: TrainedWeights,
        device: torch.device,
        scale: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss,
        language_modelling: float = 0.0,
    ) -> None:
        """`scale` multiplies the loss before the backward pass (float16 needs it).

        `language_modelling` is the weight of the next-token loss.
        """
        self._scorer = scorer
        self._weights = weights
        self._device = device
        self._scale = scale
        self._language_modelling = language_modelling

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
        hidden = self._scorer.hidden(input_ids)
        log_probabilities = log_softmax(self._scorer.score(hidden, lengths), dim=1)
        loss = -(targets * log_probabilities).sum(dim=1) @ weights
        if self._language_modelling:
            embeddings = self._scorer.model.get_output_embeddings().weight
            next_token = _next_token_loss(hidden, input_ids, lengths, embeddings)
            loss = loss + self._language_modelling * weights.sum() * next_token
        self._scale(loss).backward()
        self._weights.collect()
        return loss.detach()


def _next_token_loss(
    hidden: torch.Tensor, input_ids: torch.Tensor, lengths: torch.Tensor, embeddings: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy of the next token over positions drawn at random, ().

    The auxiliary objective of Radford et al. 2018, "Improving language understanding by generative
    pre-training", section 3.2.
    """
    count, width = input_ids.shape
    drawn = torch.randint(
        count * (width - 1), (-(-input_ids.numel() // POSITIONS),), device=hidden.device
    )
    row, at = drawn // (width - 1), drawn % (width - 1)
    is_token = at + 1 < lengths[row]
    logits = (hidden[row, at] @ embeddings.T).float()
    losses = cross_entropy(logits, input_ids[row, at + 1], reduction="none")
    return (losses * is_token).sum() / is_token.sum().clamp(min=1)


def _parts(batch: Batch) -> tuple[torch.Tensor, ...]:
    return batch.input_ids, batch.lengths, batch.targets, batch.weights


class CapturedGradientStep(GradientStep):
    """The same through a CUDA graph for each shape of batch."""

    def __init__(
        self,
        scorer: LabelScorer,
        weights: TrainedWeights,
        device: torch.device,
        scale: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss,
        language_modelling: float = 0.0,
    ) -> None:
        super().__init__(scorer, weights, device, scale, language_modelling)
        self._graphs: dict[torch.Size, _Graph] = {}
        # Not cuDNN's: planning each shape takes it longer than its kernels save.
        self._attentions = [
            SDPBackend.FLASH_ATTENTION,
            SDPBackend.EFFICIENT_ATTENTION,
            SDPBackend.MATH,
        ]
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

    def _run(self, *parts: torch.Tensor) -> torch.Tensor:
        with sdpa_kernel(self._attentions):
            return super()._run(*parts)

    def _capture(self, batch: Batch) -> "_Graph":
        inputs = tuple(part.to(self._device) for part in _parts(batch))
        kept = self._weights.gradient.clone()
        if not self._graphs:
            # The first pass ever makes handles and workspaces, which a capture can't.
            aside = torch.cuda.Stream(self._device)
            aside.wait_stream(torch.cuda.current_stream(self._device))
            # Dropout must draw in the replay what it would draw had there been no capture.
            with torch.random.fork_rng(devices=[self._device]), torch.cuda.stream(aside):
                self._run(*inputs)
            torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        try:
            # The outer context brings the stream back where ending the capture fails.
            with (
                torch.cuda.stream(torch.cuda.current_stream(self._device)),
                torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"),
            ):
                loss = self._run(*inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise ModelError(
                "a step of this base model can't be captured as a CUDA graph; --memory low does "
                f"without: {error}"
            ) from error
        self._weights.gradient.copy_(kept)
        return _Graph(graph, inputs, loss)


class _Graph:
    def __init__(
        self, graph: torch.cuda.CUDAGraph, inputs: tuple[torch.Tensor, ...], loss: torch.Tensor
    ) -> None:
        self.graph = graph
        self.inputs = inputs
        self.loss = loss
