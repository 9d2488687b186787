import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tweetsent.sealed import MARKER, is_intact, seal, sha256_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder of two files."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "weights").write_bytes(b"\x00\x01\x02")
    (made / "config.json").write_text("{}")
    seal(made)
    return made


def test_a_hash_is_that_of_the_whole_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_sealed_folder_is_intact(folder: Path) -> None:
    assert is_intact(folder)


def change(folder: Path) -> None:
    (folder / "weights").write_bytes(b"\x00\x01\x03")


def drop(folder: Path) -> None:
    (folder / "config.json").unlink()


def unmark(folder: Path) -> None:
    (folder / MARKER).unlink()


def empty_marker(folder: Path) -> None:
    (folder / MARKER).write_text("{}")


def break_marker(folder: Path) -> None:
    (folder / MARKER).write_bytes(b"\xff{")


def list_marker(folder: Path) -> None:
    (folder / MARKER).write_text('["weights"]')


@pytest.mark.parametrize("damage", [change, drop, unmark, empty_marker, break_marker, list_marker])
def test_a_folder_that_changed_is_not(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    assert not is_intact(folder)


def test_a_folder_that_is_not_there_is_not_intact(tmp_path: Path) -> None:
    assert not is_intact(tmp_path / "nothing")
