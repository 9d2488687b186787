"""The mean of several adapters of one base model, a "soup": steadier than each of them.

Wortsman et al. 2022, arXiv:2203.05482: weights of runs that differ in their seeds alone may be
averaged. What is averaged here is the update of each layer, s · B A, not its factors.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from training.card import AVERAGE_OF
from training.data import LabelledData
from training.evaluation import Evaluation
from training.publish import (
    Origin,
    new_folder,
    publish,
    require_different_names,
    require_new,
    save_weights,
)
from tweetsent.adapter import Manifest, attach, read_manifest
from tweetsent.errors import ConfigError, ModelError
from tweetsent.model import BaseModel, load_plain

if TYPE_CHECKING:
    from peft import PeftModel


def average(
    folders: list[Path],
    base: BaseModel,
    rank: int,
    valid: list[LabelledData],
    output: Path,
    device: torch.device,
    say: Callable[[str], None],
) -> dict[str, Evaluation]:
    """Write the mean of the adapters to `output`, calibrated and measured on the valid files.

    The mean is cut to the rank by singular value decomposition. Returns the evaluations by
    validation file. Raises DataError when `output` exists or two validation files share a name,
    ModelError when an adapter is damaged or of another base model or prompt than the first, and
    ConfigError for fewer than two adapters or a rank below 1.
    """
    require_new(output)
    require_different_names(valid)
    if len(folders) < 2:
        raise ConfigError("an average needs at least two adapters")
    if rank < 1:
        raise ConfigError("--lora-rank must be at least 1")
    manifests = [read_manifest(folder) for folder in folders]
    _require_alike(folders, manifests)
    with new_folder(output) as draft:
        say(f"averaging {len(folders)} adapters")
        save_weights(_mean(folders, base, manifests[0], rank), draft, base)
        return publish(draft, base, _origin(manifests, rank), valid, device, say)


def _require_alike(folders: list[Path], manifests: list[Manifest]) -> None:
    first = manifests[0]
    for folder, manifest in zip(folders, manifests, strict=True):
        for what in ("base_revision", "quantization", "prompt"):
            if getattr(manifest, what) != getattr(first, what):
                raise ModelError(f"adapter {folder} has another {what} than {folders[0]}")


def _mean(folders: list[Path], base: BaseModel, manifest: Manifest, rank: int) -> "PeftModel":
    # Not the bare number: PEFT finds an adapter's keys by its name, and layers are numbered.
    names = [f"averaged_{number}" for number in range(len(folders))]
    plain = load_plain(base, torch.device("cpu"), manifest.quantization)
    model = attach(plain, base, folders[0], names[0])
    for folder, name in zip(folders[1:], names[1:], strict=True):
        attach(model, base, folder, name)
    lora: Any = model.base_model
    lora.add_weighted_adapter(
        names,
        [1 / len(names)] * len(names),
        "default",
        combination_type="svd",
        svd_rank=rank,
        svd_full_matrices=False,
    )
    return model


def _origin(manifests: list[Manifest], rank: int) -> Origin:
    first = manifests[0]
    common = {
        name: value
        for name, value in first.training.items()
        if all(manifest.training.get(name) == value for manifest in manifests)
    }
    averaged = ", ".join(manifest.version for manifest in manifests)
    datasets = {data.sha256: data for manifest in manifests for data in manifest.datasets}
    measured = {name for manifest in manifests for name in manifest.metrics}
    return Origin(
        quantization=first.quantization,
        prompt=first.prompt,
        training=common | {"lora_rank": rank, AVERAGE_OF: averaged},
        datasets=[data for data in datasets.values() if data.name not in measured],
        epoch=None,
        machine=first.machine,
        seconds=sum(manifest.training_seconds for manifest in manifests),
    )
