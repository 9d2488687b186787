"""Fine-tuning the tiny Qwen3 in NF4 on the CPU, by the same code as any other model."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer
from torch.nn.functional import cross_entropy

from tests.sentences import SENTENCES
from tests.training.runs import (
    CPU,
    FEW,
    PLAIN,
    Run,
    at_call,
    compute_in_float32,
    difference,
    run,
)
from training import qlora
from training.batches import Batch
from training.checkpoint import Checkpoint
from training.data import Example
from training.gradients import GradientStep
from training.memory import Memory
from training.settings import TrainingSettings
from tweetsent.errors import DataError, ModelError, StoppedError
from tweetsent.labels import LABELS, Label
from tweetsent.model import (
    BaseModel,
    LabelScorer,
    choose_dtype,
    dequantize,
    load_nf4,
    load_tokenizer,
    pad_right,
)
from tweetsent.prompt import Prompt, PromptEncoder

ROOT = Path(__file__).parents[2]
EVERYTHING = replace(
    PLAIN,
    lora_dropout=0.2,
    label_smoothing=0.1,
    language_modelling=0.2,
    augment=0.5,
    patience=3,
    weight_decay=0.1,
    warmup_share=0.2,
)


@pytest.fixture(scope="module")
def plain(tiny_base: BaseModel) -> Run:
    return run(tiny_base)


@pytest.fixture(scope="module")
def everything(tiny_base: BaseModel) -> Run:
    return run(tiny_base, EVERYTHING)


def assert_same(run: Run, expected: Run) -> None:
    """The same result, bit for bit."""
    assert run.trained is not None
    assert expected.trained is not None
    assert torch.equal(run.weights, expected.weights)
    assert run.trained.history == expected.trained.history
    assert run.trained.history.losses
    assert run.trained.history.scores
    assert (run.trained.step, run.trained.epoch) == (expected.trained.step, expected.trained.epoch)


def scripted(scores: list[float]) -> Callable[..., dict[str, float]]:
    return lambda epoch, *_: {"a.csv": scores[epoch - 1]}


# What comes out


def test_steps_epochs_and_learning_rates_are_told(plain: Run) -> None:
    assert [(at.step, at.steps, at.epoch) for at in plain.steps] == [
        (3, 9, 1),
        (6, 9, 2),
        (9, 9, 3),
    ]
    assert [at.learning_rate for at in plain.steps] == [
        PLAIN.learning_rate_at(step, 9) for step in (3, 6, 9)
    ]
    assert [step for step, _ in plain.scores] == [3, 6, 9]


def test_the_history_is_what_was_told(plain: Run) -> None:
    assert plain.trained is not None
    assert plain.trained.history.losses == [(at.step, at.loss) for at in plain.steps]
    assert plain.trained.history.scores == {
        "few.csv": [(step, scores["few.csv"]) for step, scores in plain.scores]
    }
    assert (plain.trained.step, plain.trained.epoch) == (9, 3)
    assert plain.trained.seconds > 0


def test_long_epochs_are_told_in_parts_and_each_loss_counts_once(tiny_base: BaseModel) -> None:
    result = run(tiny_base, replace(PLAIN, epochs=1, batch_size=1), SENTENCES)
    assert [at.step for at in result.steps] == [20, 24]


def test_the_same_seed_gives_the_same_losses_and_weights(plain: Run, tiny_base: BaseModel) -> None:
    torch.manual_seed(12345)  # what happened before does not matter
    assert_same(run(tiny_base), plain)


def test_the_same_seed_gives_the_same_with_everything_on(
    everything: Run, tiny_base: BaseModel
) -> None:
    torch.manual_seed(12345)
    assert_same(run(tiny_base, EVERYTHING), everything)
    other = run(tiny_base, replace(EVERYTHING, seed=8))
    assert not torch.equal(other.weights, everything.weights)
    assert other.losses != everything.losses


# What each field is changed to for the losses to take another way.
CHANGES: dict[str, Any] = {
    "learning_rate": 1e-3,
    "warmup_share": 0.5,
    "weight_decay": 20.0,
    "max_gradient_norm": 1e-9,
    "lora_dropout": 0.5,
    "label_smoothing": 0.3,
    "language_modelling": 0.5,
    "augment": 1.0,
    "seed": 8,
}
TESTED_APART = {"epochs", "batch_size", "lora_rank", "patience", "self_distillation"}


def test_every_field_is_tried() -> None:
    names = {item.name for item in dataclasses.fields(TrainingSettings)}
    assert set(CHANGES) | TESTED_APART == names
    assert all(getattr(PLAIN, name) != value for name, value in CHANGES.items())


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_field_changes_the_losses(name: str, plain: Run, tiny_base: BaseModel) -> None:
    changed = run(tiny_base, replace(PLAIN, **{name: CHANGES[name]}))
    assert len(changed.losses) == len(plain.losses)
    assert abs(changed.losses[-1] - plain.losses[-1]) > 1e-4


def test_epochs_and_batch_size_give_the_number_of_steps(tiny_base: BaseModel) -> None:
    result = run(tiny_base, replace(PLAIN, epochs=2, batch_size=4))
    assert [(at.step, at.steps) for at in result.steps] == [(2, 4), (4, 4)]


def test_the_rank_gives_the_number_of_trained_weights(plain: Run, tiny_base: BaseModel) -> None:
    bigger = run(tiny_base, replace(PLAIN, lora_rank=12, epochs=1))
    layers = [m for m in bigger.model.modules() if isinstance(m, LoraLayer)]
    assert len(bigger.weights) == 3 * len(plain.weights)
    assert len(bigger.weights) == sum(12 * (m.in_features + m.out_features) for m in layers)


@pytest.mark.parametrize("memory", [Memory.FAST, Memory.LOW])
def test_nothing_but_lora_is_trained(memory: Memory, tiny_base: BaseModel) -> None:
    model = run(tiny_base, memory=memory).model
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)
    moved = [name for name, p in model.named_parameters() if ".lora_B." in name and p.any()]
    assert len(moved) == len(trained) / 2  # B starts at zero: each of them learnt something
    base = load_nf4(tiny_base, CPU)
    fresh = dict((dequantize(base) if memory is Memory.FAST else base).named_parameters())
    kept = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): p
        for name, p in model.named_parameters()
        if name not in trained
    }
    assert kept.keys() == fresh.keys()
    assert all(torch.equal(kept[name], weight) for name, weight in fresh.items())


def test_the_loss_is_that_of_the_three_label_words_after_the_prompt(tiny_base: BaseModel) -> None:
    encoder = PromptEncoder(load_tokenizer(tiny_base), Prompt())
    scorer = LabelScorer(load_nf4(tiny_base, CPU), encoder.label_ids)
    with torch.no_grad():
        logits = scorer(*pad_right([encoder.encode(row.text) for row in FEW], CPU))
    expected = cross_entropy(logits, torch.tensor([LABELS.index(row.label) for row in FEW]))
    # One batch, and nothing learnt before its loss is taken.
    result = run(tiny_base, replace(PLAIN, epochs=1, batch_size=len(FEW)))
    assert result.losses == [pytest.approx(float(expected), rel=0.02)]


def test_it_learns_24_sentences_by_heart(tiny_base: BaseModel) -> None:
    def accuracy(_: int, scorer: LabelScorer, encoder: PromptEncoder) -> dict[str, float]:
        assert not scorer.training
        with torch.no_grad():
            logits = scorer(*pad_right([encoder.encode(row.text) for row in SENTENCES], CPU))
        answers = [LABELS[index] for index in logits.argmax(dim=1)]
        right = sum(a is row.label for a, row in zip(answers, SENTENCES, strict=True))
        return {"sentences.csv": right / len(SENTENCES)}

    settings = replace(PLAIN, epochs=25, batch_size=8, learning_rate=1e-2, lora_rank=8)
    result = run(tiny_base, settings, SENTENCES, score=accuracy)
    assert result.losses[0] > 0.8
    assert result.losses[-1] < 0.1
    assert result.scores[-1][1] == {"sentences.csv": 1.0}


@pytest.mark.parametrize("memory", [Memory.FAST, Memory.LOW])
def test_measuring_between_epochs_does_not_disturb_the_training(
    memory: Memory, tiny_base: BaseModel
) -> None:
    # bitsandbytes would repack NF4 weights at the first evaluation, into a form without a gradient.
    measured = run(tiny_base, memory=memory)
    blind = run(tiny_base, memory=memory, score=lambda *_: {})
    assert measured.losses == blind.losses
    assert torch.equal(measured.weights, blind.weights)
    layers = [m for m in measured.model.modules() if isinstance(m, Linear4bit)]
    assert len(layers) == (14 if memory is Memory.LOW else 0)
    assert {layer.weight.dtype for layer in layers} <= {torch.uint8}


def test_a_loss_that_is_no_number_ends_the_run(tiny_base: BaseModel) -> None:
    heard = Run()
    with pytest.raises(ModelError, match=r"no longer finite \(step \d+ of 9\)"):
        run(tiny_base, replace(PLAIN, learning_rate=1e30), heard=heard)
    assert len(heard.scores) < PLAIN.epochs


def test_the_optimiser_steps_in_float32_whatever_the_model_computes_in(
    plain: Run, tiny_base: BaseModel, tmp_path: Path
) -> None:
    run(tiny_base, checkpoint=tmp_path / "c")
    kept = Checkpoint.load(tmp_path / "c", CPU).tensors
    for name in ("vector", "optimizer.exp_avg", "optimizer.exp_avg_sq"):
        assert kept[name].dtype == torch.float32
    assert plain.weights.dtype == choose_dtype(CPU)
    assert torch.equal(plain.weights, kept["vector"].to(choose_dtype(CPU)))


# Memory


def test_little_memory_gives_the_same_weights_up_to_rounding(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_in_float32(monkeypatch)
    fast, low = (run(tiny_base, memory=memory) for memory in (Memory.FAST, Memory.LOW))
    assert low.losses == pytest.approx(fast.losses, rel=1e-3)
    assert difference(low.weights, fast.weights) < 0.01


class LittleRoom:
    """A gradient step that runs out of memory over so many tokens, after part of its work."""

    def __init__(self, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[int] = []
        self.failures = 0
        original = GradientStep.__call__

        def call(step: GradientStep, batch: Batch) -> torch.Tensor:
            loss = original(step, batch)
            if batch.input_ids.numel() > tokens:
                self.failures += 1
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            self.rows.append(len(batch.lengths))
            return loss

        monkeypatch.setattr(GradientStep, "__call__", call)


def test_out_of_memory_halves_the_rows_and_leaves_the_result(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_in_float32(monkeypatch)
    settings = replace(PLAIN, batch_size=12)
    undisturbed = run(tiny_base, settings, SENTENCES)
    assert undisturbed.said == []

    room = LittleRoom(200, monkeypatch)
    halved = run(tiny_base, settings, SENTENCES)

    assert 2 <= len(halved.said) == room.failures <= 3
    assert all("out of memory: going on with half the rows" in line for line in halved.said)
    assert max(room.rows) < 12
    assert sum(room.rows) >= 3 * len(SENTENCES)
    assert halved.losses == pytest.approx(undisturbed.losses, rel=1e-3)
    assert difference(halved.weights, undisturbed.weights) < 0.01


def test_when_not_even_one_row_fits_it_says_so(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    LittleRoom(0, monkeypatch)
    heard = Run()
    with pytest.raises(ModelError, match="cpu: not even one row fits into memory; try --memory"):
        run(tiny_base, replace(PLAIN, batch_size=len(FEW)), heard=heard)
    assert len(heard.said) == 2  # 6, 3, 1


def test_an_error_that_is_not_about_memory_ends_the_run(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> torch.Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(GradientStep, "__call__", broken)
    heard = Run()
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run(tiny_base, heard=heard)
    assert heard.said == []


# Patience


@pytest.mark.parametrize("in_float32", [False, True])
def test_patience_ends_the_run_and_keeps_the_best_epoch(
    in_float32: bool, tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_float32:
        compute_in_float32(monkeypatch)
    settings = replace(PLAIN, epochs=6, patience=2)
    result = run(tiny_base, settings, score=scripted([0.5, 0.6, 0.55, 0.4, 0.9, 0.9]))
    assert result.trained is not None
    assert [step for step, _ in result.scores] == [3, 6, 9, 12]
    assert (result.trained.step, result.trained.epoch) == (12, 2)
    assert torch.equal(result.weights, result.snapshots[1])
    assert not torch.equal(result.weights, result.snapshots[3])


def test_an_epoch_that_is_better_again_renews_the_patience(tiny_base: BaseModel) -> None:
    settings = replace(PLAIN, epochs=5, patience=2)
    result = run(tiny_base, settings, score=scripted([0.5, 0.4, 0.6, 0.3, 0.7]))
    assert result.trained is not None
    assert (result.trained.step, result.trained.epoch) == (15, 5)
    assert torch.equal(result.weights, result.snapshots[4])


def test_the_best_epoch_is_that_of_the_mean_over_the_files(tiny_base: BaseModel) -> None:
    scores = [
        {"a.csv": 0.9, "b.csv": 0.1},
        {"a.csv": 0.6, "b.csv": 0.6},
        {"a.csv": 0.5, "b.csv": 0.5},
    ]
    result = run(
        tiny_base, replace(PLAIN, patience=3), score=lambda epoch, *_: dict(scores[epoch - 1])
    )
    assert result.trained is not None
    assert result.trained.epoch == 2
    assert torch.equal(result.weights, result.snapshots[1])


def test_without_patience_every_epoch_is_gone_through_and_the_last_is_kept(
    tiny_base: BaseModel,
) -> None:
    result = run(tiny_base, score=scripted([0.9, 0.5, 0.1]))
    assert result.trained is not None
    assert (result.trained.step, result.trained.epoch) == (9, 3)
    assert torch.equal(result.weights, result.snapshots[2])


# Stopping and going on


@pytest.mark.parametrize("step", range(1, 10))
def test_a_run_stopped_at_any_step_goes_on_as_if_it_had_not_been(
    step: int, everything: Run, tiny_base: BaseModel, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    kept = rf"^stopped after step {step} of 9; the same command goes on from .*/c$"
    with pytest.raises(StoppedError, match=kept):
        run(tiny_base, EVERYTHING, stop=at_call(step), checkpoint=path)
    torch.manual_seed(step)
    result = run(tiny_base, EVERYTHING, checkpoint=path)
    assert result.said == [f"going on from step {step} of 9 ({path})"]
    assert_same(result, everything)


def test_a_run_stopped_after_each_step_comes_to_the_same_end(
    everything: Run, tiny_base: BaseModel, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    for step in range(1, 10):
        with pytest.raises(StoppedError, match=f"after step {step} of 9"):
            run(tiny_base, EVERYTHING, stop=at_call(1), checkpoint=path)
    assert_same(run(tiny_base, EVERYTHING, checkpoint=path), everything)


@pytest.mark.parametrize("step", [1, 6, 8, 12])
def test_a_stop_does_not_change_when_the_patience_ends(
    step: int, tiny_base: BaseModel, tmp_path: Path
) -> None:
    settings = replace(PLAIN, epochs=6, patience=2)
    score = scripted([0.5, 0.6, 0.55, 0.4, 0.9, 0.9])
    expected = run(tiny_base, settings, score=score)
    with pytest.raises(StoppedError):
        run(tiny_base, settings, score=score, stop=at_call(step), checkpoint=tmp_path / "c")
    assert_same(run(tiny_base, settings, score=score, checkpoint=tmp_path / "c"), expected)


def test_a_stop_between_two_reports_loses_no_loss(tiny_base: BaseModel, tmp_path: Path) -> None:
    settings = replace(PLAIN, epochs=1, batch_size=1)
    expected = run(tiny_base, settings, SENTENCES)
    for step in (7, 13):
        with pytest.raises(StoppedError):
            run(tiny_base, settings, SENTENCES, stop=at_call(step), checkpoint=tmp_path / "c")
    result = run(tiny_base, settings, SENTENCES, checkpoint=tmp_path / "c")
    assert [at.step for at in result.steps] == [24]  # 20 was told before the second stop
    assert_same(result, expected)


def test_little_memory_goes_on_as_well(tiny_base: BaseModel, tmp_path: Path) -> None:
    settings = replace(EVERYTHING, epochs=2)
    expected = run(tiny_base, settings, memory=Memory.LOW)
    with pytest.raises(StoppedError):
        run(tiny_base, settings, memory=Memory.LOW, stop=at_call(2), checkpoint=tmp_path / "c")
    assert_same(run(tiny_base, settings, memory=Memory.LOW, checkpoint=tmp_path / "c"), expected)


def test_a_finished_run_is_not_trained_again(
    plain: Run, tiny_base: BaseModel, tmp_path: Path
) -> None:
    run(tiny_base, checkpoint=tmp_path / "c")
    again = run(tiny_base, checkpoint=tmp_path / "c")
    assert again.steps == []
    assert again.scores == []
    assert_same(again, plain)


def test_the_state_of_an_8_bit_optimiser_goes_on_as_well(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bitsandbytes.optim import AdamW8bit  # type: ignore[attr-defined]

    # What little memory means on a GPU; there it is paged too.
    monkeypatch.setattr(qlora, "make_optimizer", lambda vector, *_: AdamW8bit([vector]))
    expected = run(tiny_base)
    with pytest.raises(StoppedError):
        run(tiny_base, stop=at_call(4), checkpoint=tmp_path / "c")
    state = Checkpoint.load(tmp_path / "c", CPU).tensors
    assert state["optimizer.state1"].dtype == torch.uint8
    assert_same(run(tiny_base, checkpoint=tmp_path / "c"), expected)


def test_a_stop_without_a_checkpoint_promises_nothing(tiny_base: BaseModel) -> None:
    with pytest.raises(StoppedError, match=r"^stopped after step 2 of 9$"):
        run(tiny_base, stop=at_call(2))


@pytest.fixture(scope="module")
def unfinished(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unfinished") / "c"
    with pytest.raises(StoppedError):
        run(tiny_base, stop=at_call(2), checkpoint=path)
    return path


OTHER_DATA = [replace(FEW[0], label=Label.POSITIVE), *FEW[1:]]


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("--learning-rate", {"settings": replace(PLAIN, learning_rate=5.1e-3)}),
        ("--epochs, --seed", {"settings": replace(PLAIN, epochs=4, seed=1)}),
        ("set of rows", {"examples": OTHER_DATA}),
        ("set of rows", {"examples": FEW[::-1]}),
        ("set of rows", {"examples": [*FEW, Example("Bir tane daha.", Label.NEUTRAL)]}),
        ("--memory", {"memory": Memory.LOW}),
        ("base model", {"base": {"revision": "0" * 64}}),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_run_is_refused_and_kept(
    what: str, other: dict[str, Any], unfinished: Path, tiny_base: BaseModel
) -> None:
    before = unfinished.read_bytes()
    base = replace(tiny_base, **other.get("base", {}))
    how = {name: value for name, value in other.items() if name != "base"}
    with pytest.raises(DataError, match=f"is of a run with another {what}: give that command"):
        run(base, checkpoint=unfinished, **how)
    assert unfinished.read_bytes() == before


def test_a_checkpoint_of_a_run_measured_on_other_rows_is_refused(
    unfinished: Path, tiny_base: BaseModel
) -> None:
    listener = qlora.Listener(print, print, print, lambda: False)
    with pytest.raises(DataError, match="is of a run with another set of rows"):
        qlora.fine_tune(
            tiny_base,
            FEW,
            PLAIN,
            CPU,
            listener,
            score=lambda *_: {},
            measured_on=SENTENCES[:3],
            checkpoint=unfinished,
        )


def test_a_damaged_checkpoint_is_refused_and_kept(
    unfinished: Path, tiny_base: BaseModel, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    path.write_bytes(unfinished.read_bytes()[:-100])
    before = path.read_bytes()
    with pytest.raises(DataError, match="is damaged; delete it"):
        run(tiny_base, checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_is_kept_on_the_way(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"

    def steps_kept() -> list[int]:
        seen: list[int] = []

        def look() -> bool:
            seen.append(Checkpoint.load(path, CPU).step if path.exists() else 0)
            return False

        run(tiny_base, stop=look, checkpoint=path)
        path.unlink()
        return seen

    assert steps_kept() == [0, 0, 0, 3, 3, 3, 6, 6, 6]  # after each epoch
    monkeypatch.setattr(qlora, "_CHECKPOINT_SECONDS", 0.0)
    assert steps_kept() == [0, 1, 2, 3, 4, 5, 6, 7, 8]


CHILD = """
import sys, time
from pathlib import Path
from tests.training.runs import run
from tests.training.test_qlora import KILLED
from training import qlora
from tweetsent.model import find_base_model

