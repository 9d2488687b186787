"""The mean of real adapters of the tiny model: its numbers, its manifest, what is refused."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.sentences import SENTENCES
from tests.training.runs import CPU, PLAIN, compute_in_float32
from training.average import average
from training.data import LabelledData
from training.evaluation import Evaluation
from training.plan import make_plan
from training.qlora import Listener
from training.run import train
from tweetsent.adapter import Dataset, read_manifest
from tweetsent.classifier import load_from
from tweetsent.errors import ConfigError, DataError, ModelError
from tweetsent.model import BaseModel

VALID = [LabelledData(Dataset(name="v.csv", sha256="1" * 64, rows=6), SENTENCES[1::4])]
DATA = [LabelledData(Dataset(name="t.csv", sha256="2" * 64, rows=12), SENTENCES[::2])]
LAYER = "model.layers.0.mlp.down_proj.weight"


@pytest.fixture(scope="module")
def adapters(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of another seed, and one of another rank."""
    folder = tmp_path_factory.mktemp("adapters")
    listener = Listener(lambda _: None, lambda _: None, lambda *_: None, lambda: False)
    paths = []
    for seed, rank in ((1, 4), (2, 4), (3, 2)):
        paths.append(folder / str(seed))
        settings = replace(PLAIN, batch_size=6, seed=seed, lora_rank=rank)
        train(make_plan(DATA, VALID), tiny_base, settings, paths[-1], CPU, listener)
    return paths


Averaging = Callable[..., dict[str, Evaluation]]


@pytest.fixture
def averaging(tiny_base: BaseModel, tmp_path: Path) -> Averaging:
    def call(folders: list[Path], rank: int = 8) -> dict[str, Evaluation]:
        return average(folders, tiny_base, rank, VALID, tmp_path / "mean", CPU, lambda _: None)

    return call


def weight(base: BaseModel, folder: Path | None) -> torch.Tensor:
    classifier = load_from(base, folder, CPU)
    return dict(classifier._scorer.model.named_parameters())[LAYER].detach().float()


def test_the_update_is_the_mean_of_the_updates(
    averaging: Averaging,
    adapters: list[Path],
    tiny_base: BaseModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compute_in_float32(monkeypatch)
    averaging(adapters, rank=10)  # as much as 4 + 4 + 2 need
    plain = weight(tiny_base, None)
    updates = [weight(tiny_base, folder) - plain for folder in adapters]
    mean = weight(tiny_base, tmp_path / "mean") - plain
    expected = torch.stack(updates).mean(dim=0)
    assert expected.norm() > 0.05
    assert (mean - expected).norm() < 0.02 * expected.norm()
    assert all((mean - update).norm() > 0.2 * expected.norm() for update in updates)


def test_a_smaller_rank_keeps_most_of_the_mean(
    averaging: Averaging,
    adapters: list[Path],
    tiny_base: BaseModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compute_in_float32(monkeypatch)
    averaging(adapters[:2], rank=3)
    config = json.loads((tmp_path / "mean" / "adapter_config.json").read_text())
    assert config["r"] == 3
    plain = weight(tiny_base, None)
    expected = sum(weight(tiny_base, folder) for folder in adapters[:2]) / 2 - plain
    left = (weight(tiny_base, tmp_path / "mean") - plain - expected).norm() / expected.norm()
    assert 0.05 < left < 0.8


def test_the_folder_is_an_adapter_that_says_what_it_is_of(
    averaging: Averaging, adapters: list[Path], tiny_base: BaseModel, tmp_path: Path
) -> None:
    results = averaging(adapters[:2])
    manifest = read_manifest(tmp_path / "mean")
    versions = [read_manifest(folder).version for folder in adapters[:2]]
    assert manifest.training["average of"] == ", ".join(versions)
    assert manifest.training["lora_rank"] == 8
    assert manifest.training["batch_size"] == 6
    assert "seed" not in manifest.training
    assert [data.name for data in manifest.datasets] == ["t.csv", "v.csv"]
    assert list(results) == list(manifest.metrics) == ["v.csv"]
    assert manifest.temperature != 1.0
    card = (tmp_path / "mean" / "README.md").read_text("utf-8")
    assert ", ".join(versions) in card
    texts = [row.text for row in VALID[0].examples]
    scores = load_from(tiny_base, tmp_path / "mean", CPU).classify(texts)
    right = [score.label is row.label for score, row in zip(scores, SENTENCES[1::4], strict=True)]
    assert sum(right) / len(right) == pytest.approx(results["v.csv"].metrics.accuracy)
    assert [path.name for path in tmp_path.iterdir()] == ["mean"]


def test_what_can_not_be_averaged_is_refused(
    averaging: Averaging, adapters: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="at least two adapters"):
        averaging(adapters[:1])
    with pytest.raises(ConfigError, match="--lora-rank must be at least 1"):
        averaging(adapters, rank=0)
    with pytest.raises(ModelError, match=r"there is no tweetsent\.json"):
        averaging([adapters[0], tmp_path])
    for field, value in (("base_revision", "0" * 64), ("quantization", "none")):
        other = shutil.copytree(adapters[1], tmp_path / field)
        manifest = json.loads((other / "tweetsent.json").read_text())
        (other / "tweetsent.json").write_text(json.dumps(manifest | {field: value}))
        with pytest.raises(ModelError, match=rf"{field} has another {field} than .*1"):
            averaging([adapters[0], other])
        shutil.rmtree(other)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mean").mkdir()
    with pytest.raises(DataError, match="exists already"):
        averaging(adapters)
