"""From new weights to a complete adapter folder: read back, calibrated, measured, described.

The folder appears under its name only when it is complete; what dies before leaves nothing there.
"""

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from training.calibration import fit_temperature
from training.card import model_card
from training.data import LabelledData
from training.evaluation import Evaluation, evaluate, make_folder, write_report
from tweetsent import __version__, embedded
from tweetsent.adapter import CONFIG, WEIGHTS, Dataset, Manifest, write_manifest
from tweetsent.classifier import Classifier, load_from
from tweetsent.errors import DataError
from tweetsent.limits import is_out_of_memory
from tweetsent.model import BaseModel
from tweetsent.prompt import Prompt
from tweetsent.records import Quantization
from tweetsent.sealed import sha256_of

if TYPE_CHECKING:
    from peft import PeftModel

_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")


@dataclass(frozen=True, slots=True)
class Origin:
    """How an adapter's weights came to be, for its manifest."""

    quantization: Quantization
    prompt: Prompt
    training: dict[str, Any]
    """The settings."""
    datasets: list[Dataset]
    """What it was trained on."""
    epoch: int | None
    machine: str
    seconds: float
    started_from: str | None = None
    """The version whose weights training began with; None for fresh ones."""


def require_new(output: Path) -> None:
    """Raise DataError when there is something under this name."""
    if output.exists():
        raise DataError(f"{output} exists already: adapters are never overwritten")


def require_different_names(valid: list[LabelledData]) -> None:
    """Results and reports are kept under the files' names; DataError when two are the same."""
    names = [Path(part.dataset.name).stem for part in valid]
    if len(set(names)) < len(names):
        raise DataError(f"the validation files need different names, not {', '.join(names)}")


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `output` when nothing went wrong."""
    make_folder(output.parent)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".training-") as scratch:
        draft = Path(scratch) / output.name
        draft.mkdir()
        yield draft
        draft.rename(output)


def save_weights(model: "PeftModel", folder: Path, base: BaseModel) -> None:
    """Write PEFT's two files of the adapter named "default", and the base model's licence."""
    # Half the size of float32; what is measured afterwards is what was saved.
    for name, parameter in model.named_parameters():
        if ".default." in name:
            parameter.data = parameter.data.to(torch.bfloat16)
    model.peft_config["default"].base_model_name_or_path = base.name
    # Otherwise PEFT asks the model hub whether the base model's vocabulary changed.
    model.save_pretrained(str(folder), selected_adapters=["default"], save_embedding_layers=False)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes a file that only its owner can read
    if base.name == embedded.NAME:
        embedded.copy_licence(folder)


def publish(
    folder: Path,
    base: BaseModel,
    origin: Origin,
    valid: list[LabelledData],
    device: torch.device,
    say: Callable[[str], None],
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Evaluation]:
    """Complete a folder that holds saved weights; returns the evaluations by validation file.

    What is measured is what was read back. `progress` gets the number of rows measured since it
    was last called. Raises ModelError when the weights can't be read back.
    """
    manifest = _manifest(folder, base, origin, valid)
    write_manifest(folder, manifest)
    say("reading the adapter back, calibrating and measuring it")
    classifier = _read_back(base, folder, device, say)
    results, temperature = _measure(classifier, valid, progress)
    manifest = manifest.model_copy(
        update={
            "temperature": temperature,
            "measured_on": machine(classifier.device),
            "metrics": {name: result.as_dict() for name, result in results.items()},
        }
    )
    for name, result in results.items():
        write_report(result, folder / "evaluation", Path(name).stem)
    (folder / "README.md").write_text(model_card(manifest), encoding="utf-8")
    write_manifest(folder, manifest)
    return results


def machine(device: torch.device) -> str:
    """What is computed on, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def _manifest(folder: Path, base: BaseModel, origin: Origin, valid: list[LabelledData]) -> Manifest:
    hashes = {name: sha256_of(folder / name) for name in (WEIGHTS, CONFIG)}
    return Manifest(
        version=f"{Path(base.name).name.lower()}-{hashes[WEIGHTS][:8]}",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        base_model=base.name,
        base_revision=base.revision,
        quantization=origin.quantization,
        prompt=origin.prompt,
        temperature=1.0,
        files=hashes,
        datasets=[*origin.datasets, *(part.dataset for part in valid)],
        training=origin.training,
        epoch=origin.epoch,
        started_from=origin.started_from,
        metrics={},
        machine=origin.machine,
        training_seconds=round(origin.seconds, 1),
        measured_on="",
        libraries={"tweetsent": __version__} | {name: version(name) for name in _LIBRARIES},
    )


def _read_back(
    base: BaseModel, folder: Path, device: torch.device, say: Callable[[str], None]
) -> Classifier:
    try:
        return load_from(base, folder, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    say(f"the merged model does not fit into the memory of {device}: measuring on the CPU")
    return load_from(base, folder, torch.device("cpu"))


def _measure(
    classifier: Classifier, valid: list[LabelledData], progress: Callable[[int], None]
) -> tuple[dict[str, Evaluation], float]:
    rows = [row for part in valid for row in part.examples]
    logits = classifier.logits([row.text for row in rows], progress)
    classifier.temperature = fit_temperature(logits, [row.label for row in rows])
    results = {part.dataset.name: evaluate(classifier, part.examples, progress) for part in valid}
    return results, classifier.temperature
