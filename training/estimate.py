"""What a run will take, said before it starts: minutes and memory, from the model's arithmetic.

The constants were fitted to benchmarks/train_speed.json; other machines and models may take half
or twice as much.
"""

import math
import time
from dataclasses import dataclass

import torch

from training.crossfit import FOLDS
from training.gradients import POSITIONS
from training.memory import Memory, training_dtype
from training.plan import Plan
from training.settings import TrainingSettings
from tweetsent.errors import ModelError
from tweetsent.model import BaseModel, load_tokenizer
from tweetsent.prompt import Prompt, PromptEncoder

_SAMPLE = 1000
_PADDING = 1.15  # tokens computed for each token of the texts
_NF4_BYTES = 0.516  # of a weight, double quantisation included (arXiv:2305.14314, section 3)
_ADAPTER_BYTES = {Memory.FAST: 20, Memory.LOW: 14}
"""Of a trained weight: 16-bit value and gradient, float32 both, two moments in 32 or 8 bits."""
_LOSS_BYTES = 8  # of a next token's logit in float32, and its gradient
_ACTIVATION_FACTOR = 1.4
_SHARE_OF_MATRIX_RATE = {"cuda": 0.25, "cpu": 0.4}
_LAYER_SECONDS = {Memory.FAST: 0.0015, Memory.LOW: 0.018}
"""Of one pass on a GPU: launching its kernels, which no arithmetic explains."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What time and memory depend on in a base model."""

    linear: int
    """Weights of the linear layers, which are quantised and adapted."""
    other: int
    """All other weights: embeddings and norms."""
    layers: int
    hidden: int
    adapter: int
    """Weights of the adapter."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """About what a run takes."""

    seconds: float
    """Of training, without the measuring after each epoch."""
    memory_bytes: float
    """At the peak of a step: weights, adapter and activations, without the libraries' own."""
    memory: Memory

    def as_dict(self) -> dict[str, float | str]:
        """For a program."""
        return {"seconds": self.seconds, "bytes": self.memory_bytes, "memory": self.memory.value}

    def line(self) -> str:
        """For a person."""
        return (
            f"about {_duration(self.seconds)} of training and {_size(self.memory_bytes)} of memory "
            f"(--memory {self.memory})"
        )


def estimate(
    plan: Plan,
    base: BaseModel,
    settings: TrainingSettings,
    memory: Memory,
    device: torch.device,
) -> Estimate:
    """What training on the plan's rows will take on this device.

    Raises ModelError for a base model without a tokenizer or of another kind.
    """
    memory = memory.resolve(device)
    encoder = PromptEncoder(load_tokenizer(base), Prompt())
    sample = plan.examples[:: max(1, len(plan.examples) // _SAMPLE)]
    lengths = [len(ids) for ids in encoder.encode_all([row.text for row in sample])]
    tokens = _PADDING * len(plan.examples) * sum(lengths) / len(lengths)
    shape = shape_of(base, settings.lora_rank)
    dtype = training_dtype(base, device)
    # A forward pass and the gradient of the activations; the frozen weights need no other. In
    # `low` everything is computed forward twice.
    flop = (6 if memory is Memory.LOW else 4) * shape.linear * tokens * settings.epochs
    if settings.language_modelling:
        flop += 6 * shape.other * tokens * settings.epochs / POSITIONS
    seconds = flop / (_matrix_rate(device, dtype) * _SHARE_OF_MATRIX_RATE[device.type])
    if device.type == "cuda":
        steps = settings.epochs * math.ceil(len(plan.examples) / settings.batch_size)
        passes = max(steps, settings.epochs * tokens / memory.pass_tokens(device))
        seconds += passes * shape.layers * _LAYER_SECONDS[memory]
    if settings.self_distillation:
        seconds *= FOLDS  # each on all folds but one, and the last on all
    pass_tokens = min(memory.pass_tokens(device), settings.batch_size * max(lengths))
    peak = memory_bytes(shape, memory, dtype.itemsize, pass_tokens)
    if settings.language_modelling:
        logits = shape.other / shape.hidden * pass_tokens / POSITIONS
        peak += logits * (dtype.itemsize + _LOSS_BYTES)
    return Estimate(seconds, peak, memory)


def shape_of(base: BaseModel, lora_rank: int) -> Shape:
    """Read off the configuration, without loading a weight."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(**base.location)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except ValueError as error:
        raise ModelError(f"base model {base.name} is no causal language model") from error
    text = config.get_text_config()
    decoder = model.get_decoder()
    linear = [m for m in decoder.modules() if isinstance(m, torch.nn.Linear)]
    weights = sum(m.weight.numel() for m in linear)
    return Shape(
        linear=weights,
        other=sum(p.numel() for p in model.parameters()) - weights,
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        adapter=sum(lora_rank * (m.in_features + m.out_features) for m in linear),
    )


def memory_bytes(shape: Shape, memory: Memory, itemsize: int, tokens: int) -> float:
    """Peak of a step with so many tokens in one pass; `itemsize` is that of the compute type."""
    low = memory is Memory.LOW
    weights = shape.linear * (_NF4_BYTES if low else itemsize) + shape.other * itemsize
    adapter = shape.adapter * _ADAPTER_BYTES[memory]
    # Of each layer the inputs of its matrix products and norms; in `low` only its input, and one
    # layer's rest at a time.
    per_layer = _ACTIVATION_FACTOR * 2 * shape.linear / shape.layers / shape.hidden
    kept = shape.layers * shape.hidden * itemsize + per_layer if low else shape.layers * per_layer
    return weights + adapter + tokens * kept


def _matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a matrix product on this device."""
    size = 4096 if device.type == "cuda" else 512
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = math.inf
    for _ in range(5):
        _wait(device)
        start = time.perf_counter()
        a @ b
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _size(count: float) -> str:
    gibibytes = count / 2**30
    return "under 0.1 GiB" if gibibytes < 0.1 else f"{gibibytes:.1f} GiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
