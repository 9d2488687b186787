"""Fused LoRA layers: the numbers of the layers they stand for, and no other layer is touched."""

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.architectures import MODELS, ROWS, is_fused, randomised
from tests.training.runs import CPU
from training.fused import fuse_lora
from training.memory import Memory, load_trainable
from training.settings import TrainingSettings
from tweetsent.fused import fuse
from tweetsent.model import BaseModel, LabelScorer, pad_right

TARGETS = torch.tensor([0, 1, 2])


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
    fuse_lora(model)
    fused_logits, fused_gradients = outputs_and_gradients(model)

    torch.testing.assert_close(fused_logits, logits, atol=1e-4, rtol=1e-4)
    for fused, gradient in zip(fused_gradients, gradients, strict=True):
        assert gradient.any()
        torch.testing.assert_close(fused, gradient, atol=1e-5, rtol=1e-3)


def test_outputs_without_training_mode_have_no_dropout(plain: Any) -> None:
    model = adapted(plain, 0.5)
    without = copy.deepcopy(model).eval()
    fuse(model)
    fuse_lora(model)
    model.eval()
    expected, _ = outputs_and_gradients(without)
    torch.testing.assert_close(outputs_and_gradients(model)[0], expected, atol=1e-4, rtol=1e-4)


def test_every_lora_layer_norm_and_attention_of_these_models_is_fused(plain: Any) -> None:
    model = adapted(plain, 0.0)
    fuse(model)
    fuse_lora(model)
    fused = [name for name, module in model.named_modules() if is_fused(module)]
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
    fuse_lora(model)
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
    fuse_lora(model)
    got = layer.v_proj(x), layer.q_proj(x), layer.q_proj(y), layer.k_proj(x)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_layers_with_dropout_stay_untouched(plain: Any) -> None:
    model = adapted(plain, 0.3)
    fuse_lora(model)
    assert not any(
        "forward" in vars(module)
        for name, module in model.named_modules()
        if name.endswith("_proj")
    )


def test_lora_on_packed_weights_stays_untouched(tiny_base: BaseModel) -> None:
    model = load_trainable(tiny_base, TrainingSettings(), Memory.LOW, CPU)
    fuse_lora(model)
    layers = [module for name, module in model.named_modules() if name.endswith("_proj")]
    assert len(layers) == 2 * 7
    assert not any("forward" in vars(layer) for layer in layers)
