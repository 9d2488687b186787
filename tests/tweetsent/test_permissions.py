"""What the bot keeps is for its user alone, and what is not is said."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tweetsent import permissions
from tweetsent.permissions import exposed, make_private
from tweetsent.settings import Settings

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of another kind")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of a folder with a closed `.env` and a closed data folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").touch(0o600)
    (tmp_path / "data").mkdir(0o700)
    return Settings(_env_file=None)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@posix
def test_what_others_may_read_is_named_with_the_remedy(settings: Settings, tmp_path: Path) -> None:
    assert list(exposed(settings)) == []

    (tmp_path / ".env").chmod(0o640)
    (tmp_path / "data").chmod(0o755)

    assert list(exposed(settings)) == [
        "other users of this machine can read .env: chmod 600 .env",
        "other users of this machine can read data: chmod 700 data",
    ]


def test_what_is_not_there_or_means_nothing_is_no_matter(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").chmod(0o644)
    with monkeypatch.context() as windows:
        windows.setattr(permissions.os, "name", "nt")
        assert list(exposed(settings)) == []
    (tmp_path / ".env").unlink()
    (tmp_path / "data").rmdir()
    assert list(exposed(settings)) == []


@posix
@pytest.mark.usefixtures("umask")
def test_new_files_and_folders_are_private(tmp_path: Path) -> None:
    make_private()
    (tmp_path / "data" / "models").mkdir(parents=True)
    (tmp_path / "data" / "tweetsent.db").touch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*")}
    assert modes == {0o600, 0o700}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
