"""What was logged can be read back by TensorBoard."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.qlora import Progress
from training.tensorboard import tensorboard_logs
from tweetsent.errors import DataError


def read_back(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def progress(step: int, loss: float, rate: float) -> Progress:
    return Progress(step=step, steps=8, epoch=1, loss=loss, learning_rate=rate)


def test_losses_rates_and_scores_are_read_back_by_their_steps(tmp_path: Path) -> None:
    with tensorboard_logs(tmp_path / "new" / "logs") as logs:
        logs.on_step(progress(2, 0.75, 0.5))
        logs.on_step(progress(4, 0.25, 0.125))
        logs.on_scores(4, {"bir.csv": 0.5, "iki.csv": 1.0})
    assert read_back(tmp_path / "new" / "logs") == {
        "training/loss": [(2, 0.75), (4, 0.25)],
        "training/learning_rate": [(2, 0.5), (4, 0.125)],
        "macro_f1/bir.csv": [(4, 0.5)],
        "macro_f1/iki.csv": [(4, 1.0)],
    }


def test_what_was_logged_before_a_failure_is_kept(tmp_path: Path) -> None:
    def fail() -> None:
        with tensorboard_logs(tmp_path) as logs:
            logs.on_step(progress(1, 0.5, 0.5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert read_back(tmp_path)["training/loss"] == [(1, 0.5)]


def test_a_second_run_adds_to_the_folder(tmp_path: Path) -> None:
    for step in (1, 2):
        with tensorboard_logs(tmp_path) as logs:
            logs.on_step(progress(step, 0.5, 0.5))
    assert read_back(tmp_path)["training/loss"] == [(1, 0.5), (2, 0.5)]


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with tensorboard_logs(None) as logs:
        logs.on_step(progress(1, 0.5, 0.5))
        logs.on_scores(1, {"bir.csv": 0.5})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_a_readable_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="can't be made"), tensorboard_logs(tmp_path / "file"):
        pass
