"""Complete folders only: what appears under a name is whole. The rest is seen in whole runs."""

from pathlib import Path

import pytest

from training.data import LabelledData
from training.publish import new_folder, require_different_names, require_new
from tweetsent.adapter import Dataset
from tweetsent.errors import DataError


def test_the_folder_appears_when_all_is_written(tmp_path: Path) -> None:
    output = tmp_path / "below" / "adapter"
    with new_folder(output) as draft:
        (draft / "file").write_text("x")
        assert not output.exists()
    assert [path.name for path in output.parent.iterdir()] == ["adapter"]
    assert (output / "file").read_text() == "x"


def test_nothing_is_left_of_a_folder_that_was_not_finished(tmp_path: Path) -> None:
    def die() -> None:
        with new_folder(tmp_path / "adapter") as draft:
            (draft / "file").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    require_new(tmp_path / "new")
    with pytest.raises(DataError, match="exists already"):
        require_new(tmp_path)


def test_results_of_two_files_need_two_names() -> None:
    one, other, third = (
        LabelledData(Dataset(name=name, sha256="", rows=1), [])
        for name in ("a.csv", "b.csv", "x/b.xlsx")
    )
    require_different_names([one, other])
    with pytest.raises(DataError, match="need different names, not a, b, b"):
        require_different_names([one, other, third])
