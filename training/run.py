"""One training run: planned rows in, a verified and measured adapter folder out."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import torch
from accelerate import PartialState
from filelock import FileLock, Timeout

from training.crossfit import with_expectations
from training.data import LabelledData
from training.evaluation import Evaluation, evaluate, make_folder
from training.memory import Memory
from training.plan import Plan
from training.publish import (
    Origin,
    machine,
    new_folder,
    publish,
    require_different_names,
    require_new,
    save_weights,
)
from training.qlora import Listener, fine_tune, is_main_process
from training.settings import TrainingSettings
from training.start import read_start
from tweetsent.classifier import Classifier
from tweetsent.errors import DataError, StoppedError
from tweetsent.figures import learning_curves_png
from tweetsent.model import BaseModel, LabelScorer
from tweetsent.packed import PackedScorer
from tweetsent.prompt import Prompt, PromptEncoder


def train(
    plan: Plan,
    base: BaseModel,
    settings: TrainingSettings,
    output: Path,
    device: torch.device,
    listener: Listener,
    memory: Memory = Memory.AUTO,
    start: Path | None = None,
) -> dict[str, Evaluation]:
    """Train as planned, calibrate and measure, and write the adapter to `output`.

    The weights begin as those of the adapter `start`, without one as fresh ones.

    A run that is stopped or killed leaves its checkpoint in `<output>.checkpoint`; the same call
    goes on from there. Returns the evaluations by validation file, in the first of several
    processes; the others return nothing. Raises DataError when `output` exists or another run is
    writing it, when two validation files share a name or when the checkpoint is of another run;
    else as `fine_tune`.
    """
    require_new(output)
    require_different_names(plan.valid)
    make_folder(output.parent)
    PartialState(cpu=device.type == "cpu")  # whoever makes it first decides where all compute
    with _alone(output):
        return _train(plan, base, settings, output, device, listener, memory, start)


def _train(
    plan: Plan,
    base: BaseModel,
    settings: TrainingSettings,
    output: Path,
    device: torch.device,
    listener: Listener,
    memory: Memory,
    start: Path | None,
) -> dict[str, Evaluation]:
    begun = read_start(start, base, settings) if start else None
    checkpoint = checkpoint_of(output)
    folds = output.with_name(f"{output.name}.folds")
    # The folds never start from an adapter: it may have seen the rows that they leave out.
    examples = with_expectations(base, plan.examples, settings, device, listener, memory, folds)
    trained = fine_tune(
        base,
        examples,
        settings,
        device,
        listener,
        score=_scorer(plan.valid, listener.say),
        measured_on=[
            replace(row, source=part.dataset.name) for part in plan.valid for row in part.examples
        ],
        memory=memory,
        checkpoint=checkpoint,
        start=start,
    )
    if not is_main_process():
        return {}
    if settings.patience:
        steps = settings.epochs * math.ceil(len(plan.examples) / settings.batch_size)
        early = "stopped early: " if trained.step < steps else ""
        listener.say(f"{early}the weights of epoch {trained.epoch}, the best, are kept")
    with new_folder(output) as draft:
        save_weights(trained.model, draft, base)
        # Out of the GPU: the merged model takes its place there.
        trained.model.to("cpu")
        origin = Origin(
            quantization=base.quantization,
            prompt=Prompt(),
            training=asdict(settings),
            datasets=[part.dataset for part in plan.data],
            epoch=trained.epoch,
            machine=machine(device),
            seconds=trained.seconds,
            started_from=begun.version if begun else None,
        )
        progress = _stopper(listener, checkpoint)
        results = publish(draft, base, origin, plan.valid, device, listener.say, progress)
        curves = learning_curves_png(trained.history.losses, trained.history.scores)
        (draft / "evaluation" / "learning-curves.png").write_bytes(curves)
    checkpoint.unlink(missing_ok=True)
    folds.unlink(missing_ok=True)
    return results


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Two runs that write the same checkpoint would lose both."""
    if not is_main_process():
        yield
        return
    lock = FileLock(output.with_name(f"{output.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise DataError(
            f"another run is writing {output}: wait for its end or choose another --output"
        ) from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def checkpoint_of(output: Path) -> Path:
    """Where the state of an unfinished run is kept."""
    return output.with_name(f"{output.name}.checkpoint")


def _scorer(
    valid: list[LabelledData], say: Callable[[str], None]
) -> Callable[[int, LabelScorer, PromptEncoder], dict[str, float]]:
    def score(epoch: int, scorer: LabelScorer, encoder: PromptEncoder) -> dict[str, float]:
        packed = PackedScorer(scorer.model, scorer.label_ids, encoder.longest)
        classifier = Classifier(packed, encoder, temperature=1.0, version=f"epoch {epoch}")
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


def _stopper(listener: Listener, checkpoint: Path) -> Callable[[int], None]:
    def stop_if_asked(_: int) -> None:
        if listener.should_stop():
            raise StoppedError(
                f"stopped after the training; the same command goes on from {checkpoint}"
            )

    return stop_if_asked
