"""Base models: finding them, NF4, and the three scores; a tiny Qwen3 on the CPU stands for all."""

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, get_peft_model

from tweetsent.errors import ModelError
from tweetsent.model import (
    BaseModel,
    LabelScorer,
    choose_device,
    choose_dtype,
    dequantize,
    find_base_model,
    load_nf4,
    load_tokenizer,
    pad_right,
)
from tweetsent.prompt import Prompt, PromptEncoder

CPU = torch.device("cpu")
TEXTS = [
    "Çok güzel",
    "Kargo yine gecikti ve kimse telefona bakmadı, bir daha asla almam",
    "Toplantı üçte",
    "ne iyi ne kötü " * 20,
]


@pytest.fixture(scope="module")
def encoder(tiny_base: BaseModel) -> PromptEncoder:
    return PromptEncoder(load_tokenizer(tiny_base), Prompt())


@pytest.fixture(scope="module")
def sequences(encoder: PromptEncoder) -> list[list[int]]:
    return [encoder.encode(text) for text in TEXTS]


@pytest.fixture
def nf4(tiny_base: BaseModel) -> Any:
    return load_nf4(tiny_base, CPU)


@pytest.fixture(scope="module")
def precise(tiny_base: BaseModel) -> Any:
    """The weights of NF4 in float32, where only a wrong calculation makes a difference."""
    return dequantize(load_nf4(tiny_base, CPU)).float()


