"""One training run: files in, a verified and measured adapter folder out.

The folder appears under its name only when it is complete; a run that dies leaves nothing there.
"""

import math
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from training.calibration import fit_temperature
from training.card import model_card
from training.crossfit import out_of_fold_probabilities
from training.data import LabelledData
from training.evaluation import Evaluation, evaluate, make_folder, write_report
from training.memory import Memory, is_out_of_memory
from training.plan import Plan
from training.qlora import Listener, Trained, fine_tune, is_main_process
from training.settings import TrainingSettings
from tweetsent import __version__, embedded
from tweetsent.adapter import CONFIG, WEIGHTS, Manifest, write_manifest
from tweetsent.classifier import Classifier, load_from
from tweetsent.errors import DataError, StoppedError
from tweetsent.figures import learning_curves_png
from tweetsent.model import BaseModel, LabelScorer
from tweetsent.prompt import Prompt, PromptEncoder
from tweetsent.sealed import sha256_of

if TYPE_CHECKING:
    from peft import PeftModel

_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")


def train(
    plan: Plan,
    base: BaseModel,
    settings: TrainingSettings,
    output: Path,
    device: torch.device,
    listener: Listener,
    memory: Memory = Memory.AUTO,
) -> dict[str, Evaluation]:
    """Train as planned, calibrate and measure, and write the adapter to `output`.

    A run that is stopped or killed leaves its checkpoint in `<output>.checkpoint`; the same call
    goes on from there. Returns the evaluations by validation file, in the first of several
    processes; the others return nothing. Raises DataError when `output` exists, when two
    validation files share a name or when the checkpoint is of another run; else as `fine_tune`.
    """
    require_new(output)
    _require_different_names(plan.valid)
    make_folder(output.parent)
    checkpoint = checkpoint_of(output)
    folds = output.with_name(f"{output.name}.folds")
    examples = plan.examples
    if settings.self_distillation:
        probabilities = out_of_fold_probabilities(
            base, examples, settings, device, listener, memory, folds
        )
        examples = [
            replace(row, expected=(negative, neutral, positive))
            for row, (negative, neutral, positive) in zip(
                examples, probabilities.tolist(), strict=True
            )
        ]
    trained = fine_tune(
        base,
        examples,
        settings,
        device,
        listener,
        score=_scorer(plan.valid, device, listener.say),
        measured_on=[
            replace(row, source=part.dataset.name) for part in plan.valid for row in part.examples
        ],
        memory=memory,
        checkpoint=checkpoint,
    )
    if not is_main_process():
        return {}
    if settings.patience:
        steps = settings.epochs * math.ceil(len(plan.examples) / settings.batch_size)
        early = "stopped early: " if trained.step < steps else ""
        listener.say(f"{early}the weights of epoch {trained.epoch}, the best, are kept")
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".training-") as scratch:
        draft = Path(scratch) / output.name
        _save_weights(trained.model, draft, base)
        # Out of the GPU: the merged model takes its place there.
        trained.model.to("cpu")
        manifest = _manifest(draft, base, settings, plan, device, trained)
        write_manifest(draft, manifest)
        listener.say("reading the adapter back, calibrating and measuring it")
        classifier = _read_back(base, draft, device, listener.say)
        results, temperature = _measure(classifier, plan.valid, _stopper(listener, checkpoint))
        manifest = manifest.model_copy(
            update={
                "temperature": temperature,
                "measured_on": _machine(classifier.device),
                "metrics": {name: result.as_dict() for name, result in results.items()},
            }
        )
        for name, result in results.items():
            write_report(result, draft / "evaluation", Path(name).stem)
        curves = learning_curves_png(trained.history.losses, trained.history.scores)
        (draft / "evaluation" / "learning-curves.png").write_bytes(curves)
        (draft / "README.md").write_text(model_card(manifest), encoding="utf-8")
        write_manifest(draft, manifest)
        draft.rename(output)
    checkpoint.unlink(missing_ok=True)
    folds.unlink(missing_ok=True)
    return results


def checkpoint_of(output: Path) -> Path:
    """Where the state of an unfinished run is kept."""
    return output.with_name(f"{output.name}.checkpoint")


def require_new(output: Path) -> None:
    """Raise DataError when there is something under this name."""
    if output.exists():
        raise DataError(f"{output} exists already: adapters are never overwritten")


def _require_different_names(valid: list[LabelledData]) -> None:
    """Results and reports are kept under the files' names."""
    names = [Path(part.dataset.name).stem for part in valid]
    if len(set(names)) < len(names):
        raise DataError(f"the validation files need different names, not {', '.join(names)}")


def _scorer(
    valid: list[LabelledData], device: torch.device, say: Callable[[str], None]
) -> Callable[[int, LabelScorer, PromptEncoder], dict[str, float]]:
    def score(epoch: int, scorer: LabelScorer, encoder: PromptEncoder) -> dict[str, float]:
        classifier = Classifier(scorer, encoder, device, temperature=1.0, version=f"epoch {epoch}")
        scores = {}
        for part in valid:
            metrics = evaluate(classifier, part.examples).metrics
            scores[part.dataset.name] = metrics.macro_f1
            say(
                f"epoch {epoch}: {part.dataset.name}: accuracy {metrics.accuracy:.3f}, "
                f"macro-F1 {metrics.macro_f1:.3f}"
            )
        return scores

    return score


def _save_weights(model: "PeftModel", folder: Path, base: BaseModel) -> None:
    # Half the size of float32; what is measured afterwards is what was saved.
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
    plan: Plan,
    device: torch.device,
    trained: Trained,
) -> Manifest:
    hashes = {name: sha256_of(folder / name) for name in (WEIGHTS, CONFIG)}
    return Manifest(
        version=f"{Path(base.name).name.lower()}-{hashes[WEIGHTS][:8]}",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        base_model=base.name,
        base_revision=base.revision,
        quantization=base.quantization,
        prompt=Prompt(),
        temperature=1.0,
        files=hashes,
        datasets=[part.dataset for part in [*plan.data, *plan.valid]],
        training=asdict(settings),
        epoch=trained.epoch,
        metrics={},
        machine=_machine(device),
        training_seconds=round(trained.seconds, 1),
        measured_on="",
        libraries={"tweetsent": __version__} | {name: version(name) for name in _LIBRARIES},
    )


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


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


def _stopper(listener: Listener, checkpoint: Path) -> Callable[[int], None]:
    def stop_if_asked(_: int) -> None:
        if listener.should_stop():
            raise StoppedError(
                f"stopped after the training; the same command goes on from {checkpoint}"
            )

    return stop_if_asked


def _measure(
    classifier: Classifier, valid: list[LabelledData], progress: Callable[[int], None]
) -> tuple[dict[str, Evaluation], float]:
    rows = [row for part in valid for row in part.examples]
    logits = classifier.logits([row.text for row in rows], progress)
    classifier.temperature = fit_temperature(logits, [row.label for row in rows])
    results = {part.dataset.name: evaluate(classifier, part.examples, progress) for part in valid}
    return results, classifier.temperature
