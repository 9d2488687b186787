"""No near-copy is on both sides of a split, whatever the data."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sentences import SENTENCES
from training.data import Example
from training.duplicates import near_duplicate_groups
from training.splits import folds, hold_out, without_near
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Label

NEGATIVE, NEUTRAL, POSITIVE = LABELS
COPIES = [
    Example(f"{day} {row.text}", row.label)
    for row in SENTENCES
    for day in ("Dün.", "Bugün.", "Yarın.")
]
NUMBERS = [Example(f"{n * 7919 % 100_003}-{n}", LABELS[n % 3]) for n in range(600)]

VARIED = st.lists(
    st.tuples(
        st.sampled_from([row.text for row in SENTENCES[::3]]),
        st.sampled_from(["", "Dün ", "Bugün ", "@ayse ", " https://t.co/x", "Sanırım "]),
        st.sampled_from(LABELS),
    ).map(lambda parts: Example(parts[1] + parts[0], parts[2])),
    min_size=1,
    max_size=40,
)


def shared_groups(one: list[Example], other: list[Example]) -> set[int]:
    groups = near_duplicate_groups([row.text for row in [*one, *other]])
    return set(groups[: len(one)]) & set(groups[len(one) :])


def labels_of(rows: list[Example]) -> set[Label]:
    return {row.label for row in rows}


def shuffled(rows: list[Example]) -> list[Example]:
    return random.Random(1).sample(rows, len(rows))


def test_near_copies_of_unseen_rows_go_whatever_their_label_and_the_rest_stays() -> None:
    unseen = [Example("Yarın. Mağaza pazar günleri kapalı.", NEGATIVE)]
    rows = without_near(COPIES, unseen)
    assert rows == [row for row in COPIES if "Mağaza" not in row.text]
    assert without_near(COPIES, []) == COPIES
    assert without_near(COPIES, COPIES[:1] + COPIES[3:]) == []


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_about_the_share_of_each_label_is_held_out(share: float) -> None:
    training, unseen = hold_out(NUMBERS, share, seed=0)
    for label in LABELS:
        count = sum(row.label is label for row in unseen)
        assert count == pytest.approx(share * 200, abs=3)
    assert sorted(row.text for row in [*training, *unseen]) == sorted(row.text for row in NUMBERS)


def test_whole_groups_are_held_out_in_the_rows_order() -> None:
    training, unseen = hold_out(COPIES, 0.1, seed=0)
    assert shared_groups(training, unseen) == set()
    assert labels_of(unseen) == set(LABELS)
    assert len(unseen) == 9
    assert training == [row for row in COPIES if row in training]
    assert unseen == [row for row in COPIES if row in unseen]


def test_the_seed_decides_and_the_order_of_the_rows_does_not() -> None:
    def unseen(rows: list[Example], seed: int) -> set[str]:
        return {row.text for row in hold_out(rows, 0.1, seed)[1]}

    assert unseen(COPIES, 0) == unseen(shuffled(COPIES), 0)
    assert len({frozenset(unseen(NUMBERS, seed)) for seed in range(5)}) == 5


@settings(max_examples=50, deadline=None)
@given(VARIED, st.sampled_from([0.1, 0.3]), st.integers(0, 3))
def test_no_group_crosses_and_no_label_is_lost(rows: list[Example], share: float, s: int) -> None:
    training, unseen = hold_out(rows, share, s)
    assert shared_groups(training, unseen) == set()
    assert len(training) + len(unseen) == len(rows)
    assert labels_of(training) == labels_of(rows)


def test_a_label_with_a_single_row_keeps_it_for_training() -> None:
    rows = [row for row in SENTENCES if row.label is not POSITIVE] + [SENTENCES[-1]]
    training, unseen = hold_out(rows, 0.5, seed=0)
    assert SENTENCES[-1] in training
    assert labels_of(unseen) == {NEGATIVE, NEUTRAL}


def test_a_group_larger_than_the_share_is_held_out_only_where_there_is_no_other() -> None:
    crowd = [Example(f"Hisse {n} bugün çok yükseldi", POSITIVE) for n in range(8)]
    rows = [*crowd, *SENTENCES[16:19], *SENTENCES[:8]]
    training, unseen = hold_out(rows, 0.1, seed=0)
    assert set(crowd) <= set(training)
    twice = [Example(f"Uçak {n} kez rötar yaptı yine", POSITIVE) for n in range(4)]
    training, unseen = hold_out([*crowd, *twice, *SENTENCES[:8]], 0.1, seed=0)
    assert [row for row in unseen if row.label is POSITIVE] == twice


def test_nothing_is_held_out_where_no_group_can_be_spared() -> None:
    rows = [SENTENCES[0], SENTENCES[-1]]
    assert hold_out(rows, 0.1, seed=0) == (rows, [])
    alike = COPIES[:3]
    assert hold_out(alike, 0.1, seed=0) == (alike, [])
    assert hold_out([], 0.1, seed=0) == ([], [])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(COPIES), min_size=30, unique=True), st.integers(2, 4))
def test_no_group_crosses_any_fold_and_each_row_is_measured_on_once(
    rows: list[Example], count: int
) -> None:
    parts = folds(rows, count, seed=1)
    assert len(parts) == count
    measured: list[Example] = []
    for training, unseen in parts:
        assert shared_groups(training, unseen) == set()
        assert len(training) + len(unseen) == len(rows)
        assert unseen
        measured += unseen
    assert sorted(row.text for row in measured) == sorted(row.text for row in rows)


def test_folds_have_about_the_same_labels_and_follow_the_seed() -> None:
    parts = folds(COPIES, 4, seed=1)
    for _, unseen in parts:
        assert [sum(row.label is label for row in unseen) for label in LABELS] == [6, 6, 6]
    assert folds(COPIES, 4, seed=1) == parts
    assert folds(COPIES, 4, seed=2) != parts


@pytest.mark.filterwarnings("error")
def test_a_label_rarer_than_the_folds_is_no_reason_to_complain() -> None:
    rows = [row for row in SENTENCES if row.label is not POSITIVE] + [SENTENCES[-1]]
    parts = folds(rows, 3, seed=0)
    assert sum(SENTENCES[-1] in unseen for _, unseen in parts) == 1


@pytest.mark.parametrize(
    ("rows", "count"), [(COPIES[:6], 3), (SENTENCES[:2], 3), ([], 2), (SENTENCES, 1)]
)
def test_too_few_groups_for_the_folds_are_refused(rows: list[Example], count: int) -> None:
    with pytest.raises(DataError, match=f"too few for {count} folds"):
        folds(rows, count, seed=0)
