"""Causal attention without a mask: over padded rows, or within each prompt of a packed one.

Variable-length attention on a GPU is torch's FlashAttention-2 (Dao 2023, arXiv:2307.08691).
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from tweetsent.errors import ModelError, first_line

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_NAME = "tweetsent_causal"
HALVES = {torch.bfloat16, torch.float16}  # FlashAttention knows no other types


def attend_without_mask(model: "PreTrainedModel | PeftModel") -> None:
    """Let a model's attention be causal by itself; a captured graph would build the mask anew.

    Its decoder then takes rows that are padded on the right, or, told their `offsets` (N + 1,) and
    the length of the `longest`, N prompts one behind the other. Right where no prompt is longer
    than a sliding window. Raises ModelError for a model whose attention can't be exchanged.
    """
    from transformers import AttentionInterface

    # No mask is made for an attention that has no mask function of its own.
    AttentionInterface.register(_NAME, _attention)
    try:
        model.set_attn_implementation(_NAME)
    except ValueError as error:
        raise ModelError(f"this base model can't be used: {first_line(error)}") from error


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    scaling: float,
    offsets: torch.Tensor | None = None,
    longest: int = 0,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """What query (B, heads, T, D) finds in key and value (B, key heads, T, D): (B, T, heads, D)."""
    if offsets is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **options)
    if query.is_cuda and query.dtype in HALVES:
        # torch.nn.attention.varlen hides this operator behind other arguments in each version.
        output = torch.ops.aten._flash_attention_forward(
            *(states[0].transpose(0, 1) for states in (query, key, value)),
            *(offsets, offsets, longest, longest),
            dropout_p=0.0,
            is_causal=True,
            return_debug_mask=False,
            scale=scaling,
        )[0]
        return output[None], None
    output = query.new_empty(query.transpose(1, 2).shape)
    for begin, end in pairwise(offsets.tolist()):
        place = (slice(None), slice(None), slice(begin, end))
        part = scaled_dot_product_attention(
            query[place],
            key[place],
            value[place],
            is_causal=True,
            scale=scaling,
            enable_gqa=True,
        )
        output[:, begin:end] = part.transpose(1, 2)
    return output, None
