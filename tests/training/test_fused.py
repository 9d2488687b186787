"""Fused layers: the same numbers as the layers they stand for, and no other layer is touched."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
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

from tests.training.runs import CPU
from training.fused import fuse
from training.memory import Memory, load_trainable
from training.settings import TrainingSettings
from tweetsent.model import BaseModel, LabelScorer, pad_right, without_mask

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
TARGETS = torch.tensor([0, 1, 2])


def randomised(model: torch.nn.Module) -> Any:
    """Norms, biases and LoRA's B start at 0 or 1, where a mistake would not be seen."""
    for parameter in model.parameters():
        if parameter.dim() == 1 or not parameter.any():
            parameter.data.normal_(std=0.3)
    return model


@pytest.fixture(params=MODELS)
def plain(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return randomised(MODELS[request.param]())


def adapted(model: Any, dropout: float) -> Any:
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=12, lora_dropout=dropout, target_modules="all-linear")
    return randomised(get_peft_model(model, config)).train()


def outputs_and_gradients(model: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    scorer = LabelScorer(model, [10, 20, 30])
    torch.manual_seed(2)  # of dropout
    logits = scorer(*pad_right(ROWS, CPU))
    loss = torch.nn.functional.cross_entropy(logits, TARGETS)
    trained = [p for p in model.parameters() if p.requires_grad]
    return logits.detach(), list(torch.autograd.grad(loss, trained))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_outputs_and_gradients_are_those_of_the_layers_they_replace(
    dropout: float, plain: Any
) -> None:
    model = adapted(plain, dropout)
    logits, gradients = outputs_and_gradients(model)
    fuse(model)
    fused_logits, fused_gradients = outputs_and_gradients(model)

    torch.testing.assert_close(fused_logits, logits, atol=1e-4, rtol=1e-4)
    for fused, gradient in zip(fused_gradients, gradients, strict=True):
        assert gradient.any()
        torch.testing.assert_close(fused, gradient, atol=1e-5, rtol=1e-3)


def test_outputs_without_training_mode_have_no_dropout(plain: Any) -> None:
    model = adapted(plain, 0.5)
    without = copy.deepcopy(model).eval()
    fuse(model)
    model.eval()
    expected, _ = outputs_and_gradients(without)
    torch.testing.assert_close(outputs_and_gradients(model)[0], expected, atol=1e-4, rtol=1e-4)


def test_every_lora_layer_norm_and_attention_of_these_models_is_fused(plain: Any) -> None:
    model = adapted(plain, 0.0)
    fuse(model)
    fused = [name for name, module in model.named_modules() if "forward" in vars(module)]
    attentions = [name for name, _ in model.named_modules() if name.endswith("self_attn")]
    norms = [name for name, _ in model.named_modules() if name.endswith("norm")]
    parts = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    linear = [name for name, _ in model.named_modules() if name.endswith(parts)]
    assert len(linear) == 2 * len(parts)
    assert sorted(fused) == sorted(norms + linear + attentions)


def test_layers_that_share_a_product_share_its_weights_in_memory(plain: Any) -> None:
    model = adapted(plain, 0.0)
    before = sum(parameter.numel() for parameter in model.parameters())
    fuse(model)
    attention = model.get_decoder().layers[0].self_attn
    weights = [getattr(attention, name).get_base_layer().weight for name in ("q_proj", "v_proj")]
    assert len({weight.untyped_storage().data_ptr() for weight in weights}) == 1
    assert sum(parameter.numel() for parameter in model.parameters()) == before


def test_layers_that_share_a_product_may_be_asked_in_any_order_and_for_other_inputs(
    plain: Any,
) -> None:
    model = adapted(plain, 0.0)
    layer = model.get_decoder().layers[0].self_attn
    x, y = torch.randn(2, 3, 64), torch.randn(2, 3, 64)
    expected = layer.v_proj(x), layer.q_proj(x), layer.q_proj(y), layer.k_proj(x)
    fuse(model)
    got = layer.v_proj(x), layer.q_proj(x), layer.q_proj(y), layer.k_proj(x)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_layers_with_dropout_stay_untouched(plain: Any) -> None:
    model = adapted(plain, 0.3)
    fuse(model)
    assert not any(
        "forward" in vars(module)
        for name, module in model.named_modules()
        if name.endswith("_proj")
    )


def test_an_attention_that_rotates_otherwise_stays_untouched() -> None:
    model = CohereForCausalLM(CohereConfig(**SIZES))  # pairs neighbours, not halves
    fuse(model)
    assert "forward" not in vars(model.get_decoder().layers[0].self_attn)


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
    assert "forward" in vars(model[0])
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
    assert "forward" not in vars(model[0])
    assert torch.equal(model(x), expected)


def test_lora_on_packed_weights_stays_untouched(tiny_base: BaseModel) -> None:
    model = load_trainable(tiny_base, TrainingSettings(), Memory.LOW, CPU)
    fuse(model)
    layers = [module for name, module in model.named_modules() if name.endswith("_proj")]
    assert len(layers) == 2 * 7
    assert not any("forward" in vars(layer) for layer in layers)


def test_attention_without_a_mask_gives_the_same_logits_for_rows_padded_on_the_right(
    plain: Any,
) -> None:
    plain.eval()
    scorer = LabelScorer(plain, [10, 20, 30])
    with torch.inference_mode():
        expected = scorer(*pad_right(ROWS, CPU))
        without_mask(plain)
        got = scorer(*pad_right(ROWS, CPU))
        alone = torch.cat([scorer(*pad_right([row], CPU)) for row in ROWS])
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got, alone, atol=1e-4, rtol=1e-4)
    assert (torch.cdist(got, got) + torch.eye(3) > 0.01).all()


def test_attention_without_a_mask_is_not_given_one(plain: Any) -> None:
    seen = []
    without_mask(plain)
    layer = plain.get_decoder().layers[0].self_attn
    layer.register_forward_pre_hook(
        lambda _, __, named: seen.append(named["attention_mask"]), with_kwargs=True
    )
    LabelScorer(plain, [10, 20, 30])(*pad_right(ROWS, CPU))
    assert seen == [None]
