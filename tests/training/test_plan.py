"""What the plan keeps, what it drops and why, and that it says so."""

import hashlib
import re

import pytest

from tests.sentences import SENTENCES
from training.data import Example, LabelledData
from training.duplicates import near_duplicate_groups
from training.plan import FEW_ROWS, HELD_OUT, MINIMUM_ROWS, Plan, make_plan
from tweetsent.adapter import Dataset
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Label

NEGATIVE, NEUTRAL, POSITIVE = LABELS
VALID = [
    Example("Bunu bir daha almam, berbat!", NEGATIVE),
    Example("Duruşma perşembeye ertelendi.", NEUTRAL),
    Example("Nefis bir akşamdı, sağ olun.", POSITIVE),
]


def labelled(name: str, examples: list[Example], left_out: int = 0) -> LabelledData:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return LabelledData(Dataset(name=name, sha256=sha256, rows=len(examples)), examples, left_out)


def texts(rows: list[Example]) -> list[str]:
    return [row.text for row in rows]


def numbered(label: Label, count: int) -> list[Example]:
    """Rows of one label that are nothing alike."""
    hashes = (hashlib.sha256(f"{label}{n}".encode()).hexdigest() for n in range(count))
    return [Example(text, label) for text in hashes]


def said(plan: Plan) -> str:
    return "\n".join(plan.lines())


def test_each_row_is_trained_on_or_counted_once_with_the_reason() -> None:
    first = [
        *SENTENCES,
        Example(SENTENCES[0].text.upper(), NEGATIVE),  # a duplicate
        Example(SENTENCES[20].text, NEUTRAL),  # loses against two of the second file
        Example("Bunu bir daha da almam, berbat!", NEGATIVE),  # a near-copy of a validation row
    ]
    second = [
        Example(SENTENCES[20].text, POSITIVE),
        Example(SENTENCES[8].text, POSITIVE),  # one against one
        Example("Bambaşka konular.", NEUTRAL),
    ]
    plan = make_plan(
        [labelled("a.csv", first, left_out=4), labelled("b.csv", second)],
        [labelled("v.csv", VALID)],
    )
    a, b = plan.sources
    assert (a.name, a.unlabelled, a.rows) == ("a.csv", 4, 27)
    assert (a.duplicates, a.conflicting, a.near_copies, a.held_out) == (1, 2, 1, 0)
    assert a.training == {NEGATIVE: 8, NEUTRAL: 7, POSITIVE: 8}
    assert (b.name, b.unlabelled, b.rows) == ("b.csv", 0, 3)
    assert (b.duplicates, b.conflicting, b.near_copies, b.held_out) == (1, 1, 0, 0)
    assert b.training == {NEGATIVE: 0, NEUTRAL: 1, POSITIVE: 0}
    assert plan.labels == {NEGATIVE: 8, NEUTRAL: 8, POSITIVE: 8}
    kept = [*SENTENCES[:8], *SENTENCES[9:]]
    assert texts(plan.examples) == [*texts(kept), "Bambaşka konular."]
    assert [row.source for row in plan.examples] == ["a.csv"] * 23 + ["b.csv"]
    assert plan.valid == [labelled("v.csv", VALID)]


def test_the_conflicts_are_listed_with_their_labels_and_counts() -> None:
    rows = [
        *SENTENCES,
        Example(SENTENCES[0].text, POSITIVE),
        Example(SENTENCES[0].text, NEGATIVE),
        Example(SENTENCES[8].text, NEGATIVE),
    ]
    plan = make_plan([labelled("a.csv", rows)], [labelled("v.csv", VALID)])
    assert [(c.text, c.counts, c.majority) for c in plan.conflicts] == [
        (SENTENCES[0].text, {NEGATIVE: 2, POSITIVE: 1}, NEGATIVE),
        (SENTENCES[8].text, {NEGATIVE: 1, NEUTRAL: 1}, None),
    ]
    assert (
        "texts whose rows disagree on the label: 2; kept with the label of more than half of their "
        "rows: 1; dropped, since there is no such label: 1; such as:"
    ) in said(plan)
    assert f"{SENTENCES[8].text!r}: negative 1, neutral 1" in said(plan)


def test_long_conflicting_texts_are_shortened_and_few_of_them_shown() -> None:
    rows = [
        Example(f"{row.text} " + "uzun " * 30, label)
        for row in SENTENCES[:6]
        for label in (NEGATIVE, POSITIVE)
    ]
    data = labelled("a.csv", [*rows, *SENTENCES[8:]])
    lines = make_plan([data], [labelled("v.csv", VALID)]).lines()
    assert len([line for line in lines if line.endswith("negative 1, positive 1")]) == 3
    assert max(len(line) for line in lines) < 200


