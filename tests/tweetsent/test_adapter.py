"""The adapter folder: what was saved is what is loaded, and every kind of damage has a name."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from tweetsent.adapter import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    Manifest,
    attach,
    read_manifest,
    shipped_adapter,
    write_manifest,
)
from tweetsent.classifier import load_from
from tweetsent.errors import ModelError
from tweetsent.model import (
    BaseModel,
    LabelScorer,
    dequantize,
    load_nf4,
    load_tokenizer,
    pad_right,
)
from tweetsent.prompt import Prompt, PromptEncoder
from tweetsent.sealed import sha256_of

CPU = torch.device("cpu")
TEXTS = ["Çok güzel bir gün", "Kargo yine gecikti, hiç memnun değilim", "Toplantı üçte"]
HUB_NAME = "Qwen/Qwen3-0.6B"


@pytest.fixture(scope="module")
def base(tiny_base: BaseModel) -> BaseModel:
    """The tiny model under the name of one on the hub, whose folder nothing else may look for."""
    return BaseModel(HUB_NAME, tiny_base.source, tiny_base.revision)


@pytest.fixture(scope="module")
def trained(base: BaseModel) -> Any:
    """The base model with a LoRA adapter that says something, as at the end of a training."""
    torch.manual_seed(0)
    lora = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    return get_peft_model(load_nf4(base, CPU), lora).eval()


@pytest.fixture(scope="module")
def saved(trained: Any, base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters") / "saved"
    trained.peft_config["default"].base_model_name_or_path = base.name
    trained.save_pretrained(str(folder), save_embedding_layers=False)
    write_manifest(
        folder,
        Manifest(
            version="tiny-12345678",
            created_at="2026-01-31T10:00:00+00:00",
            base_model=base.name,
            base_revision=base.revision,
            prompt=Prompt(max_text_tokens=99),
            temperature=1.5,
            files={name: sha256_of(folder / name) for name in (WEIGHTS, CONFIG)},
            datasets=[{"name": "cümleler.csv", "sha256": "0" * 64, "rows": 3}],
            training={"epochs": 1},
            metrics={},
            machine="a CPU",
            training_seconds=1.0,
            measured_on="2 CPU cores",
            libraries={"peft": "0"},
        ),
    )
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "adapter"
    shutil.copytree(saved, copy)
    return copy


def scores(model: Any, base: BaseModel) -> torch.Tensor:
    encoder = PromptEncoder(load_tokenizer(base), Prompt())
    batch = pad_right([encoder.encode(text) for text in TEXTS], CPU)
    with torch.inference_mode():
        result: torch.Tensor = LabelScorer(model, encoder.label_ids)(*batch)
    return result


def edit_manifest(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps(content | changes), encoding="utf-8")


def hash_again(folder: Path) -> None:
    """Make the manifest believe in the files as they are, to reach what is checked after it."""
    edit_manifest(folder, files={name: sha256_of(folder / name) for name in (WEIGHTS, CONFIG)})


def refusal(folder: Path, base: BaseModel) -> str:
    """The one line that both ways into the folder end with."""
    with pytest.raises(ModelError) as caught:
        attach(load_nf4(base, CPU), base, folder)
    message = str(caught.value)
    assert message.startswith(f"adapter {folder}")
    assert "\n" not in message
    return message.removeprefix(f"adapter {folder}")


def test_a_saved_adapter_answers_as_the_trained_one(
    trained: Any, saved: Path, base: BaseModel, no_network: list[object]
) -> None:
    expected = scores(trained, base)
    loaded = attach(load_nf4(base, CPU), base, saved)

    assert torch.equal(scores(loaded, base), expected)
    assert not torch.allclose(scores(load_nf4(base, CPU), base), expected, atol=0.5)
    assert no_network == []


def test_a_merged_adapter_answers_nearly_so(trained: Any, saved: Path, base: BaseModel) -> None:
    plain = dequantize(load_nf4(base, CPU)).float()
    merged = attach(plain, base, saved).merge_and_unload()
    torch.testing.assert_close(scores(merged, base), scores(trained, base), atol=0.15, rtol=0)


def test_the_manifest_comes_back_and_reaches_the_classifier(
    saved: Path, base: BaseModel, no_network: list[object]
) -> None:
    manifest = read_manifest(saved)
    assert manifest.prompt == Prompt(max_text_tokens=99)
    assert manifest.datasets[0].name == "cümleler.csv"

    classifier = load_from(base, saved, CPU)

    assert classifier.version == "tiny-12345678"
    assert classifier.temperature == 1.5
    assert classifier.prompt_version == Prompt(max_text_tokens=99).version
    assert no_network == []


def test_no_adapter_is_ever_a_pickle(saved: Path) -> None:
    assert {path.suffix for path in saved.iterdir()} <= {".safetensors", ".json", ".md"}


def test_the_shipped_adapter_is_whole_and_carries_the_licence() -> None:
    manifest = read_manifest(shipped_adapter())
    assert manifest.base_model == "embedded"
    assert manifest.version == f"embedded-{manifest.files[WEIGHTS][:8]}"
    assert "Gemma Terms of Use" in (shipped_adapter() / "NOTICE").read_text(encoding="utf-8")
    assert (shipped_adapter() / "GEMMA_TERMS.html").stat().st_size > 10_000


def test_a_folder_without_manifest_is_incomplete(folder: Path, base: BaseModel) -> None:
    (folder / MANIFEST).unlink()
    assert refusal(folder, base) == ": there is no tweetsent.json"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, base: BaseModel) -> None:
    assert refusal(tmp_path / "yok", base) == ": there is no tweetsent.json"


def test_a_file_is_no_folder(folder: Path, base: BaseModel) -> None:
    assert "tweetsent.json can't be read" in refusal(folder / WEIGHTS, base)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"version": "x"}'])
def test_a_broken_manifest_is_an_error_of_one_line(
    folder: Path, base: BaseModel, content: bytes
) -> None:
    (folder / MANIFEST).write_bytes(content)
    assert "tweetsent.json can't be read" in refusal(folder, base)


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 0), ("temperature", None), ("prompt", {"prefix": 1}), ("files", "all")],
)
def test_a_wrong_field_of_the_manifest_is_named(
    folder: Path, base: BaseModel, field: str, value: Any
) -> None:
    edit_manifest(folder, **{field: value})
    assert f"can't be read: {field}" in refusal(folder, base)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_missing_file_is_named(folder: Path, base: BaseModel, name: str) -> None:
    (folder / name).unlink()
    assert refusal(folder, base) == f": {name} is missing"


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_file_is_named(folder: Path, base: BaseModel, name: str, damage: str) -> None:
    content = bytearray((folder / name).read_bytes())
    if damage == "truncated":
        del content[-1]
    else:
        content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert refusal(folder, base) == f": {name} is damaged (its hash differs)"


@pytest.mark.parametrize("names", [(), (WEIGHTS,), (CONFIG,), (WEIGHTS, CONFIG, "../more")])
def test_a_manifest_must_hash_both_files_and_no_other(
    folder: Path, base: BaseModel, names: tuple[str, ...]
) -> None:
    edit_manifest(folder, files=dict.fromkeys(names, "0" * 64))
    assert refusal(folder, base) == f": tweetsent.json must hash {WEIGHTS} and {CONFIG}"


def test_the_same_base_under_another_name_is_accepted(folder: Path, base: BaseModel) -> None:
    edit_manifest(folder, base_model="/srv/the/same/weights")
    attach(load_nf4(base, CPU), base, folder)


def test_an_adapter_of_another_base_is_refused(folder: Path, base: BaseModel) -> None:
    edit_manifest(folder, base_revision="another-one-altogether")
    message = refusal(folder, base)
    assert "was trained on" in message
    assert "another-one" in message
    assert f"not on {HUB_NAME} ({base.revision[:12]})" in message


@pytest.mark.parametrize("kept_bytes", [0, 5, 200, -100])
def test_weights_that_were_torn_before_they_were_hashed_are_refused(
    folder: Path, base: BaseModel, kept_bytes: int
) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:kept_bytes])
    hash_again(folder)
    assert refusal(folder, base).startswith(f" does not fit {HUB_NAME}: ")


@pytest.mark.parametrize("content", ["", "{", "{}", '{"peft_type": "NONE"}', "[]"])
def test_a_config_that_was_broken_before_it_was_hashed_is_refused(
    folder: Path, base: BaseModel, content: str
) -> None:
    (folder / CONFIG).write_text(content, encoding="utf-8")
    hash_again(folder)
    assert refusal(folder, base).startswith(f" does not fit {HUB_NAME}: ")


@pytest.mark.parametrize("change", ["renamed", "removed", "added"])
@pytest.mark.filterwarnings("ignore:.*adapter keys:UserWarning")
def test_weights_of_other_layers_are_refused(folder: Path, base: BaseModel, change: str) -> None:
    weights = load_file(folder / WEIGHTS)
    name = sorted(weights)[0]
    if change == "added":
        weights[name.replace(".layers.0.", ".layers.9.")] = weights[name].clone()
    else:
        moved = weights.pop(name)
        if change == "renamed":
            weights[name.replace("_proj", "_other")] = moved
    save_file(weights, folder / WEIGHTS)
    hash_again(folder)
    assert refusal(folder, base) == ": its layers are not those of the base model"


def test_weights_of_another_size_are_refused(folder: Path, base: BaseModel) -> None:
    weights = {name: torch.zeros(8, 8) for name in load_file(folder / WEIGHTS)}
    save_file(weights, folder / WEIGHTS)
    hash_again(folder)
    assert refusal(folder, base).startswith(f" does not fit {HUB_NAME}: ")


def test_numbers_that_are_none_are_an_error_and_no_label(folder: Path, base: BaseModel) -> None:
    weights = load_file(folder / WEIGHTS)
    for weight in weights.values():
        weight.fill_(torch.nan)
    save_file(weights, folder / WEIGHTS)
    hash_again(folder)
    classifier = load_from(base, folder, CPU)
    with pytest.raises(ModelError, match="tiny-12345678 gave scores that are not numbers"):
        classifier.classify(["Çok güzel"])
