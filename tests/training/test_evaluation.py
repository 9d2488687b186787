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

NEGATIVE, NEUTRAL, POSITIVE = LABELS

# Rows: a sure and right negative, a neutral taken for positive, two positives of which one is lost.
TRUTH = [NEGATIVE, NEUTRAL, POSITIVE, POSITIVE]
PROBABILITIES = np.array([[0.9, 0.05, 0.05], [0.1, 0.3, 0.6], [0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])


class Answers:
    """A classifier that knows its answers by heart."""

    version = "m-1"

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
    ]
    assert list(shape["per_class"]) == ["negative", "neutral", "positive"]
    for values in shape["per_class"].values():
        assert list(values) == ["precision", "recall", "f1", "support"]


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
    examples = [Example(str(row), label) for row, label in enumerate(TRUTH)]
    done: list[int] = []
    result = evaluate(cast(Classifier, Answers()), examples[::-1], done.append)
    assert sum(done) == 4
    assert result.truth == TRUTH[::-1]
    assert result.probabilities.tolist() == PROBABILITIES[::-1].tolist()
    assert result.seconds > 0
    same = {"accuracy", "macro_f1", "mcc", "ece", "per_class", "confusion_matrix", "model"}
    assert {key: result.as_dict()[key] for key in same} == {
        key: measured().as_dict()[key] for key in same
    }


def test_pooled_parts_are_the_evaluation_of_all_rows_together() -> None:
    first = summarise(PROBABILITIES[:1], TRUTH[:1], 0.2, "m-1")
    second = summarise(PROBABILITIES[1:], TRUTH[1:], 0.3, "m-1")
    assert pool([first, second]).as_dict() == measured().as_dict()
    assert pool([first]).as_dict() == first.as_dict()


def test_a_report_is_json_and_a_picture_of_that_name(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    write_report(measured(), folder, "tweetler")
    assert sorted(path.name for path in folder.iterdir()) == ["tweetler.json", "tweetler.png"]
    assert json.loads((folder / "tweetler.json").read_text("utf-8")) == measured().as_dict()
    assert (folder / "tweetler.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_a_folder_that_can_not_be_made_is_a_readable_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match="can't be made"):
            make_folder(folder)
