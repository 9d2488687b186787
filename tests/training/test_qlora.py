"""Fine-tuning the tiny Qwen3 in NF4 on the CPU, by the same code as any other model."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners.lora import LoraLayer
from torch.nn.functional import cross_entropy

from tests.sentences import SENTENCES
from training import qlora
from training.data import Example
from training.qlora import Progress, TrainingSettings, fine_tune
from tweetsent.errors import ConfigError, ModelError
from tweetsent.labels import LABELS
from tweetsent.model import BaseModel, LabelScorer, load_nf4, load_tokenizer, pad_right
from tweetsent.prompt import Prompt, PromptEncoder

CPU = torch.device("cpu")
FEW = SENTENCES[::4]
PLAIN = TrainingSettings(
    epochs=3,
    batch_size=2,
    learning_rate=5e-3,
    warmup_share=0.0,
    lora_rank=4,
    lora_alpha=8,
    lora_dropout=0.0,
    seed=7,
)


@dataclass
class Run:
    """A finished run and what was heard of it."""

    model: Any = None
    steps: list[Progress] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    @property
    def losses(self) -> list[float]:
        return [step.loss for step in self.steps]


def run(base: BaseModel, settings: TrainingSettings = PLAIN, examples: list[Example] = FEW) -> Run:
    result = Run()
    result.model = fine_tune(
        base,
        examples,
        settings,
        CPU,
        on_step=result.steps.append,
        on_epoch=lambda epoch, _, __: result.epochs.append(epoch),
    )
    return result


@pytest.fixture(scope="module")
def plain(tiny_base: BaseModel) -> Run:
    return run(tiny_base)


def test_steps_and_epochs_are_counted(plain: Run) -> None:
    assert [(at.step, at.steps, at.epoch) for at in plain.steps] == [
        (3, 9, 1),
        (6, 9, 2),
        (9, 9, 3),
    ]
    assert plain.epochs == [1, 2, 3]


def test_the_same_seed_gives_the_same_losses_and_weights(plain: Run, tiny_base: BaseModel) -> None:
    torch.manual_seed(12345)  # what happened before does not matter
    again = run(tiny_base)
    assert again.losses == plain.losses
    for old, new in zip(plain.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(old, new)


# What each field is changed to for the losses to take another way.
CHANGES: dict[str, Any] = {
    "learning_rate": 1e-3,
    "warmup_share": 0.5,
    "weight_decay": 20.0,
    "max_gradient_norm": 1e-9,
    "lora_alpha": 32,
    "lora_dropout": 0.5,
    "label_smoothing": 0.3,
    "augment_probability": 1.0,
    "seed": 8,
}
COUNTED = {"epochs", "batch_size", "lora_rank"}


def test_every_field_is_tried() -> None:
    names = {item.name for item in dataclasses.fields(TrainingSettings)}
    assert set(CHANGES) | COUNTED == names
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
    def trained(result: Run) -> int:
        return sum(p.numel() for p in result.model.parameters() if p.requires_grad)

    bigger = run(tiny_base, replace(PLAIN, lora_rank=12, epochs=1))
    layers = [m for m in bigger.model.modules() if isinstance(m, LoraLayer)]
    assert trained(bigger) == 3 * trained(plain)
    assert trained(bigger) == sum(12 * (m.in_features + m.out_features) for m in layers)


def test_rank_alpha_and_dropout_are_those_of_the_adapter(tiny_base: BaseModel) -> None:
    settings = replace(PLAIN, epochs=1, lora_rank=3, lora_alpha=21, lora_dropout=0.25)
    config = run(tiny_base, settings).model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout) == (3, 21, 0.25)


def test_lora_sits_on_every_linear_layer_and_the_layers_are_nf4(plain: Run) -> None:
    adapted = {
        name: module.get_base_layer()
        for name, module in plain.model.named_modules()
        if isinstance(module, LoraLayer)
    }
    parts = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    blocks = plain.model.config.num_hidden_layers
    assert Counter(name.rsplit(".")[-1] for name in adapted) == dict.fromkeys(parts, blocks)
    for layer in adapted.values():
        assert isinstance(layer, Linear4bit)
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.quant_state.nested  # double quantisation


def test_nothing_but_lora_is_trained(plain: Run, tiny_base: BaseModel) -> None:
    trained = {name for name, p in plain.model.named_parameters() if p.requires_grad}
    assert trained
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)
    moved = [name for name, p in plain.model.named_parameters() if ".lora_B." in name and p.any()]
    assert len(moved) == len(trained) / 2  # B starts at zero: each of them learnt something
    fresh = dict(load_nf4(tiny_base, CPU).named_parameters())
    kept = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): p
        for name, p in plain.model.named_parameters()
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
    right: list[float] = []

    def on_epoch(_: int, scorer: LabelScorer, encoder: PromptEncoder) -> None:
        assert not scorer.training
        with torch.no_grad():
            logits = scorer(*pad_right([encoder.encode(row.text) for row in SENTENCES], CPU))
        answers = [LABELS[index] for index in logits.argmax(dim=1)]
        right.append(
            sum(a is row.label for a, row in zip(answers, SENTENCES, strict=True)) / len(SENTENCES)
        )

    steps: list[Progress] = []
    settings = replace(PLAIN, epochs=25, batch_size=8, learning_rate=1e-2, lora_rank=8)
    fine_tune(tiny_base, SENTENCES, settings, CPU, on_step=steps.append, on_epoch=on_epoch)
    assert steps[0].loss > 0.8
    assert steps[-1].loss < 0.1
    assert right[-1] == 1.0


def test_measuring_between_epochs_does_not_disturb_the_training(
    plain: Run, tiny_base: BaseModel
) -> None:
    def on_epoch(_: int, scorer: LabelScorer, encoder: PromptEncoder) -> None:
        with torch.inference_mode():
            scorer(*pad_right([encoder.encode(row.text) for row in SENTENCES], CPU))

    steps: list[Progress] = []
    fine_tune(tiny_base, FEW, PLAIN, CPU, on_step=steps.append, on_epoch=on_epoch)
    assert [at.loss for at in steps] == plain.losses


def test_a_loss_that_is_no_number_ends_the_run(tiny_base: BaseModel) -> None:
    epochs: list[int] = []
    with pytest.raises(ModelError, match=r"no longer finite \(step \d+ of 9\)"):
        fine_tune(
            tiny_base,
            FEW,
            replace(PLAIN, learning_rate=1e30),
            CPU,
            on_step=lambda _: None,
            on_epoch=lambda epoch, _, __: epochs.append(epoch),
        )
    assert len(epochs) < PLAIN.epochs


@pytest.fixture
def batches(tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, ...]]]:
    """The batches of two epochs over all sentences, five to a batch, as they are padded."""
    seen: list[list[tuple[int, ...]]] = []

    def recording(ids: list[list[int]], device: torch.device) -> Any:
        seen.append([tuple(row) for row in ids])
        return pad_right(ids, device)

    monkeypatch.setattr(qlora, "pad_right", recording)
    run(tiny_base, replace(PLAIN, epochs=2, batch_size=5), SENTENCES)
    return seen


def test_an_epoch_shows_every_text_once_in_batches_of_like_length(
    batches: list[list[tuple[int, ...]]], tiny_base: BaseModel
) -> None:
    encoder = PromptEncoder(load_tokenizer(tiny_base), Prompt())
    every = Counter(tuple(encoder.encode(row.text)) for row in SENTENCES)
    for epoch in (batches[:5], batches[5:]):
        assert sorted(len(batch) for batch in epoch) == [4, 5, 5, 5, 5]
        assert Counter(row for batch in epoch for row in batch) == every
        for batch in epoch:
            lengths = [len(row) for row in batch]
            assert lengths == sorted(lengths)
        by_length = sorted(epoch, key=lambda batch: (len(batch[0]), len(batch[-1])))
        for shorter, longer in pairwise(by_length):
            assert len(shorter[-1]) <= len(longer[0])


def test_epochs_differ_in_their_order(batches: list[list[tuple[int, ...]]]) -> None:
    assert batches[:5] != batches[5:]


BAD: dict[str, list[float]] = {
    "epochs": [0, -1],
    "batch_size": [0],
    "learning_rate": [0, -1e-4, float("nan"), float("inf")],
    "warmup_share": [-0.1, 1.1],
    "weight_decay": [-1],
    "max_gradient_norm": [0],
    "lora_rank": [0],
    "lora_alpha": [0],
    "lora_dropout": [-0.1, 1],
    "label_smoothing": [-0.1, 1],
    "augment_probability": [-0.1, 1.5],
    "seed": [-1, 2**32],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_value_that_can_not_be_is_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^training settings: {name} must be [^;]+$"):
        TrainingSettings(**{name: value})  # type: ignore[arg-type]


def test_all_bad_values_are_named_at_once() -> None:
    assert set(BAD) == {item.name for item in dataclasses.fields(TrainingSettings)}
    with pytest.raises(ConfigError) as caught:
        TrainingSettings(**{name: values[0] for name, values in BAD.items()})  # type: ignore[arg-type]
    assert str(caught.value).count(" must be ") == len(BAD)
    assert all(name in str(caught.value) for name in BAD)


@pytest.mark.parametrize(
    "edge",
    [
        {"warmup_share": 0},
        {"warmup_share": 1},
        {"lora_dropout": 0},
        {"augment_probability": 1},
        {"seed": 0},
        {"seed": 2**32 - 1},
    ],
)
def test_values_at_the_edge_are_allowed(edge: dict[str, Any]) -> None:
    assert dataclasses.asdict(TrainingSettings(**edge)) | edge == dataclasses.asdict(
        TrainingSettings(**edge)
    )