qlora._CHECKPOINT_SECONDS = 0.0
base = find_base_model(sys.argv[1], Path(sys.argv[2]), print)
run(base, KILLED, stop=lambda: time.sleep(0.1), checkpoint=Path(sys.argv[3]))
"""
KILLED = replace(EVERYTHING, batch_size=1, epochs=8)


def test_a_killed_run_goes_on_as_if_it_had_not_been(tiny_base: BaseModel, tmp_path: Path) -> None:
    path = tmp_path / "c"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, tiny_base.name, str(tmp_path / "cache"), str(path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        written = set()
        deadline = time.monotonic() + 120
        while len(written) < 9 and child.poll() is None and time.monotonic() < deadline:
            if path.exists():
                written.add(path.stat().st_mtime_ns)
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        _, errors = child.communicate()
    assert child.returncode == -signal.SIGKILL, errors

    result = run(tiny_base, KILLED, checkpoint=path)

    (line,) = result.said
    assert 6 <= int(line.split()[4]) < 48, line  # an epoch's end is saved twice
    assert_same(result, run(tiny_base, KILLED))


def test_every_row_is_seen_once_an_epoch_in_batches_of_the_size(
    tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Batch] = []
    original = GradientStep.__call__

    def call(step: GradientStep, batch: Batch) -> torch.Tensor:
        seen.append(batch)
        return original(step, batch)

    monkeypatch.setattr(GradientStep, "__call__", call)
    run(tiny_base, replace(PLAIN, epochs=2, batch_size=5), SENTENCES)
    encoder = PromptEncoder(load_tokenizer(tiny_base), Prompt())
    every = Counter(tuple(encoder.encode(row.text)) for row in SENTENCES)
    for epoch in (seen[:5], seen[5:]):
        assert sorted(len(batch.lengths) for batch in epoch) == [4, 5, 5, 5, 5]
        assert every == Counter(
            tuple(ids[:length].tolist())
            for batch in epoch
            for ids, length in zip(batch.input_ids, batch.lengths, strict=True)
        )
        assert all(float(batch.weights.sum()) == pytest.approx(1) for batch in epoch)
