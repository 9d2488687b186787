"""One training run: files in, a verified and measured adapter folder out.

The folder appears under its name only when it is complete; a run that dies leaves nothing there.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from training.calibration import fit_temperature
from training.card import model_card
from training.data import LabelledData
from training.evaluation import Evaluation, evaluate, make_folder, write_report
from training.plan import make_plan
from training.qlora import Progress, TrainingSettings, fine_tune
from tweetsent import __version__, embedded
from tweetsent.adapter import CONFIG, WEIGHTS, Manifest, write_manifest
from tweetsent.classifier import Classifier, load_from
from tweetsent.errors import DataError
from tweetsent.model import BaseModel, LabelScorer
from tweetsent.prompt import Prompt, PromptEncoder
from tweetsent.sealed import sha256_of

if TYPE_CHECKING:
    from peft import PeftModel

_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told how a run goes."""

    say: Callable[[str], None]
    on_step: Callable[[Progress], None]


def train(
    data: list[LabelledData],
    valid: list[LabelledData],
    base: BaseModel,
    settings: TrainingSettings,
    output: Path,
    device: torch.device,
    listener: Listener,
) -> dict[str, Evaluation]:
    """Train on `data`, calibrate and measure on `valid`, and write the adapter to `output`.

    The plan of `make_plan` is told line by line. Returns the evaluations by validation file. Raises
    DataError when `output` exists, two validation files share a name or no plan can be made.
    """
    require_new(output)
    _require_different_names(valid)
    plan = make_plan(data, valid)
    for line in plan.lines():
        listener.say(line)
    valid = plan.valid
    make_folder(output.parent)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".training-") as scratch:
        draft = Path(scratch) / output.name
        start = time.perf_counter()
        model = fine_tune(
            base,
            plan.examples,
            settings,
            device,
            on_step=listener.on_step,
            on_epoch=_epoch_report(valid, device, listener),
        )
        seconds = time.perf_counter() - start
        _save_weights(model, draft, base)
        manifest = _manifest(draft, base, settings, [*data, *valid], device, seconds)
        write_manifest(draft, manifest)
        listener.say("reading the adapter back, calibrating and measuring it")
        results, temperature = _measure(load_from(base, draft, device), valid)
        manifest = manifest.model_copy(
            update={
                "temperature": temperature,
                "metrics": {name: result.as_dict() for name, result in results.items()},
            }
        )
        for name, result in results.items():
            write_report(result, draft / "evaluation", Path(name).stem)
        (draft / "README.md").write_text(model_card(manifest), encoding="utf-8")
        write_manifest(draft, manifest)
        draft.rename(output)
    return results


def require_new(output: Path) -> None:
    """Raise DataError when there is something under this name."""
    if output.exists():
        raise DataError(f"{output} exists already: adapters are never overwritten")


def _require_different_names(valid: list[LabelledData]) -> None:
    """Results and reports are kept under the files' names."""
    names = [Path(part.dataset.name).stem for part in valid]
    if len(set(names)) < len(names):
        raise DataError(f"the validation files need different names, not {', '.join(names)}")


def _epoch_report(
    valid: list[LabelledData], device: torch.device, listener: Listener
) -> Callable[[int, LabelScorer, PromptEncoder], None]:
    def report(epoch: int, scorer: LabelScorer, encoder: PromptEncoder) -> None:
        classifier = Classifier(scorer, encoder, device, temperature=1.0, version=f"epoch {epoch}")
        for part in valid:
            metrics = evaluate(classifier, part.examples).metrics
            listener.say(
                f"epoch {epoch}: {part.dataset.name}: accuracy {metrics.accuracy:.3f}, "
                f"macro-F1 {metrics.macro_f1:.3f}"
            )

    return report


def _save_weights(model: "PeftModel", folder: Path, base: BaseModel) -> None:
    # Half the size; what is measured afterwards is what was saved.
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.bfloat16)
    model.peft_config["default"].base_model_name_or_path = base.name
    # Otherwise PEFT asks the model hub whether the base model's vocabulary changed.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes a file that only its owner can read
    if base.name == embedded.NAME:
        embedded.copy_licence(folder)


def _manifest(
    folder: Path,
    base: BaseModel,
    settings: TrainingSettings,
    data: list[LabelledData],
    device: torch.device,
    seconds: float,
) -> Manifest:
    hashes = {name: sha256_of(folder / name) for name in (WEIGHTS, CONFIG)}
    return Manifest(
        version=f"{Path(base.name).name.lower()}-{hashes[WEIGHTS][:8]}",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        base_model=base.name,
        base_revision=base.revision,
        prompt=Prompt(),
        temperature=1.0,
        files=hashes,
        datasets=[part.dataset for part in data],
        training=asdict(settings),
        metrics={},
        machine=_machine(device),
        training_seconds=round(seconds, 1),
        measured_on=_machine(device),
        libraries={"tweetsent": __version__} | {name: version(name) for name in _LIBRARIES},
    )


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def _measure(
    classifier: Classifier, valid: list[LabelledData]
) -> tuple[dict[str, Evaluation], float]:
    rows = [row for part in valid for row in part.examples]
    logits = classifier.logits([row.text for row in rows])
    classifier.temperature = fit_temperature(logits, [row.label for row in rows])
    results = {part.dataset.name: evaluate(classifier, part.examples) for part in valid}
    return results, classifier.temperature