def test_the_lines_say_where_the_rows_went() -> None:
    rows = [*SENTENCES, SENTENCES[0], VALID[0], Example(SENTENCES[8].text, POSITIVE)]
    lines = make_plan([labelled("a.csv", rows, left_out=2)], [labelled("v.csv", VALID)]).lines()
    assert lines[:2] == [
        "a.csv: 29 rows; left out: 2 without a text or a label, 1 duplicate, 2 with conflicting "
        "labels, 1 near-copy of validation rows; 23 to train on: negative 8 (35%), neutral 7 (30%)"
        ", positive 8 (35%)",
        "23 rows to train on: negative 8 (35%), neutral 7 (30%), positive 8 (35%)",
    ]
    assert (
        "3 rows to measure on (v.csv): negative 1 (33%), neutral 1 (33%), positive 1 (33%)" in lines
    )


def test_nothing_is_said_of_what_did_not_happen() -> None:
    rows = [row for label in LABELS for row in numbered(label, 170)]
    plan = make_plan([labelled("a.csv", rows)], [labelled("v.csv", VALID)])
    assert len(plan.lines()) == 3
    assert "left out" not in said(plan)
    assert "warning" not in said(plan)


def test_rows_are_held_out_where_no_file_is_given_and_keep_their_sources() -> None:
    rows = [row for label in LABELS for row in numbered(label, 40)]
    plan = make_plan([labelled("a.csv", rows[:70]), labelled("b.csv", rows[70:])], [])
    (part,) = plan.valid
    assert (part.dataset.name, part.dataset.rows) == (HELD_OUT, len(part.examples))
    assert re.fullmatch("[0-9a-f]{64}", part.dataset.sha256)
    assert len(part.examples) == 12
    assert len(plan.examples) == 108
    assert {row.source for row in part.examples} == {"a.csv", "b.csv"}
    assert sum(source.held_out for source in plan.sources) == 12
    assert "12 rows to measure on (held out): negative 4 (33%), neutral 4 (33%)" in said(plan)


def test_the_held_out_rows_are_the_same_in_any_order_and_share_no_group() -> None:
    rows = [
        Example(f"{day} {row.text}", row.label)
        for row in SENTENCES
        for day in ("Dün.", "Bugün.", "Yarın.")
    ]
    plan = make_plan([labelled("a.csv", rows)], [])
    again = make_plan([labelled("a.csv", rows[::-1])], [])
    unseen = plan.valid[0].examples
    assert set(texts(unseen)) == set(texts(again.valid[0].examples))
    groups = near_duplicate_groups(texts([*plan.examples, *unseen]))
    assert set(groups[: len(plan.examples)]).isdisjoint(groups[len(plan.examples) :])


def test_ten_rows_are_enough_to_hold_some_out() -> None:
    plan = make_plan([labelled("a.csv", [*SENTENCES[:5], *SENTENCES[-5:]])], [])
    assert [row.label for row in plan.valid[0].examples] == [NEGATIVE, POSITIVE]
    assert len(plan.examples) == 8


def test_ten_rows_that_are_all_alike_ask_for_a_file() -> None:
    rows = [Example(f"Hisse {n} bugün çok yükseldi", LABELS[n % 2]) for n in range(10)]
    with pytest.raises(DataError, match=r"none of 10 rows can be held out.*--valid"):
        make_plan([labelled("a.csv", rows)], [])


def test_two_files_of_one_name_are_told_apart() -> None:
    data = [labelled("a.csv", SENTENCES[:12]), labelled("a.csv", SENTENCES[12:])]
    plan = make_plan(data, [labelled("v.csv", VALID)])
    assert [source.name for source in plan.sources] == ["a.csv", "a.csv (2)"]
    assert [row.source for row in plan.examples] == ["a.csv"] * 12 + ["a.csv (2)"] * 12
    assert [sum(source.training.values()) for source in plan.sources] == [12, 12]


