import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from training.data import Example
from training.evaluation import Evaluation, evaluate, make_folder, pool, summarise, write_report
from tweetsent.classifier import Classifier
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Scores
from tweetsent.metrics import reliability

NEGATIVE, NEUTRAL, POSITIVE = LABELS

# Rows: a sure and right negative, a neutral taken for positive, two positives of which one is lost.
TRUTH = [NEGATIVE, NEUTRAL, POSITIVE, POSITIVE]
PROBABILITIES = np.array([[0.9, 0.05, 0.05], [0.1, 0.3, 0.6], [0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])


class Answers:
    """A classifier that knows its answers by heart."""

    version = "m-1"
    temperature = 2.0

    def classify(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[Scores]:
        if progress:
            progress(len(texts))
        return [Scores(*PROBABILITIES[int(text)].tolist()) for text in texts]


def measured() -> Evaluation:
    return summarise(PROBABILITIES, TRUTH, 0.5, "m-1")


def test_the_shape_is_the_contract_of_the_command_line() -> None:
    shape = json.loads(json.dumps(measured().as_dict()))
    assert list(shape) == [
        "n",
        "accuracy",
        "macro_f1",
        "weighted_f1",
        "mcc",
        "ece",
        "per_class",
        "confusion_matrix",
        "seconds",
        "messages_per_second",
        "model",
        "two_class_accuracy",
        "intervals",
        "breakdown",
    ]
    assert list(shape["per_class"]) == ["negative", "neutral", "positive"]
    for values in shape["per_class"].values():
        assert list(values) == ["precision", "recall", "f1", "support"]
    assert list(shape["intervals"]) == ["accuracy", "macro_f1"]
    assert list(shape["breakdown"]) == ["length", "source"]


def test_the_matrix_has_the_truth_in_rows_in_label_order() -> None:
    assert measured().as_dict()["confusion_matrix"] == [[1, 0, 0], [0, 0, 1], [1, 0, 1]]


def test_the_figures_are_right() -> None:
    shape = measured().as_dict()
    assert (shape["n"], shape["accuracy"], shape["model"]) == (4, 0.5, "m-1")
    assert (shape["seconds"], shape["messages_per_second"]) == (0.5, 8.0)
    assert shape["per_class"]["negative"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "support": 1,
    }
    assert shape["per_class"]["neutral"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert shape["per_class"]["positive"]["f1"] == pytest.approx(0.5)
    assert shape["macro_f1"] == pytest.approx((2 / 3 + 0 + 1 / 2) / 3)
    assert shape["weighted_f1"] == pytest.approx((2 / 3 + 0 + 2 * 1 / 2) / 4)
    # One row to a bin: |1-0.9|, |0-0.6|, |1-0.7|, |0-0.5|.
    assert shape["ece"] == pytest.approx((0.1 + 0.6 + 0.3 + 0.5) / 4)


def test_a_classifier_is_asked_for_the_texts_and_compared_with_the_labels() -> None:
    examples = [
        Example(str(row), label, "a.csv" if row < 2 else "b.csv") for row, label in enumerate(TRUTH)
    ]
    done: list[int] = []
    result = evaluate(cast(Classifier, Answers()), examples[::-1], done.append)
    assert sum(done) == 4
    assert result.truth == TRUTH[::-1]
    assert result.probabilities.tolist() == PROBABILITIES[::-1].tolist()
    assert result.seconds > 0
    assert result.temperature == 2.0
    assert result.lengths.tolist() == [1, 1, 1, 1]
    assert result.sources == ["b.csv", "b.csv", "a.csv", "a.csv"]
    same = {"accuracy", "macro_f1", "mcc", "ece", "per_class", "confusion_matrix", "model"}
    assert {key: result.as_dict()[key] for key in same} == {
        key: measured().as_dict()[key] for key in same
    }


def test_pooled_parts_are_the_evaluation_of_all_rows_together() -> None:
    def part(rows: slice, seconds: float) -> Evaluation:
        return summarise(
            PROBABILITIES[rows],
            TRUTH[rows],
            seconds,
            "m-1",
            temperature=1.5,
            lengths=[10, 50, 100, 200][rows],
            sources=["a", "a", "b", "b"][rows],
        )

    first, second, whole = part(slice(1), 0.2), part(slice(1, 4), 0.3), part(slice(4), 0.5)
    assert pool([first, second]).as_dict() == whole.as_dict()
    assert pool([first, second]).temperature == 1.5
    assert pool([first]).as_dict() == first.as_dict()


def big(n: int = 900) -> Evaluation:
    """Rows of two files, texts of three bands; the long ones and those of one file are harder."""
    rng = np.random.default_rng(4)
    lengths = rng.choice([20, 40, 60, 500], size=n)
    sources = [str(name) for name in rng.choice(["kolay.csv", "zor.csv"], size=n)]
    truth = [LABELS[index] for index in rng.integers(3, size=n)]
    logits = rng.normal(0, 1, (n, 3))
    for row, label in enumerate(truth):
        hard = (lengths[row] == 500) + (sources[row] == "zor.csv")
        logits[row, LABELS.index(label)] += 3 - hard
    odds = np.exp(logits / 1.7)
    return summarise(
        odds / odds.sum(axis=1, keepdims=True),
        truth,
        2.0,
        "m-1",
        temperature=1.7,
        lengths=lengths.tolist(),
        sources=sources,
    )


def test_the_intervals_lie_around_the_scores() -> None:
    shape = big().as_dict()
    for name in ("accuracy", "macro_f1"):
        low, high = shape["intervals"][name]
        assert low < shape[name] < high
        assert high - low < 0.1


def test_the_breakdown_is_the_evaluation_of_the_rows_of_each_part() -> None:
    whole = big()
    shape = whole.as_dict()["breakdown"]
    assert list(shape["length"]) == ["1-40", "41-80", "over 160"]  # none from 81 to 160
    assert set(shape["source"]) == {"kolay.csv", "zor.csv"}
    for parts in shape.values():
        assert sum(part["n"] for part in parts.values()) == 900
    rows = [row for row in range(900) if whole.lengths[row] <= 40]
    alone = summarise(
        whole.probabilities[rows], [whole.truth[row] for row in rows], 1.0, "m-1"
    ).as_dict()
    same = ("n", "accuracy", "macro_f1", "intervals")
    assert shape["length"]["1-40"] == {key: alone[key] for key in same}
    assert shape["length"]["over 160"]["accuracy"] < shape["length"]["1-40"]["accuracy"]
    assert shape["source"]["zor.csv"]["macro_f1"] < shape["source"]["kolay.csv"]["macro_f1"]


@pytest.mark.parametrize(
    ("length", "band"),
    [
        (1, "1-40"),
        (40, "1-40"),
        (41, "41-80"),
        (80, "41-80"),
        (81, "81-160"),
        (160, "81-160"),
        (161, "over 160"),
        (5000, "over 160"),
    ],
)
def test_a_text_is_in_the_band_of_its_length(length: int, band: str) -> None:
    result = summarise(PROBABILITIES[:1], TRUTH[:1], 1.0, "m-1", lengths=[length])
    assert list(result.as_dict()["breakdown"]["length"]) == [band]


def test_rows_of_unknown_length_and_file_are_in_no_part() -> None:
    assert measured().as_dict()["breakdown"] == {"length": {}, "source": {}}


def test_two_labels_are_measured_where_the_truth_knows_no_third() -> None:
    truth = [NEGATIVE, POSITIVE, NEGATIVE, POSITIVE]
    rows = np.array([[0.3, 0.5, 0.2], [0.1, 0.8, 0.1001], [0.2, 0.1, 0.7], [0.1, 0.2, 0.7]])
    shape = summarise(rows, truth, 1.0, "m-1").as_dict()
    assert (shape["accuracy"], shape["two_class_accuracy"]) == (0.25, 0.75)
    assert measured().as_dict()["two_class_accuracy"] is None


def test_the_reliability_before_calibration_is_that_of_the_logits_themselves() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (50, 3))
    truth = [LABELS[index] for index in rng.integers(3, size=50)]

    def softmax(temperature: float) -> np.ndarray:
        odds = np.exp(logits / temperature)
        shares: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
        return shares

    before = summarise(softmax(2.5), truth, 1.0, "m-1", temperature=2.5).uncalibrated()
    expected = reliability(softmax(1.0), truth)
    assert before is not None
    assert before.counts.tolist() == expected.counts.tolist()
    assert before.ece == pytest.approx(expected.ece)
    assert summarise(softmax(1.0), truth, 1.0, "m-1").uncalibrated() is None


def test_the_lines_show_scores_intervals_and_parts() -> None:
    result = big()
    head, *rows = result.lines("tweetler.csv")
    low, high = result.intervals.macro_f1
    assert head.startswith(f"tweetler.csv: n 900, accuracy {result.metrics.accuracy:.3f} [0.")
    assert f"macro-F1 {result.metrics.macro_f1:.3f} [{low:.3f} {high:.3f}], weighted F1 " in head
    assert head.endswith("(450 messages/s, m-1)")
    assert [row.split()[0] for row in rows[:3]] == ["negative", "neutral", "positive"]
    assert [row.split("  n ")[0].strip() for row in rows[3:10]] == [
        "by characters",
        "1-40",
        "41-80",
        "over 160",
        "by file",
        *result.breakdown()["source"],
    ]
    assert "95% intervals from 2,000 bootstrap resamples" in rows[-1]
    assert not any("no neutral" in row for row in rows)


def test_a_single_part_is_not_printed_and_few_rows_get_no_interval() -> None:
    head, *rows = summarise(
        PROBABILITIES, TRUTH, 0.5, "m-1", lengths=[9] * 4, sources=["a"] * 4
    ).lines("a")
    assert head.startswith("a: n 4, accuracy 0.500, macro-F1 0.389, weighted F1 ")
    assert len(rows) == 4


def test_the_lines_say_how_two_labels_do() -> None:
    lines = summarise(PROBABILITIES[:1], TRUTH[:1], 0.5, "m-1").lines("a")
    assert "  no neutral rows: of two labels, accuracy 1.000" in lines


def test_a_report_is_json_and_pictures_of_that_name(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    write_report(big(), folder, "tweetler")
    names = ["tweetler-reliability.png", "tweetler.json", "tweetler.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert json.loads((folder / "tweetler.json").read_text("utf-8")) == big().as_dict()
    for name in (names[0], names[2]):
        assert (folder / name).read_bytes().startswith(b"\x89PNG\r\n")


def test_a_folder_that_can_not_be_made_is_a_readable_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match="can't be made"):
            make_folder(folder)


def with_near_copies(near_copies: list[bool]) -> Evaluation:
    return summarise(PROBABILITIES, TRUTH, 0.5, "m-1", near_copies=near_copies)


def test_rows_like_training_rows_are_measured_apart() -> None:
    shape = with_near_copies([True, False, True, False]).as_dict()["breakdown"]
    assert list(shape) == ["length", "source", "near_copy"]
    like, unlike = shape["near_copy"]["like training rows"], shape["near_copy"]["unlike them"]
    assert (like["n"], like["accuracy"]) == (2, 1.0)
    assert (unlike["n"], unlike["accuracy"]) == (2, 0.0)


def test_near_copies_are_no_kind_where_there_are_none() -> None:
    assert list(with_near_copies([False] * 4).as_dict()["breakdown"]) == ["length", "source"]
    assert list(measured().breakdown()) == ["length", "source"]


def test_where_all_rows_are_near_copies_there_is_one_part() -> None:
    result = with_near_copies([True] * 4)
    assert list(result.breakdown()["near_copy"]) == ["like training rows"]
    assert not any("near-copies" in line for line in result.lines("a"))


def test_the_lines_show_near_copies_apart() -> None:
    lines = with_near_copies([True, False, False, False]).lines("a")
    at = lines.index("  by near-copies")
    assert [line.split("  n ")[0].strip() for line in lines[at + 1 : at + 3]] == [
        "like training rows",
        "unlike them",
    ]


def test_marks_of_examples_reach_the_evaluation_and_the_pool() -> None:
    examples = [Example(str(row), label, near_copy=row == 2) for row, label in enumerate(TRUTH)]
    classifier = cast(Classifier, Answers())
    first, second = evaluate(classifier, examples[:2]), evaluate(classifier, examples[2:])
    assert "near_copy" not in first.breakdown()
    assert second.near_copies.tolist() == [True, False]
    both = pool([first, second])
    assert both.near_copies.tolist() == [False, False, True, False]
    assert both.breakdown()["near_copy"]["unlike them"].metrics.n == 3
