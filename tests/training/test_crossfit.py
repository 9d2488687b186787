"""Probabilities out of models that never saw the row: whose they are, and what a stop loses."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sentences import SENTENCES
from tests.training.runs import CPU, PLAIN, at_call
from training import crossfit
from training.crossfit import FOLDS, out_of_fold_probabilities
from training.data import Example
from training.memory import Memory
from training.qlora import Listener, Progress, fine_tune
from training.settings import TrainingSettings
from tweetsent.errors import DataError, StoppedError
from tweetsent.labels import Label
from tweetsent.model import BaseModel

SETTINGS = replace(PLAIN, epochs=2, batch_size=8, augment=0.5, patience=1)
COPIES = [Example(f"{row.text} 😀", row.label) for row in SENTENCES[:3]]
ROWS = [*SENTENCES, *COPIES]


@dataclass
class Heard:
    said: list[str]
    steps: list[Progress]
    scores: list[Any]


def probabilities(
    base: BaseModel,
    done: Path,
    stop_at: int = 0,
    settings: TrainingSettings = SETTINGS,
    rows: list[Example] = ROWS,
) -> tuple[torch.Tensor, Heard]:
    heard = Heard([], [], [])
    listener = Listener(
        heard.said.append,
        heard.steps.append,
        lambda *scores: heard.scores.append(scores),
        at_call(stop_at),
    )
    found = out_of_fold_probabilities(base, rows, settings, CPU, listener, Memory.AUTO, done)
    return found, heard


@pytest.fixture(scope="module")
def trainings(
    tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[torch.Tensor, Heard, list[list[Example]]]:
    """The probabilities, what was told, and the rows that each model was trained on."""
    seen: list[list[Example]] = []

    def spy(base: BaseModel, examples: list[Example], *rest: Any, **named: Any) -> Any:
        seen.append(examples)
        return fine_tune(base, examples, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossfit, "fine_tune", spy)
        return *probabilities(tiny_base, tmp_path_factory.mktemp("folds") / "done"), seen


def test_every_row_is_left_out_of_one_training_with_its_near_copies(
    trainings: tuple[torch.Tensor, Heard, list[list[Example]]],
) -> None:
    _, _, seen = trainings
    assert len(seen) == FOLDS
    for row in ROWS:
        assert sum(row in rows for rows in seen) == FOLDS - 1
    for copy, original in zip(COPIES, SENTENCES, strict=False):
        assert [copy in rows for rows in seen] == [original in rows for rows in seen]


def test_a_row_has_the_probabilities_of_the_model_that_was_trained_without_it(
    trainings: tuple[torch.Tensor, Heard, list[list[Example]]], tiny_base: BaseModel, tmp_path: Path
) -> None:
    found, _, _ = trainings
    assert found.shape == (len(ROWS), 3)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(ROWS)))
    # With another label, a row moves what is said of others, but not what is said of itself.
    at = 5
    label = next(label for label in Label if label is not ROWS[at].label)
    changed = {ROWS[at]: replace(ROWS[at], label=label)}
    parts = crossfit.folds(ROWS, FOLDS, SETTINGS.seed)

    def exchanged(rows: list[Example]) -> list[Example]:
        return [changed.get(row, row) for row in rows]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossfit, "fit_temperature", lambda *_: 1.0)
        before, _ = probabilities(tiny_base, tmp_path / "before")
        patch.setattr(
            crossfit,
            "folds",
            lambda *_: [(exchanged(seen), exchanged(left)) for seen, left in parts],
        )
        after, _ = probabilities(tiny_base, tmp_path / "after", rows=exchanged(ROWS))
    assert torch.equal(after[at], before[at])
    assert not torch.equal(after, before)


def test_the_folds_are_told_apart_and_nothing_is_scored(
    trainings: tuple[torch.Tensor, Heard, list[list[Example]]],
) -> None:
    _, heard, _ = trainings
    assert [line.split(":")[0] for line in heard.said] == [
        f"fold {number} of {FOLDS}" for number in range(1, FOLDS + 1)
    ]
    assert list(dict.fromkeys(step.stage for step in heard.steps)) == [
        f"fold {number} of {FOLDS}" for number in range(1, FOLDS + 1)
    ]
    assert heard.scores == []


@pytest.mark.parametrize("step", [5, 8, 19])
def test_a_stop_in_any_fold_changes_nothing(
    step: int,
    trainings: tuple[torch.Tensor, Heard, list[list[Example]]],
    tiny_base: BaseModel,
    tmp_path: Path,
) -> None:
    done = tmp_path / "done"
    with pytest.raises(StoppedError):
        probabilities(tiny_base, done, stop_at=step)
    found, heard = probabilities(tiny_base, done)
    assert torch.equal(found, trainings[0])
    assert len([line for line in heard.said if line.startswith("fold")]) == FOLDS - (step - 1) // 6
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


def test_folds_of_another_run_are_refused_and_kept(tiny_base: BaseModel, tmp_path: Path) -> None:
    done = tmp_path / "done"
    with pytest.raises(StoppedError):
        probabilities(tiny_base, done, stop_at=7)
    kept = done.read_bytes()
    with pytest.raises(DataError, match="done is of a run with another --seed"):
        probabilities(tiny_base, done, settings=replace(SETTINGS, seed=1))
    with pytest.raises(DataError, match="done is of a run with another set of rows"):
        probabilities(tiny_base, done, rows=ROWS[1:])
    assert done.read_bytes() == kept
    done.write_bytes(kept[:100])
    with pytest.raises(DataError, match=r"done is damaged"):
        probabilities(tiny_base, done)


def test_too_few_rows_for_the_folds_are_refused(tiny_base: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few for 5 folds"):
        probabilities(tiny_base, tmp_path / "done", rows=SENTENCES[:3])
