"""A run's state on disk: read back as it was, and whole whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from training.checkpoint import Checkpoint, History
from tweetsent.errors import DataError

CPU = torch.device("cpu")


def example(step: int = 3) -> Checkpoint:
    return Checkpoint(
        identity={"base model": "0f" * 32, "--epochs": 3},
        step=step,
        tensors={
            "vector": torch.tensor([0.1, -1e-30, 3e38]),
            "turned": torch.arange(6.0).view(2, 3).T,
            "half": torch.tensor([0.1], dtype=torch.bfloat16),
            "loss": torch.tensor(1.25),
        },
        numbers={"loss_steps": 2, "scaler": {"scale": 65536.0}, "optimizer.step": 3},
        history=History(
            losses=[(2, 1 / 3), (3, 0.1)],
            scores={"öz.csv": [(3, 2 / 3)], "a.csv": [(3, 0.0)]},
        ),
    )


def test_what_is_read_is_what_was_saved(tmp_path: Path) -> None:
    saved = example()
    saved.save(tmp_path / "new" / "folder" / "run.checkpoint")
    read = Checkpoint.load(tmp_path / "new" / "folder" / "run.checkpoint", CPU)

    assert (read.identity, read.step) == (saved.identity, saved.step)
    assert read.numbers == saved.numbers
    assert read.history == saved.history
    assert read.tensors.keys() == saved.tensors.keys()
    for name, tensor in saved.tensors.items():
        assert read.tensors[name].dtype == tensor.dtype
        assert torch.equal(read.tensors[name], tensor)


def test_a_fresh_history_is_read_back_empty(tmp_path: Path) -> None:
    Checkpoint({}, 0, {"vector": torch.zeros(1)}, {}, History()).save(tmp_path / "c")
    assert Checkpoint.load(tmp_path / "c", CPU).history == History()


def test_another_run_is_told_by_what_differs(tmp_path: Path) -> None:
    read = example()
    read.require({"base model": "0f" * 32, "--epochs": 3}, tmp_path / "c")
    with pytest.raises(DataError, match=r"c is of a run with another --epochs, --seed: give that"):
        read.require({"base model": "0f" * 32, "--epochs": 4, "--seed": 1}, tmp_path / "c")


def test_a_save_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "c"
    example(3).save(path)
    example(4).save(path)
    assert Checkpoint.load(path, CPU).step == 4
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_read_stays_when_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c"
    example().save(path)
    read = Checkpoint.load(path, CPU)
    Checkpoint({}, 9, {"vector": torch.zeros(3)}, {}, History()).save(path)
    assert torch.equal(read.tensors["vector"], example().tensors["vector"])


@contextmanager
def folder_in_the_way(draft: Path) -> Iterator[None]:
    draft.mkdir()
    yield


@contextmanager
def no_room_for_more_than_a_part(draft: Path) -> Iterator[None]:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("fault", [folder_in_the_way, no_room_for_more_than_a_part])
def test_a_save_that_dies_keeps_the_old_file_whole(fault: Any, tmp_path: Path) -> None:
    path = tmp_path / "c"
    example(3).save(path)
    before = path.read_bytes()
    assert len(before) > 600

    with (
        fault(tmp_path / "c.draft"),
        pytest.raises(DataError, match=r"/c can't be written: "),
    ):
        example(4).save(path)

    assert path.read_bytes() == before
    assert Checkpoint.load(path, CPU).step == 3


def test_a_draft_that_a_kill_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "c.draft").write_bytes(b"half of a fi")
    example().save(tmp_path / "c")
    assert Checkpoint.load(tmp_path / "c", CPU).step == 3
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.999])
def test_a_truncated_file_is_named_as_damaged(kept: float, tmp_path: Path) -> None:
    path = tmp_path / "c"
    example().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=r"/c is damaged; delete it to start from the beginning"):
        Checkpoint.load(path, CPU)


@pytest.mark.parametrize(
    "content", [b"garbage" * 99, bytes(1000), b"\xff" * 64, b"PK\x03\x04" + bytes(100)]
)
def test_a_file_of_another_kind_is_named_as_damaged(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        Checkpoint.load(path, CPU)


@pytest.mark.parametrize(
    "metadata",
    [None, {}, {"state": ""}, {"state": "[]"}, {"state": "{}"}, {"state": '{"history": {}}'}],
)
def test_tensors_without_a_runs_state_are_named_as_damaged(
    metadata: dict[str, str] | None, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    save_file({"vector": torch.zeros(3)}, path, metadata)
    with pytest.raises(DataError, match="is damaged"):
        Checkpoint.load(path, CPU)


def test_a_folder_of_that_name_is_named_as_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is damaged"):
        Checkpoint.load(tmp_path, CPU)
