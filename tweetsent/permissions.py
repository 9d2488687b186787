"""Who may read what the bot keeps: its user alone."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tweetsent.settings import ENV_FILE, Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private() -> None:
    """From now on this process, and those it starts, make files that only their user can read."""
    os.umask(_OTHERS)


def exposed(settings: Settings) -> Iterator[str]:
    """One line for each of `.env` and the data folder that others may read, with the remedy.

    Nothing on systems whose permissions are of another kind.
    """
    if os.name != "posix":
        return
    for path, mode in ((ENV_FILE, "600"), (settings.tweetsent_data_dir, "700")):
        if _is_open(path):
            yield f"other users of this machine can read {path}: chmod {mode} {path}"


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except OSError:  # there is none, or it can't be looked at
        return False
