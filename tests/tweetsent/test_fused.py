"""Fused norms and rotations: the same numbers, and what is of another kind is left alone."""

import gc
import weakref
from typing import Any

import pytest
import torch
from transformers import CohereConfig, CohereForCausalLM
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.gemma3n.modeling_gemma3n import Gemma3nRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm
from transformers.models.nanochat.modeling_nanochat import NanoChatRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm
from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextRMSNorm
from transformers.models.t5.modeling_t5 import T5LayerNorm

from tests.architectures import MODELS, ROWS, SIZES, is_fused, randomised
from tweetsent.fused import fuse
from tweetsent.model import LabelScorer, pad_right

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", MODELS)
def test_a_fused_model_scores_as_before(name: str) -> None:
    torch.manual_seed(0)
    model = randomised(MODELS[name]()).eval()
    scorer = LabelScorer(model, [10, 20, 30])
    with torch.inference_mode():
        expected = scorer(*pad_right(ROWS, CPU))
        fuse(model)
        got = scorer(*pad_right(ROWS, CPU))
    fused = [name for name, module in model.named_modules() if is_fused(module)]
    assert fused
    assert all(name.endswith(("norm", "self_attn")) for name in fused)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_an_attention_that_rotates_otherwise_stays_untouched() -> None:
    model = CohereForCausalLM(CohereConfig(**SIZES))  # pairs neighbours, not halves
    fuse(model)
    assert not is_fused(model.get_decoder().layers[0].self_attn)


@pytest.mark.parametrize("name", MODELS)
def test_a_fused_model_is_freed_with_its_last_user(name: str) -> None:
    model = MODELS[name]()
    fuse(model)
    weight = weakref.ref(model.get_decoder().layers[0].self_attn.q_proj.weight)
    gc.disable()
    try:
        del model
        assert weight() is None
    finally:
        gc.enable()


KNOWN = [
    LlamaRMSNorm,
    MistralRMSNorm,
    Qwen3RMSNorm,
    GemmaRMSNorm,
    Gemma2RMSNorm,
    Gemma3RMSNorm,
]
UNKNOWN = [
    Gemma3nRMSNorm,  # Gemma by name, but weighted by w
    Qwen3NextRMSNorm,  # weighted by 1 + w, without Gemma's name
    NanoChatRMSNorm,  # not weighted
    T5LayerNorm,
    torch.nn.LayerNorm,
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KNOWN)
def test_a_fused_norm_gives_the_same_numbers(kind: Any, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(randomised(kind(32, eps=1e-3))).to(dtype)
    x = (3 * torch.randn(4, 5, 32)).to(dtype)
    expected = model(x)
    fuse(model)
    assert is_fused(model[0])
    got = model(x)
    assert got.dtype == dtype
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("kind", UNKNOWN)
def test_a_norm_of_another_kind_stays_untouched(kind: Any) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(kind() if kind is NanoChatRMSNorm else kind(32))
    randomised(model)
    x = torch.randn(4, 32)
    expected = model(x)
    fuse(model)
    assert not is_fused(model[0])
    assert torch.equal(model(x), expected)