@pytest.mark.parametrize(
    ("data", "valid", "reason"),
    [
        ([], [], "nothing to train on"),
        ([labelled("a.csv", [])], [], "a.csv: there is no labelled text"),
        ([labelled("a.csv", SENTENCES)], [labelled("v.csv", [])], "v.csv: there is no labelled"),
        (
            [labelled("a.csv", SENTENCES[:8])],
            [labelled("v.csv", VALID)],
            "8 rows left.*all are labelled negative: at least two different labels",
        ),
        ([labelled("a.csv", SENTENCES[:8])], [], "all are labelled negative"),
        (
            [labelled("a.csv", SENTENCES)],
            [labelled("v.csv", SENTENCES[8:])],
            "8 rows left to train on, without 16 rows like those of the validation files, and all",
        ),
        (
            [labelled("a.csv", SENTENCES)],
            [labelled("v.csv", SENTENCES)],
            "no row is left to train on, without 24 rows like those",
        ),
        (
            [labelled("a.csv", [Example("Eh", NEUTRAL), Example("eh", NEGATIVE)])],
            [],
            "no row is left to train on, without duplicates and conflicting labels",
        ),
    ],
)
def test_data_that_teach_nothing_are_refused_with_the_reason(
    data: list[LabelledData], valid: list[LabelledData], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        make_plan(data, valid)


def test_labels_below_the_minimum_are_an_error_only_when_all_are() -> None:
    few = [*SENTENCES[: MINIMUM_ROWS - 1], *SENTENCES[1 - MINIMUM_ROWS :]]
    with pytest.raises(DataError, match=r"no label has the 3 rows .*: negative 2, positive 2"):
        make_plan([labelled("a.csv", few)], [labelled("v.csv", VALID)])
    plan = make_plan([labelled("a.csv", [*few, SENTENCES[5]])], [labelled("v.csv", VALID)])
    assert plan.labels == {NEGATIVE: 3, NEUTRAL: 0, POSITIVE: 2}


def test_rare_and_missing_labels_are_warned_of() -> None:
    rows = [*numbered(NEGATIVE, FEW_ROWS), *numbered(POSITIVE, 2)]
    plan = make_plan([labelled("a.csv", rows)], [labelled("v.csv", VALID)])
    warnings = [line for line in plan.lines() if line.startswith("warning")]
    assert warnings == [
        "warning: 22 rows are few to train on: below some hundred expect a model worse than the "
        "shipped one",
        "warning: no row to train on is labelled neutral: it can't be learnt",
        "warning: 2 rows to train on are labelled positive; a label with fewer than 20 is hardly "
        "learnt",
    ]


def test_a_label_that_the_validation_rows_miss_is_named() -> None:
    rows = [*numbered(NEGATIVE, 30), *numbered(NEUTRAL, 30), *numbered(POSITIVE, 1)]
    held_out = said(make_plan([labelled("a.csv", rows)], []))
    assert "warning: held-out has no row labelled positive: how well that" in held_out
    given = said(make_plan([labelled("a.csv", rows)], [labelled("v.csv", VALID[:1])]))
    assert "warning: v.csv has no row labelled neutral or positive" in given


NEAR_COPY = Example("Bunu bir daha da almam, berbat!", NEGATIVE)
SAME_TEXT = Example("BUNU BİR DAHA ALMAM, BERBAT!", NEGATIVE)


def test_near_copies_are_dropped_from_training_and_no_validation_row_is_marked() -> None:
    data = labelled("a.csv", [*SENTENCES, NEAR_COPY, SAME_TEXT])
    plan = make_plan([data], [labelled("v.csv", VALID)])
    assert texts(plan.examples) == texts(SENTENCES)
    assert not any(row.near_copy for part in plan.valid for row in part.examples)
    assert "near-copy among" not in said(plan)


def test_near_copies_may_be_kept_and_mark_their_validation_rows() -> None:
    data = labelled("a.csv", [*SENTENCES, NEAR_COPY])
    parts = [labelled("v.csv", VALID), labelled("w.csv", VALID[1:])]
    plan = make_plan([data], parts, keep_near_copies=True)
    assert texts(plan.examples) == texts([*SENTENCES, NEAR_COPY])
    assert plan.sources[0].near_copies == 0
    first, second = plan.valid
    assert [row.near_copy for row in first.examples] == [True, False, False]
    assert [row.near_copy for row in second.examples] == [False, False]
    assert [(row.text, row.label) for row in first.examples] == [
        (row.text, row.label) for row in VALID
    ]
    assert [part.dataset for part in plan.valid] == [part.dataset for part in parts]
    lines = plan.lines()
    marked = [line for line in lines if line.startswith("3 rows to measure on (v.csv)")]
    assert marked[0].endswith("; 1 have a near-copy among those to train on")
    assert sum("near-copy" in line for line in lines) == 1


def test_the_same_text_is_never_trained_on_even_where_near_copies_are_kept() -> None:
    data = labelled("a.csv", [*SENTENCES, SAME_TEXT, VALID[1]])
    plan = make_plan([data], [labelled("v.csv", VALID)], keep_near_copies=True)
    assert texts(plan.examples) == texts(SENTENCES)
    assert plan.sources[0].near_copies == 2
    assert not any(row.near_copy for row in plan.valid[0].examples)


def test_held_out_rows_have_no_near_copies_to_keep() -> None:
    rows = [row for label in LABELS for row in numbered(label, 40)]
    kept, dropped = (
        make_plan([labelled("a.csv", rows)], [], keep_near_copies=keep) for keep in (True, False)
    )
    assert kept == dropped


def test_the_files_that_the_rows_came_from_are_kept_with_their_hashes() -> None:
    data = [labelled("a.csv", SENTENCES[:12], left_out=3), labelled("b.csv", SENTENCES[12:])]
    plan = make_plan(data, [labelled("v.csv", VALID)])
    assert [part.dataset for part in plan.data] == [part.dataset for part in data]
    assert [texts(part.examples) for part in plan.data] == [texts(part.examples) for part in data]
    assert [part.left_out for part in plan.data] == [3, 0]
    again = make_plan([data[0], data[0]], [labelled("v.csv", VALID)])
    assert [part.dataset.name for part in again.data] == ["a.csv", "a.csv (2)"]
    assert {part.dataset.sha256 for part in again.data} == {data[0].dataset.sha256}
