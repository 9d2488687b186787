"""Two ways to hold a model in training: fast, or in little memory.

Both compute with the same numbers, those of the 4-bit weights: `fast` unpacks them once, `low`
keeps NF4 packed and pays with time. QLoRA: Dettmers et al. 2023, arXiv:2305.14314.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from training.fused import fuse_lora
from training.settings import TrainingSettings
from training.start import load_start
from tweetsent.attention import attend_without_mask
from tweetsent.errors import ConfigError
from tweetsent.fused import fuse
from tweetsent.model import (
    BaseModel,
    choose_dtype,
    load_nf4,
    load_plain,
)
from tweetsent.records import Quantization

if TYPE_CHECKING:
    from peft import PeftModel

_LITTLE = 12 * 2**30  # bytes of a GPU below which `auto` means `low`
_PASS_TOKENS = {"cuda": 16_384, "cpu": 2048}
_LOW_PASS_TOKENS = 1024
# Of GPU memory for each token of a pass; Qwen3-0.6B takes a third of it.
_TOKEN_BYTES = 4 * 2**20


class Memory(StrEnum):
    """How a model is held in training."""

    AUTO = "auto"
    """`low` on a GPU under 12 GiB, else `fast`."""
    FAST = "fast"
    """Weights unpacked to 16 bits once, a captured graph for each length on a GPU."""
    LOW = "low"
    """NF4 weights, activations computed twice, few rows at once, on a GPU an 8-bit
    paged optimiser."""

    @classmethod
    def parse(cls, text: str) -> "Memory":
        """The mode of this name; ConfigError for another."""
        if text not in set(cls):
            raise ConfigError(f"--memory {text}: there are {', '.join(cls)}")
        return cls(text)

    def resolve(self, device: torch.device) -> "Memory":
        """`fast` or `low`."""
        if self is not Memory.AUTO:
            return self
        if device.type != "cuda":
            return Memory.FAST
        size = torch.cuda.get_device_properties(device).total_memory
        return Memory.LOW if size < _LITTLE else Memory.FAST

    def pass_tokens(self, device: torch.device) -> int:
        """Tokens that go through the model at once; the gradients of a step's passes add up."""
        if self is Memory.LOW:
            return _LOW_PASS_TOKENS
        most = _PASS_TOKENS[device.type]
        if device.type == "cuda":
            most = min(most, torch.cuda.get_device_properties(device).total_memory // _TOKEN_BYTES)
        return most


def training_dtype(base: BaseModel, device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it; else float16 on a GPU, where the model bears it."""
    dtype = choose_dtype(device)
    if dtype == torch.float32 and device.type == "cuda" and not _overflows_float16(base):
        return torch.float16
    return dtype


def _overflows_float16(base: BaseModel) -> bool:
    from transformers import AutoConfig

    # Hidden states of Gemma 3 pass 65,504 half-way up.
    return "gemma" in AutoConfig.from_pretrained(**base.location).model_type


def load_trainable(
    base: BaseModel,
    settings: TrainingSettings,
    memory: Memory,
    device: torch.device,
    start: Path | None = None,
) -> "PeftModel":
    """The base model with a LoRA adapter on every linear layer; ModelError as `load_nf4`.

    The adapter has the type that the model computes in, and fresh weights or those of `start`.
    """
    from peft import LoraConfig, get_peft_model

    dtype = training_dtype(base, device)
    if memory is Memory.LOW and base.quantization is Quantization.NF4:
        model = load_nf4(base, device, dtype)
    else:
        model = load_plain(base, device, base.quantization, dtype)
    if memory is Memory.LOW:
        model.activation_checkpointing_enable({"use_reentrant": False})
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    attend_without_mask(model)
    adapted: PeftModel = get_peft_model(model, config, autocast_adapter_dtype=False)
    if start:
        load_start(adapted, start)
    if memory is Memory.FAST:
        fuse(adapted)
        fuse_lora(adapted)
    return adapted


def make_optimizer(
    vector: torch.nn.Parameter, settings: TrainingSettings, memory: Memory
) -> torch.optim.Optimizer:
    """AdamW over the trained weights; 8-bit and paged in `low` on a GPU (arXiv:2110.02861)."""
    if memory is Memory.LOW and vector.device.type == "cuda":
        from bitsandbytes.optim import PagedAdamW8bit  # type: ignore[attr-defined]

        optimizer: torch.optim.Optimizer = PagedAdamW8bit(  # type: ignore[no-untyped-call]
            [vector], lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        return optimizer
    return torch.optim.AdamW(
        [vector],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=vector.device.type == "cuda",
    )
