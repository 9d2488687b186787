"""The cache of merged models, with the tiny Qwen3."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from tweetsent.classifier import merge
from tweetsent.model import BaseModel
from tweetsent.served import load_or_build

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CPU = torch.device("cpu")


class Builder:
    """Builds the tiny model and counts how often."""

    def __init__(self, base: BaseModel) -> None:
        self._base = base
        self.built = 0
        self.said: list[str] = []

    def get(self, cache: Path, *identity: str) -> "PreTrainedModel":
        return load_or_build(cache, identity, CPU, self.build, self.said.append)

    def build(self) -> "PreTrainedModel":
        self.built += 1
        return merge(self._base, None, CPU)


@pytest.fixture
def builder(tiny_base: BaseModel) -> Builder:
    return Builder(tiny_base)


def weights(model: "PreTrainedModel") -> list[torch.Tensor]:
    return [weight for _, weight in sorted(model.state_dict().items())]


def test_a_kept_model_is_the_built_one_to_the_last_bit(builder: Builder, tmp_path: Path) -> None:
    kept = [builder.get(tmp_path / "new" / "cache", "base", "adapter") for _ in range(2)]
    assert builder.built == 1
    built = builder.build()
    for model in kept:
        assert not model.training
        assert model.dtype is built.dtype
        for one, other in zip(weights(model), weights(built), strict=True):
            assert torch.equal(one, other)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_kept_model_stays_in_its_file(builder: Builder, tmp_path: Path) -> None:
    model = builder.get(tmp_path, "base")
    (path,) = tmp_path.glob("served-*/*.safetensors")
    lines = Path("/proc/self/maps").read_text("utf-8").splitlines()
    spans = [line.split()[0].split("-") for line in lines if line.endswith(str(path))]
    for weight in weights(model):
        assert any(int(a, 16) <= weight.data_ptr() < int(b, 16) for a, b in spans)


def test_another_identity_is_another_model_and_the_last_two_are_kept(
    builder: Builder, tmp_path: Path
) -> None:
    builder.get(tmp_path, "base", "adapter")
    builder.get(tmp_path, "base", "newer adapter")
    builder.get(tmp_path, "base", "adapter")
    assert builder.built == 2
    builder.get(tmp_path, "base", "newest adapter")
    assert builder.built == 3
    assert len(list(tmp_path.glob("served-*"))) == 2
    builder.get(tmp_path, "base", "newer adapter")
    assert builder.built == 3


def test_a_damaged_model_is_built_again(builder: Builder, tmp_path: Path) -> None:
    built = [weight.clone() for weight in weights(builder.get(tmp_path, "base"))]
    (path,) = tmp_path.glob("served-*/*.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = builder.get(tmp_path, "base")
    assert builder.built == 2
    for one, other in zip(built, weights(again), strict=True):
        assert torch.equal(one, other)
    assert builder.get(tmp_path, "base")
    assert builder.built == 2


def test_a_full_disk_is_reported_and_no_failure(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tweetsent.served.seal", full)
    assert builder.get(tmp_path, "base")
    assert "No space left" in builder.said[-1]
    assert not list(tmp_path.glob("served-*"))
    assert not list(tmp_path.glob("keeping-*"))
