"""How a model is held in training: chosen by the device, with the same numbers either way."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer
from transformers import Gemma3TextConfig

from tests.training.runs import CPU, compute_in_float32
from training.memory import Memory, load_trainable, make_optimizer, training_dtype
from training.settings import TrainingSettings
from tweetsent.errors import ConfigError
from tweetsent.model import BaseModel, choose_dtype

CUDA = torch.device("cuda")
SETTINGS = TrainingSettings(lora_rank=3, lora_dropout=0.25)


@pytest.fixture(scope="module")
def low(tiny_base: BaseModel) -> Any:
    return load_trainable(tiny_base, SETTINGS, Memory.LOW, CPU)


@pytest.fixture(scope="module")
def fast(tiny_base: BaseModel) -> Any:
    return load_trainable(tiny_base, SETTINGS, Memory.FAST, CPU)


def adapted_layers(model: Any) -> dict[str, Any]:
    return {name: part for name, part in model.named_modules() if isinstance(part, LoraLayer)}


@pytest.mark.parametrize("text", ["auto", "fast", "low"])
def test_a_mode_is_read_by_its_name(text: str) -> None:
    assert Memory.parse(text) == text


@pytest.mark.parametrize("text", ["", "FAST", "medium"])
def test_another_name_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match=f"^--memory {text}: there are auto, fast, low$"):
        Memory.parse(text)


def test_on_a_cpu_auto_is_fast() -> None:
    assert Memory.AUTO.resolve(CPU) is Memory.FAST


@pytest.mark.parametrize(("gigabytes", "mode"), [(8, Memory.LOW), (16, Memory.FAST)])
def test_on_a_gpu_auto_depends_on_its_memory(
    gigabytes: int, mode: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = SimpleNamespace(total_memory=gigabytes * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: size)
    assert Memory.AUTO.resolve(CUDA) is mode


@pytest.mark.parametrize("mode", [Memory.FAST, Memory.LOW])
@pytest.mark.parametrize("device", [CPU, CUDA])
def test_a_chosen_mode_stays_whatever_the_device(mode: Memory, device: torch.device) -> None:
    assert mode.resolve(device) is mode


def test_low_sends_fewer_tokens_through_the_model_at_once() -> None:
    assert 0 < Memory.LOW.pass_tokens(CPU) < Memory.FAST.pass_tokens(CPU)


def test_on_a_cpu_training_computes_in_the_type_of_serving(tiny_base: BaseModel) -> None:
    assert training_dtype(tiny_base, CPU) == choose_dtype(CPU)


def test_on_an_old_gpu_training_computes_in_float16_where_the_model_bears_it(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Gemma3TextConfig(architectures=["Gemma3ForCausalLM"]).save_pretrained(tmp_path)
    gemma = BaseModel("gemma", str(tmp_path), "0")

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert training_dtype(tiny_base, CUDA) == torch.float16
    assert training_dtype(gemma, CUDA) == torch.float32
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert training_dtype(tiny_base, CUDA) == torch.bfloat16
    assert training_dtype(gemma, CUDA) == torch.bfloat16


def test_lora_sits_on_every_linear_layer(low: Any, fast: Any) -> None:
    parts = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    for model in (low, fast):
        kinds = Counter(name.rsplit(".")[-1] for name in adapted_layers(model))
        assert kinds == dict.fromkeys(parts, model.config.num_hidden_layers)
        trained = {name for name, p in model.named_parameters() if p.requires_grad}
        assert len(trained) == 2 * kinds.total()
        assert all(".lora_A." in name or ".lora_B." in name for name in trained)


def test_rank_alpha_and_dropout_are_those_of_the_settings(low: Any, fast: Any) -> None:
    for model in (low, fast):
        config = model.peft_config["default"]
        assert (config.r, config.lora_alpha, config.lora_dropout) == (3, 6, 0.25)


def test_the_adapter_has_the_type_that_the_model_computes_in(low: Any, fast: Any) -> None:
    for model in (low, fast):
        trained = {p.dtype for p in model.parameters() if p.requires_grad}
        assert trained == {model.dtype} == {choose_dtype(CPU)}


def test_low_keeps_double_quantised_nf4(low: Any) -> None:
    for layer in adapted_layers(low).values():
        weight = layer.get_base_layer().weight
        assert isinstance(layer.get_base_layer(), Linear4bit)
        assert weight.dtype == torch.uint8
        assert weight.quant_state.quant_type == "nf4"
        assert weight.quant_state.nested


def test_low_computes_activations_twice_and_fast_does_not(low: Any, fast: Any) -> None:
    def recomputing(model: Any) -> list[bool]:
        return [
            layer.gradient_checkpointing
            for layer in model.modules()
            if hasattr(layer, "gradient_checkpointing")
        ]

    assert recomputing(low)
    assert all(recomputing(low))
    assert not any(recomputing(fast))


def test_fast_has_the_numbers_of_nf4_as_plain_matrices(low: Any, fast: Any) -> None:
    from bitsandbytes.functional import dequantize_4bit

    packed = adapted_layers(low)
    for name, layer in adapted_layers(fast).items():
        plain = layer.get_base_layer()
        assert type(plain) is torch.nn.Linear
        weight = packed[name].get_base_layer().weight
        unpacked = dequantize_4bit(weight.data, weight.quant_state)
        assert torch.equal(plain.weight, unpacked.to(plain.weight.dtype))


@pytest.mark.parametrize("memory", [Memory.LOW, Memory.FAST])
def test_without_bfloat16_everything_is_float32(
    memory: Memory, tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_in_float32(monkeypatch)
    model = load_trainable(tiny_base, SETTINGS, memory, CPU)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    layers = [layer.get_base_layer() for layer in adapted_layers(model).values()]
    if memory is Memory.LOW:
        assert {layer.compute_dtype for layer in layers} == {torch.float32}
    else:
        assert {layer.weight.dtype for layer in layers} == {torch.float32}


@pytest.mark.parametrize("memory", [Memory.LOW, Memory.FAST])
def test_on_a_cpu_the_optimiser_is_adamw_with_the_settings(memory: Memory) -> None:
    vector = torch.nn.Parameter(torch.ones(3))
    settings = TrainingSettings(learning_rate=0.5, weight_decay=0.25)
    optimizer = make_optimizer(vector, settings, memory)
    assert type(optimizer) is torch.optim.AdamW
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.25)
    assert group["params"][0] is vector