def scores(model: Any, encoder: PromptEncoder, sequences: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = LabelScorer(model, encoder.label_ids)(*pad_right(sequences, CPU))
    return result


def test_the_scores_are_the_full_models_logits_at_the_last_token(
    precise: Any, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    got = scores(precise, encoder, sequences)

    for row, sequence in zip(got, sequences, strict=True):
        with torch.inference_mode():
            logits = precise(input_ids=torch.tensor([sequence])).logits[0, -1]
        torch.testing.assert_close(row, logits[encoder.label_ids], atol=1e-4, rtol=0)


def test_the_scores_are_those_of_the_untied_output_matrix(
    tiny_folder: Path, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config.from_pretrained(tiny_folder, tie_word_embeddings=False)
    model = Qwen3ForCausalLM(config).eval()
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor(sequences[:1])).logits[0, -1]

    (got,) = scores(model, encoder, sequences[:1])

    torch.testing.assert_close(got, logits[encoder.label_ids], atol=1e-4, rtol=0)


def test_batch_companions_do_not_change_the_scores(
    precise: Any, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    together = scores(precise, encoder, sequences)
    for row, sequence in zip(together, sequences, strict=True):
        (alone,) = scores(precise, encoder, [sequence])
        torch.testing.assert_close(row, alone, atol=1e-4, rtol=0)


def test_in_the_served_numbers_companions_change_next_to_nothing(
    nf4: Any, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    model = dequantize(nf4)
    together = scores(model, encoder, sequences)
    for row, sequence in zip(together, sequences, strict=True):
        (alone,) = scores(model, encoder, [sequence])
        # bfloat16 has eight bits; another batch shape adds up in another order.
        torch.testing.assert_close(row, alone, atol=0.1, rtol=0)


def test_what_stands_in_the_padding_does_not_matter_at_all(
    nf4: Any, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    scorer = LabelScorer(dequantize(nf4), encoder.label_ids)
    ids, lengths = pad_right(sequences, CPU)
    padding = torch.arange(ids.shape[1]) >= lengths[:, None]
    assert padding.any()
    with torch.inference_mode():
        zeros = scorer(ids, lengths)
        others = scorer(ids.masked_fill(padding, encoder.label_ids[0]), lengths)
    assert torch.equal(zeros, others)


def test_other_texts_have_other_scores(
    precise: Any, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    got = scores(precise, encoder, sequences)
    assert (torch.cdist(got, got) + torch.eye(len(TEXTS)) > 0.1).all()


def test_padding_is_on_the_right() -> None:
    ids, lengths = pad_right([[5, 6, 7], [8]], CPU)
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert lengths.tolist() == [3, 1]


def test_linear_layers_are_double_quantised_nf4(nf4: Any) -> None:
    layers = [module for module in nf4.modules() if isinstance(module, Linear4bit)]
    assert len(layers) == 2 * 7  # q, k, v, o, gate, up, down
    assert {layer.weight.quant_state.quant_type for layer in layers} == {"nf4"}
    assert {layer.weight.quant_state.nested for layer in layers} == {True}
    assert {layer.weight.dtype for layer in layers} == {torch.uint8}
    assert not nf4.training


def test_an_evaluation_leaves_the_training_gradients_as_they_were(
    nf4: Any, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    torch.manual_seed(0)
    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    scorer = LabelScorer(get_peft_model(nf4, lora), encoder.label_ids)
    batch = pad_right(sequences, CPU)

    before = gradients(scorer, batch)
    scorer.eval()
    with torch.no_grad():
        scorer(*batch)
    after = gradients(scorer, batch)

    assert len(before) == 2 * 2 * 7
    assert all(gradient.abs().max() > 0 for gradient in before.values())
    assert {name for name in before if not torch.equal(before[name], after[name])} == set()


def gradients(
    scorer: LabelScorer, batch: tuple[torch.Tensor, torch.Tensor]
) -> dict[str, torch.Tensor]:
    scorer.train()
    scorer.zero_grad()
    targets = torch.arange(len(batch[1])) % 3
    torch.nn.functional.cross_entropy(scorer(*batch), targets).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in scorer.named_parameters()
        if parameter.grad is not None
    }


def test_an_evaluation_leaves_the_evaluation_as_it_was(
    nf4: Any, encoder: PromptEncoder, sequences: list[list[int]]
) -> None:
    first = scores(nf4, encoder, sequences)
    assert torch.equal(first, scores(nf4, encoder, sequences))
    torch.testing.assert_close(scores(dequantize(nf4), encoder, sequences), first, atol=0.1, rtol=0)


def test_dequantised_weights_are_what_nf4_computes_with(nf4: Any) -> None:
    expected = {
        name: dequantize_4bit(module.weight.data, module.weight.quant_state)
        for name, module in nf4.named_modules()
        if isinstance(module, Linear4bit)
    }

    plain = dequantize(nf4)

    modules = dict(plain.named_modules())
    assert not any(isinstance(module, Linear4bit) for module in modules.values())
    for name, weight in expected.items():
        assert torch.equal(modules[name].weight, weight.to(modules[name].weight.dtype)), name
    assert {parameter.dtype for parameter in plain.parameters()} == {choose_dtype(CPU)}
    # The angles of the positions need more digits than bfloat16 has.
    assert {buffer.dtype for buffer in plain.buffers()} == {torch.float32}


def test_nf4_is_close_to_the_stored_weights_and_not_the_same(nf4: Any, tiny_folder: Path) -> None:
    from safetensors.torch import load_file

    stored = load_file(tiny_folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    weight = dequantize(nf4).state_dict()[name].float()
    error = (weight - stored[name].float()).abs().mean() / stored[name].float().abs().mean()
    assert 0.01 < error < 0.15


def test_a_folder_is_found_and_named_by_its_weights(tiny_folder: Path, tmp_path: Path) -> None:
    found = find_base_model(str(tiny_folder), tmp_path, print)
    assert (found.name, found.source) == (str(tiny_folder), str(tiny_folder))

    other = tmp_path / "other"
    shutil.copytree(tiny_folder, other)
    assert find_base_model(str(other), tmp_path, print).revision == found.revision
    flip_a_byte(other / "model.safetensors")
    assert find_base_model(str(other), tmp_path, print).revision != found.revision


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["{}/missing", "./missing-model", "~/missing/tweetsent-model"])
def test_a_path_that_leads_nowhere_is_no_hub_id(
    tmp_path: Path, name: str, no_network: list[object]
) -> None:
    with pytest.raises(ModelError, match=r"missing.*: there is no such folder"):
        find_base_model(name.format(tmp_path), tmp_path, print)
    assert no_network == []


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json"])
def test_a_folder_without_its_files_says_what_it_needs(
    tiny_folder: Path, tmp_path: Path, missing: str
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "base")
    (tmp_path / "base" / missing).unlink()
    with pytest.raises(ModelError, match=r"base: needs config\.json and \*\.safetensors"):
        find_base_model(str(tmp_path / "base"), tmp_path, print)


def test_pickled_weights_are_not_taken(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "base")
    weights = tmp_path / "base" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(ModelError, match="safetensors"):
        find_base_model(str(tmp_path / "base"), tmp_path, print)


@pytest.mark.parametrize("name", ["no-such-owner/no-such-model", "no-such-model", "a/b/c"])
def test_without_a_hub_the_embedded_model_is_proposed(
    tmp_path: Path, name: str, no_network: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # between the hub client's attempts
    with pytest.raises(ModelError, match="TWEETSENT_BASE_MODEL=embedded") as caught:
        find_base_model(name, tmp_path, print)
    assert str(caught.value).startswith(f"base model {name} can't be loaded")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damaged", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("kept_bytes", [0, 100, 1000])
def test_a_torn_base_model_is_a_model_error(
    tiny_folder: Path, tmp_path: Path, damaged: str, kept_bytes: int
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(tiny_folder, folder)
    content = (folder / damaged).read_bytes()
    (folder / damaged).write_bytes(content[: min(kept_bytes, len(content) - 10)])
    with pytest.raises(ModelError, match="can't be loaded") as caught:
        load_nf4(find_base_model(str(folder), tmp_path, print), CPU)
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="TWEETSENT_DEVICE=cuda"):
        choose_device("cuda")
    assert choose_device("auto") == choose_device("cpu") == CPU


def test_a_gpu_is_taken_unless_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == CPU


def test_numbers_are_never_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_dtype(CPU) in {torch.bfloat16, torch.float32}
    gpu = torch.device("cuda")
    for native, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation, native=native: native or including_emulation,
        )
        assert choose_dtype(gpu) == dtype


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Stands for a hub of which only one commit is known; notes what it is asked for."""
    asked: list[tuple[str, str]] = []

    def config(name: str, *, revision: str, trust_remote_code: bool) -> Any:
        assert not trust_remote_code
        asked.append((name, revision))
        return SimpleNamespace(_commit_hash=COMMIT)

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", config)
    return asked


def test_a_commit_of_a_hub_is_what_is_loaded(
    asked_for: list[tuple[str, str]], tmp_path: Path
) -> None:
    said: list[str] = []
    base = find_base_model(f"owner/model@{COMMIT}", tmp_path, said.append)

    assert (base.name, base.revision, said) == ("owner/model", COMMIT, [])
    assert asked_for == [("owner/model", COMMIT)]
    assert base.location == {
        "pretrained_model_name_or_path": "owner/model",
        "revision": COMMIT,
        "trust_remote_code": False,
    }


def test_a_hub_model_without_a_commit_is_said_how_to_pin(
    asked_for: list[tuple[str, str]], tmp_path: Path
) -> None:
    said: list[str] = []
    assert find_base_model("owner/model", tmp_path, said.append).revision == COMMIT
    assert asked_for == [("owner/model", "main")]
    assert f"TWEETSENT_BASE_MODEL=owner/model@{COMMIT}" in said[0]

    find_base_model("owner/model", tmp_path, said.append, COMMIT)  # an adapter's manifest has it
    assert len(said) == 1


@pytest.mark.parametrize("commit", ["main", "v1.0", COMMIT[:-1], COMMIT.upper(), ""])
def test_what_may_move_is_no_commit(commit: str, tmp_path: Path, no_network: list[object]) -> None:
    with pytest.raises(ModelError, match="after @ comes a commit"):
        find_base_model(f"owner/model@{commit}", tmp_path, print)
    assert no_network == []


def test_a_folder_without_a_tokenizer_is_told(tiny_folder: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_folder, base)
    for path in base.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match=r"tokenizer of .* is missing"):
        load_tokenizer(find_base_model(str(base), tmp_path, print))


def test_a_model_with_code_of_its_own_is_refused_unasked(tiny_folder: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_folder, base)
    config = json.loads((base / "config.json").read_text("utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (base / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (base / "own.py").write_text("raise SystemExit('code of a model ran')\n", encoding="utf-8")
    with pytest.raises(ModelError, match="can't be loaded"):
        load_nf4(find_base_model(str(base), tmp_path, print), CPU)
