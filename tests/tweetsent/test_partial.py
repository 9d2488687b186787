"""What a killed run leaves beside its output, and who goes on with it."""

from pathlib import Path

import pytest

from tweetsent.errors import DataError
from tweetsent.labels import Scores
from tweetsent.partial import Partial, partial_output

JOB: dict[str, object] = {"input": "1", "model": "m1"}
SCORES = [Scores(0.1, 0.2, 0.7), Scores(1 / 3, 1 / 3, 1 / 3)]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


def begin(partial: Partial, job: dict[str, object] = JOB) -> tuple[int, list[str]]:
    said: list[str] = []
    return partial.begin(job, said.append), said


def leave_one_block(output: Path) -> None:
    with partial_output(output) as partial:
        assert begin(partial) == (0, [])
        partial.draft.write_text("half")
        partial.save(0, SCORES)
        partial.save(1, [])


def test_the_same_job_goes_on(output: Path) -> None:
    leave_one_block(output)
    with partial_output(output) as partial:
        assert begin(partial) == (2, [f"{partial.folder}: going on after 2 texts"])
        assert partial.load(0) == SCORES
        assert partial.load(1) == []
        assert partial.load(2) is None


def test_another_job_starts_anew_and_says_what_is_another(output: Path) -> None:
    leave_one_block(output)
    with partial_output(output) as partial:
        done, said = begin(partial, JOB | {"model": "m2"})
        assert (done, said) == (0, [f"{partial.folder}: is of another model: starting anew"])
        assert partial.load(0) is None
        assert not partial.draft.exists()
    with partial_output(output) as partial:
        assert begin(partial, JOB | {"model": "m2"}) == (0, [])


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_damaged_job_starts_anew(output: Path, content: bytes) -> None:
    leave_one_block(output)
    with partial_output(output) as partial:
        (partial.folder / "job.json").write_bytes(content)
        assert begin(partial) == (0, [])
        assert partial.load(0) is None


@pytest.mark.parametrize("size", [0, 20, 130])
def test_a_damaged_block_is_not_done(output: Path, size: int) -> None:
    leave_one_block(output)
    with partial_output(output) as partial:
        (block,) = partial.folder.glob("*0.npy")
        block.write_bytes(block.read_bytes()[:size])
        assert begin(partial) == (0, [])
        assert partial.load(0) is None


def test_a_complete_output_leaves_nothing_beside_it(output: Path) -> None:
    output.write_text("old")
    leave_one_block(output)
    assert output.read_text() == "old"
    with partial_output(output) as partial:
        begin(partial)
        partial.draft.write_text("new")
        partial.complete()
    assert output.read_text() == "new"
    assert list(output.parent.iterdir()) == [output]


def test_an_output_behind_a_link_is_written_where_it_is(output: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    output.symlink_to(tmp_path / "folder" / "real.csv")
    with partial_output(output) as partial:
        begin(partial)
        partial.draft.write_text("new")
        partial.complete()
    assert output.is_symlink()
    assert output.read_text() == "new"


def test_files_of_others_in_the_folder_stay(output: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out.csv.partial"
    folder.mkdir()
    (folder / "notes.txt").touch()
    leave_one_block(output)
    with partial_output(output) as partial:
        partial.drop()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_nothing_begun_leaves_nothing(output: Path) -> None:
    with partial_output(output):
        pass
    assert list(output.parent.iterdir()) == []


def test_one_process_at_a_time(output: Path) -> None:
    with (
        partial_output(output),
        pytest.raises(DataError, match=r"out\.csv: another process is writing it"),
        partial_output(output),
    ):
        pass
    with partial_output(output):
        pass


def test_a_folder_that_cant_be_made_is_an_error_of_one_line(output: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv.partial").touch()
    with (
        pytest.raises(DataError, match=r"out\.csv: can't be written: File exists$"),
        partial_output(output),
    ):
        pass


def test_an_output_that_became_a_folder_loses_nothing(output: Path) -> None:
    leave_one_block(output)
    output.mkdir()
    with partial_output(output) as partial:
        begin(partial)
        partial.draft.write_text("new")
        with pytest.raises(DataError, match=r"out\.csv: can't be written: Is a directory"):
            partial.complete()
        assert partial.load(0) == SCORES
