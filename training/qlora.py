"""QLoRA fine-tuning of the label scores: NF4 base, LoRA on every linear layer.

The loss is cross-entropy over the label words' first tokens at the end of the prompt, the only
place where the served model is ever asked. QLoRA: Dettmers et al. 2023, arXiv:2305.14314.

Any number of processes, one device each, started by `accelerate launch`: each takes its share of
every step's rows, and their gradients are added up.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, reduce

from training.batches import Batches, Row, collate, rounded_width
from training.checkpoint import Checkpoint, History, Identity
from training.data import Example
from training.gradients import CapturedGradientStep, GradientStep
from training.memory import Memory, load_trainable, make_optimizer, training_dtype
from training.settings import TrainingSettings
from training.start import read_start
from training.weights import TrainedWeights
from tweetsent.adapter import Manifest
from tweetsent.errors import ModelError, StoppedError
from tweetsent.limits import is_out_of_memory
from tweetsent.model import BaseModel, LabelScorer, load_tokenizer
from tweetsent.prompt import Prompt, PromptEncoder

if TYPE_CHECKING:
    from peft import PeftModel

_REPORT_STEPS = 20
_CHECKPOINT_SECONDS = 60.0
_SEED_STRIDE = 1_000_003  # a prime: step n of one seed is not step m of another


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a step."""

    step: int
    steps: int
    epoch: int
    loss: float
    """Mean over the steps since the last report."""
    learning_rate: float
    stage: str = ""
    """Which of several trainings this is; empty for the last or only one."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told how a run goes, and who may stop it."""

    say: Callable[[str], None]
    on_step: Callable[[Progress], None]
    on_scores: Callable[[int, dict[str, float]], None]
    """Gets macro-F1 by validation file after an epoch."""
    should_stop: Callable[[], bool]


Score = Callable[[int, LabelScorer, PromptEncoder], dict[str, float]]
"""Measures the model after an epoch: macro-F1 by validation file."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run."""

    model: "PeftModel"
    history: History
    step: int
    """Optimiser steps done."""
    epoch: int
    """The epoch whose weights these are."""
    seconds: float
    """Of training, the measuring after each epoch included, also before a stop."""


def is_main_process() -> bool:
    """Whether this is the only process of the run, or the one that writes and tells."""
    return bool(PartialState().is_main_process)


def fine_tune(
    base: BaseModel,
    examples: list[Example],
    settings: TrainingSettings,
    device: torch.device,
    listener: Listener,
    *,
    score: Score,
    measured_on: Sequence[Example] = (),
    memory: Memory = Memory.AUTO,
    checkpoint: Path | None = None,
    start: Path | None = None,
) -> Trained:
    """Train a LoRA adapter on the examples: a fresh one, or that of the folder `start` further.

    `score` measures on the rows `measured_on`, which may decide when the training ends. With
    `checkpoint`, the run's state is kept there and taken up again from there. Raises
    StoppedError when the listener stopped it, ModelError when `start` does not fit the run, the
    loss is no longer finite or not even one row fits into memory, DataError when the checkpoint is
    of another run.
    """
    memory = memory.resolve(device)
    PartialState(cpu=device.type == "cpu")  # whoever makes it first decides where all compute
    begun = read_start(start, base, settings) if start else None
    identity = identity_of(base, [*examples, *measured_on], settings, memory, device, begun)
    unfinished = None
    if checkpoint and checkpoint.exists():
        unfinished = Checkpoint.load(checkpoint, device)
        unfinished.require(identity, checkpoint)
    run = _Run(base, examples, settings, device, listener, score, memory, identity, start)
    if unfinished:
        run.take_up(unfinished)
        listener.say(f"going on from {run.place} ({checkpoint})")
    return run.go(checkpoint)


