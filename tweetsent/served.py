"""Keeps the last two models that were merged in the cache, so that a start is quick.

Quantising, unpacking and merging give the same weights every time, and take longer than all the
rest of a start. Two are kept, so that trying another adapter does not cost the one in use.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from filelock import FileLock
from safetensors import SafetensorError

from tweetsent.sealed import is_intact, seal

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_KEPT = 2


def load_or_build(
    cache_dir: Path,
    identity: tuple[str, ...],
    device: torch.device,
    build: Callable[[], "PreTrainedModel"],
    report: Callable[[str], None],
) -> "PreTrainedModel":
    """The model that was kept under this identity, else the built one, which is then kept.

    `identity` names everything that the weights depend on. A full disk is no failure: the model
    is built again next time. On a CPU a kept model's weights stay in its file, and only what is
    used of them takes memory.
    """
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()
    folder = cache_dir / f"served-{digest[:16]}"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir / "served.lock"):
        if is_intact(folder):
            return _load(folder, device)
        report("merging the adapter into the model (once)")
        model = build()
        try:
            _keep(model, folder)
        except (OSError, SafetensorError) as error:  # a full disk is either
            report(f"the merged model can't be kept in {cache_dir} ({error}); going on without")
            return model
        del model
        return _load(folder, device)


def _load(folder: Path, device: torch.device) -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", device_map={"": device}, use_safetensors=True
    )
    model.eval()
    return model


def _keep(model: "PreTrainedModel", folder: Path) -> None:
    # A run that was killed leaves its draft behind.
    for draft in folder.parent.glob("keeping-*"):
        shutil.rmtree(draft)
    if folder.exists():  # damaged, and in the way
        shutil.rmtree(folder)
    kept = sorted(folder.parent.glob("served-*"), key=lambda path: path.stat().st_mtime)
    for old in kept[: 1 - _KEPT]:
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="keeping-") as scratch:
        draft = Path(scratch) / folder.name
        model.save_pretrained(draft)
        seal(draft)
        draft.rename(folder)
