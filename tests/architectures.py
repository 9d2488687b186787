"""Small models of several architectures, with random weights, and prompts for them."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SIZES = {
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}
MODELS: dict[str, Callable[[], Any]] = {
    "qwen2 with biases": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=16)),
    "gemma3": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(
            **SIZES,
            head_dim=16,
            sliding_window=32,
            layer_types=["sliding_attention", "full_attention"],
        )
    ),
}
ROWS = [[5, 9, 11, 40, 2, 7, 8], [3, 4], [50, 60, 70, 80, 90]]


def randomised(model: torch.nn.Module) -> Any:
    """Norms, biases and LoRA's B start at 0 or 1, where a mistake would not be seen."""
    for parameter in model.parameters():
        if parameter.dim() == 1 or not parameter.any():
            parameter.data.normal_(std=0.3)
    return model


def is_fused(module: torch.nn.Module) -> bool:
    """Whether a layer computes by something else than its own class."""
    return "forward" in vars(module) or type(module).__name__.startswith("Fused")
