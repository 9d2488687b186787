"""Batches: every row once in an epoch, of like length, the same again for the same epoch."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from tests.sentences import SENTENCES
from tests.training.runs import PLAIN
from training.batches import Batches, Row, collate, rounded_width
from training.data import Example
from training.settings import TrainingSettings
from tweetsent.labels import LABELS, Label
from tweetsent.model import BaseModel, load_tokenizer
from tweetsent.prompt import Prompt, PromptEncoder

FIVES = replace(PLAIN, batch_size=5)
MANY = [
    Example(f"{row.text} {'çok ' * (number % 40)}{number}", row.label)
    for number in range(20)
    for row in SENTENCES
]


@pytest.fixture(scope="module")
def encoder(tiny_base: BaseModel) -> PromptEncoder:
    return PromptEncoder(load_tokenizer(tiny_base), Prompt())


def ids_of(batches: list[list[Row]]) -> list[list[list[int]]]:
    return [[row.ids for row in batch] for batch in batches]


def counted(batches: list[list[Row]]) -> Counter[tuple[int, ...]]:
    return Counter(tuple(row.ids) for batch in batches for row in batch)


@pytest.mark.parametrize(("settings", "sizes"), [(FIVES, [4, 5, 5, 5, 5]), (PLAIN, [2] * 12)])
def test_an_epoch_shows_every_row_once(
    settings: TrainingSettings, sizes: list[int], encoder: PromptEncoder
) -> None:
    for epoch in (1, 2):
        batches = Batches(SENTENCES, encoder, settings).of_epoch(epoch)
        assert sorted(map(len, batches)) == sizes
        assert counted(batches) == Counter(tuple(encoder.encode(row.text)) for row in SENTENCES)


def test_rows_are_prompts_with_their_own_labels(encoder: PromptEncoder) -> None:
    label_of = {tuple(encoder.encode(row.text)): row.label for row in SENTENCES}
    for batch in Batches(SENTENCES, encoder, FIVES).of_epoch(1):
        for row in batch:
            expected = [float(label is label_of[tuple(row.ids)]) for label in LABELS]
            assert list(row.target) == expected


def test_the_same_seed_and_epoch_give_the_same_batches(encoder: PromptEncoder) -> None:
    settings = replace(FIVES, augment=0.5)
    first = Batches(SENTENCES, encoder, settings).of_epoch(3)
    assert Batches(SENTENCES, encoder, settings).of_epoch(3) == first
    assert Batches(tuple(SENTENCES), encoder, settings).of_epoch(3) == first


def test_epochs_and_seeds_differ_in_their_order(encoder: PromptEncoder) -> None:
    first = ids_of(Batches(SENTENCES, encoder, FIVES).of_epoch(1))
    assert ids_of(Batches(SENTENCES, encoder, FIVES).of_epoch(2)) != first
    assert ids_of(Batches(SENTENCES, encoder, replace(FIVES, seed=8)).of_epoch(1)) != first


def test_there_is_little_padding(encoder: PromptEncoder) -> None:
    batches = Batches(MANY, encoder, replace(PLAIN, batch_size=8)).of_epoch(1)
    real = sum(len(row.ids) for batch in batches for row in batch)
    padded = sum(len(batch) * max(len(row.ids) for row in batch) for batch in batches)
    in_file_order = [
        [len(encoder.encode(row.text)) for row in MANY[at : at + 8]] for at in range(0, 480, 8)
    ]
    unsorted = sum(len(lengths) * max(lengths) for lengths in in_file_order)
    assert padded < 1.05 * real < unsorted


def test_short_and_long_batches_come_in_turn(encoder: PromptEncoder) -> None:
    batches = Batches(MANY[:240], encoder, replace(PLAIN, batch_size=8)).of_epoch(1)
    lengths = [len(batch[0].ids) for batch in batches]
    assert max(lengths[:10]) > min(lengths[20:])
    assert max(lengths[20:]) > min(lengths[:10])
    assert lengths != sorted(lengths)


def test_no_text_is_rewritten_without_augmentation_and_all_may_be_with_it(
    encoder: PromptEncoder,
) -> None:
    plain = counted(Batches(SENTENCES, encoder, FIVES).of_epoch(1))
    rewritten = counted(Batches(SENTENCES, encoder, replace(FIVES, augment=1)).of_epoch(1))
    again = counted(Batches(SENTENCES, encoder, replace(FIVES, augment=1)).of_epoch(2))
    assert (plain & rewritten).total() < len(SENTENCES) / 2
    assert rewritten != again
    some = counted(Batches(MANY, encoder, replace(FIVES, augment=0.25)).of_epoch(1))
    kept = (some & counted(Batches(MANY, encoder, FIVES).of_epoch(1))).total()
    assert 0.7 * len(MANY) < kept < 0.95 * len(MANY)


def test_smoothing_spreads_a_share_over_all_labels(encoder: PromptEncoder) -> None:
    settings = replace(PLAIN, label_smoothing=0.3)
    ((row,),) = Batches([Example("Güzel", Label.POSITIVE)], encoder, settings).of_epoch(1)
    assert row.target == pytest.approx((0.1, 0.1, 0.8))
    ((row,),) = Batches([Example("Kötü", Label.NEGATIVE)], encoder, settings).of_epoch(1)
    assert row.target == pytest.approx((0.8, 0.1, 0.1))


def test_what_others_expect_has_its_share_of_the_target(encoder: PromptEncoder) -> None:
    settings = replace(PLAIN, self_distillation=0.25, label_smoothing=0.3)
    asked = Example("Güzel", Label.POSITIVE, expected=(0.5, 0.3, 0.2))
    ((row,),) = Batches([asked], encoder, settings).of_epoch(1)
    assert row.target == pytest.approx((0.2, 0.15, 0.65))
    ((row,),) = Batches([replace(asked, expected=None)], encoder, settings).of_epoch(1)
    assert row.target == pytest.approx((0.1, 0.1, 0.8))


def test_a_heavier_row_has_a_larger_share_of_the_loss(encoder: PromptEncoder) -> None:
    examples = [Example("Güzel", Label.POSITIVE, weight=3.0), Example("Kötü", Label.NEGATIVE)]
    (rows,) = Batches(examples, encoder, PLAIN).of_epoch(1)
    shares = collate(rows, 4.0, size=3).weights.tolist()
    assert shares == [*(0.75 if row.target[2] else 0.25 for row in rows), 0.0]
    assert collate(rows, 8.0, size=3).weights.sum() == 0.5


ROWS = [Row([5, 6, 7], (1.0, 0.0, 0.0)), Row([8], (0.1, 0.1, 0.8))]


def test_rows_are_padded_on_the_right_with_0() -> None:
    batch = collate(ROWS, 2, size=2)
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch.lengths.tolist() == [3, 1]
    assert torch.equal(batch.targets, torch.tensor([row.target for row in ROWS]))
    assert batch.weights.tolist() == [0.5, 0.5]


def test_rows_that_only_fill_up_are_valid_and_weigh_nothing() -> None:
    batch = collate(ROWS, 2, size=4)
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert batch.lengths.tolist() == [3, 1, 1, 1]
    assert batch.targets.sum(dim=1).tolist() == [1.0] * 4
    assert batch.weights.tolist() == [0.5, 0.5, 0.0, 0.0]


def test_a_batch_of_nothing_but_filling_can_be_made() -> None:
    batch = collate([], 3, size=2)
    assert batch.input_ids.tolist() == [[0], [0]]
    assert batch.weights.tolist() == [0.0, 0.0]


def test_types_are_those_that_the_model_takes() -> None:
    batch = collate(ROWS, 2, size=3)
    assert (batch.input_ids.dtype, batch.lengths.dtype) == (torch.int64, torch.int64)
    assert (batch.targets.dtype, batch.weights.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("micro", [1, 2, 3, 4, 7, 10])
def test_the_weights_of_a_step_add_up_to_1_over_its_micro_batches(micro: int) -> None:
    rows = [Row([1] * length, (0.0, 1.0, 0.0)) for length in range(1, 8)]
    parts = [
        collate(rows[at : at + micro], len(rows), size=micro) for at in range(0, len(rows), micro)
    ]
    weights = torch.cat([part.weights for part in parts])
    assert float(weights.sum()) == pytest.approx(1)
    assert weights[weights > 0].tolist() == pytest.approx([1 / 7] * 7)


@pytest.mark.parametrize("length", [1, 8, 9, 16, 17, 127, 128, 129, 160, 161, 300])
def test_few_shapes_rounds_widths_up(length: int) -> None:
    rows = [Row([3] * length, (1.0, 0.0, 0.0)), *ROWS[1:]]
    rounded, exact = collate(rows, 2, size=2, few_shapes=True), collate(rows, 2, size=2)
    assert rounded.input_ids.shape == (2, rounded_width(length))
    assert length <= rounded_width(length) < length + 32
    assert exact.input_ids.shape == (2, length)
    assert torch.equal(rounded.input_ids[:, :length], exact.input_ids)
    assert not rounded.input_ids[:, length:].any()
    assert torch.equal(rounded.lengths, exact.lengths)


def test_few_shapes_are_few() -> None:
    widths = [rounded_width(length) for length in range(1, 270)]
    assert widths == sorted(widths)
    assert len(set(widths)) <= 17