class _Run:
    """The state of one run, and the loop."""

    def __init__(
        self,
        base: BaseModel,
        examples: list[Example],
        settings: TrainingSettings,
        device: torch.device,
        listener: Listener,
        score: Score,
        memory: Memory,
        identity: Identity,
        start: Path | None,
    ) -> None:
        from transformers import set_seed

        set_seed(settings.seed)
        self._settings = settings
        self._device = device
        self._listener = listener
        self._score = score
        self._memory = memory
        self._processes = PartialState()
        self._identity = identity
        self._is_captured = device.type == "cuda" and memory is Memory.FAST
        self._encoder = PromptEncoder(load_tokenizer(base), Prompt())
        self._rows = Batches(examples, self._encoder, settings)
        self._model = load_trainable(base, settings, memory, device, start)
        self._scorer = LabelScorer(self._model, self._encoder.label_ids)
        self._weights = TrainedWeights(self._model)
        self._optimizer = make_optimizer(self._weights.vector, settings, memory)
        half = next(self._model.parameters()).dtype == torch.float16
        self._scaler = torch.amp.GradScaler(device.type, enabled=half)
        self._gradient_step = self._make_gradient_step()
        self._pass_tokens = memory.pass_tokens(device)
        self._pass = 1, 1  # rows and tokens in each of the last one
        self._batches = math.ceil(len(examples) / settings.batch_size)
        self._steps = self._batches * settings.epochs
        self._step = 0
        self._measured = 0  # epochs; a run may be stopped between an epoch's last step and this
        self._history = History()
        self._best = self._weights.vector.detach().clone() if settings.patience else None
        self._loss = torch.zeros((), device=device)
        self._loss_steps = 0
        self._saved_at = time.monotonic()
        self._started = time.perf_counter()
        self._seconds_before = 0.0

    def _make_gradient_step(self) -> GradientStep:
        kind = CapturedGradientStep if self._is_captured else GradientStep
        return kind(
            self._scorer,
            self._weights,
            self._device,
            self._scaler.scale,
            self._settings.language_modelling,
        )

    def go(self, checkpoint: Path | None) -> Trained:
        """Train to the end, or until stopped."""
        self._started = time.perf_counter()
        while self._measured < self._settings.epochs and not self._is_out_of_patience():
            epoch = self._measured + 1
            self._scorer.train()
            done = self._step - self._measured * self._batches
            for rows in self._rows.of_epoch(epoch)[done:]:
                self._take(rows)
                self._report(epoch)
                if self._must_stop():
                    self._save(checkpoint)
                    # A launcher ends all processes with the first that ends; one is still writing.
                    self._processes.wait_for_everyone()
                    raise StoppedError(_stopped(self.place, checkpoint))
                if time.monotonic() - self._saved_at > _CHECKPOINT_SECONDS:
                    self._save(checkpoint)
            self._measure(epoch)
            self._save(checkpoint)
        chosen = self._measured
        if self._best is not None:
            self._weights.publish(self._best)
            chosen = self._best_epoch()
        return Trained(self._model, self._history, self._step, chosen, self._seconds())

    @property
    def place(self) -> str:
        """Where the run stands."""
        return f"step {self._step} of {self._steps}"

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._started

    def _take(self, rows: list[Row]) -> None:
        """One optimiser step."""
        while (loss := self._try_gradient(rows)) is None:
            self._halve()
        if self._processes.num_processes > 1:
            self._weights.gradient.copy_(reduce(self._weights.gradient, "sum"))
            loss = reduce(loss, "sum")
        self._step += 1
        self._loss_steps += 1
        self._loss += loss
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate_at(self._step, self._steps)
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.clip_grad_norm_(self._weights.vector, self._settings.max_gradient_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._weights.forget()
        self._weights.publish()

    def _try_gradient(self, rows: list[Row]) -> torch.Tensor | None:
        """As `_gradient`, but None when memory ran out; nothing of the attempt is held then."""
        try:
            return self._gradient(rows)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _gradient(self, rows: list[Row]) -> torch.Tensor:
        """Leave this process's share of the step's gradient in the weights; its loss, ()."""
        # Dropout depends on nothing that happened before: a run taken up again draws the same.
        seed = self._settings.seed * _SEED_STRIDE + self._step
        torch.manual_seed(seed * self._processes.num_processes + self._processes.process_index)
        share = rows[self._processes.process_index :: self._processes.num_processes]
        step_weight = sum(row.weight for row in rows)
        most = -(-self._settings.batch_size // self._processes.num_processes)
        loss = torch.zeros((), device=self._device)
        while share:
            # The longest come last; they decide how many go together.
            width = rounded_width(len(share[-1].ids))
            count = max(1, min(most, self._pass_tokens // width))
            part = share[-count:]
            # A captured graph has its number of rows built in.
            size = count if self._is_captured else len(part)
            self._pass = size, width
            batch = collate(part, step_weight, size=size, few_shapes=self._is_captured)
            loss += self._gradient_step(batch)
            del share[-count:]
        return loss

    def _halve(self) -> None:
        rows, width = self._pass
        if rows == 1:
            raise ModelError(
                f"{self._device}: not even one row fits into memory; try --memory low or a smaller "
                "base model"
            )
        self._pass_tokens = rows // 2 * width
        self._listener.say(
            f"out of memory: going on with half the rows at once, {self._pass_tokens} tokens; the "
            "result stays that of the full batch"
        )
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self._gradient_step = self._make_gradient_step()
        self._weights.forget()
        torch.cuda.empty_cache()

    def _report(self, epoch: int) -> None:
        done = self._step % self._batches
        # Reading the loss waits for the GPU, so it is not done at every step.
        if done % _REPORT_STEPS:
            return
        mean = float(self._loss) / self._loss_steps
        self._loss.zero_()
        self._loss_steps = 0
        if not math.isfinite(mean):
            raise ModelError(f"the loss is no longer finite (step {self._step} of {self._steps})")
        self._history.losses.append((self._step, mean))
        rate = self._settings.learning_rate_at(self._step, self._steps)
        self._listener.on_step(Progress(self._step, self._steps, epoch, mean, rate))

    def _must_stop(self) -> bool:
        stop = self._listener.should_stop()
        if self._processes.num_processes > 1:
            # All of them or none: a single one that stopped would leave the others waiting.
            flag = torch.tensor(float(stop), device=self._device)
            stop = bool(reduce(flag, "sum") > 0)
        return stop

    def _measure(self, epoch: int) -> None:
        """Score the weights, and remember the best."""
        self._scorer.eval()
        scores = [self._score(epoch, self._scorer, self._encoder)] if is_main_process() else [{}]
        broadcast_object_list(scores)
        self._listener.on_scores(self._step, scores[0])
        for name, value in scores[0].items():
            self._history.scores.setdefault(name, []).append((self._step, value))
        if self._best is not None and self._epoch_scores()[-1] == max(self._epoch_scores()):
            self._best.copy_(self._weights.vector.detach())
        self._measured = epoch

    def _epoch_scores(self) -> list[float]:
        """Mean macro-F1 over the validation files, by epoch."""
        by_file = self._history.scores.values()
        return [
            sum(value for _, value in epoch) / len(by_file) for epoch in zip(*by_file, strict=True)
        ]

    def _best_epoch(self) -> int:
        scores = self._epoch_scores()
        return len(scores) - scores[::-1].index(max(scores))

    def _is_out_of_patience(self) -> bool:
        scores = self._epoch_scores()
        patience = self._settings.patience
        # Only a better score counts here; of equal ones the last is kept.
        return bool(patience and scores and len(scores) - 1 - scores.index(max(scores)) >= patience)

    def _save(self, path: Path | None) -> None:
        self._saved_at = time.monotonic()
        if path is None or not is_main_process():
            return
        tensors: dict[str, torch.Tensor] = {}
        numbers: dict[str, Any] = {}
        # Not `state_dict()`: bitsandbytes nests its tensors there.
        for name, value in self._optimizer.state.get(self._weights.vector, {}).items():
            kind: dict[str, Any] = tensors if isinstance(value, torch.Tensor) else numbers
            kind[f"optimizer.{name}"] = value
        tensors["vector"] = self._weights.vector.detach()
        tensors["loss"] = self._loss
        if self._best is not None:
            tensors["best"] = self._best
        numbers["loss_steps"] = self._loss_steps
        numbers["measured"] = self._measured
        numbers["pass_tokens"] = self._pass_tokens
        numbers["seconds"] = self._seconds()
        numbers["scaler"] = self._scaler.state_dict()
        Checkpoint(self._identity, self._step, tensors, numbers, self._history).save(path)

    def take_up(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same run."""
        with torch.no_grad():
            self._weights.vector.copy_(checkpoint.tensors["vector"])
            self._weights.publish()
            self._loss.copy_(checkpoint.tensors["loss"])
            if self._best is not None:
                self._best.copy_(checkpoint.tensors["best"])
        state = self._optimizer.state_dict()
        prefix = "optimizer."
        state["state"] = {
            0: {
                name.removeprefix(prefix): value
                for name, value in (checkpoint.tensors | checkpoint.numbers).items()
                if name.startswith(prefix)
            }
        }
        self._optimizer.load_state_dict(state)
        self._scaler.load_state_dict(checkpoint.numbers["scaler"])
        self._loss_steps = checkpoint.numbers["loss_steps"]
        self._measured = checkpoint.numbers["measured"]
        self._pass_tokens = checkpoint.numbers["pass_tokens"]
        self._seconds_before = checkpoint.numbers["seconds"]
        self._history = checkpoint.history
        self._step = checkpoint.step


def _stopped(place: str, checkpoint: Path | None) -> str:
    kept = f"; the same command goes on from {checkpoint}" if checkpoint else ""
    return f"stopped after {place}{kept}"


def identity_of(
    base: BaseModel,
    examples: list[Example],
    settings: TrainingSettings,
    memory: Memory,
    device: torch.device,
    start: Manifest | None = None,
) -> Identity:
    """The same for runs that give the same weights."""
    rows = json.dumps([astuple(row) for row in examples])
    return {
        "base model": base.revision,
        "prompt": Prompt().version,
        "set of rows": hashlib.sha256(rows.encode()).hexdigest(),
        **{f"--{name.replace('_', '-')}": value for name, value in asdict(settings).items()},
        "--memory": memory.value,
        "device": device.type,
        "number type": str(training_dtype(base, device)),
        "number of processes": PartialState().num_processes,
        "--start-from": start.files if start else None,  # hashes of what it starts from
    }
