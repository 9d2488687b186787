"""Folders that are known to be complete: a marker, written last, hashes all other files."""

import hashlib
import json
from pathlib import Path

MARKER = "complete.json"


def seal(folder: Path) -> None:
    """Write the marker of a folder whose files are all there."""
    sums = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    (folder / MARKER).write_text(json.dumps(sums, indent=2), encoding="utf-8")


def is_intact(folder: Path) -> bool:
    """Whether the folder was sealed and nothing in it changed since."""
    try:
        expected = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return bool(expected) and all(
            sha256_of(folder / name) == digest for name, digest in expected.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
