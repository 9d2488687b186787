"""Immutable folders of training rows: written once, identified by a hash, checked when read.

The same rows give the same bytes in `data.parquet` and `data.xlsx`, whenever they are written;
only the manifest knows the time. Where the rows come from is no matter of this module.
"""

import hashlib
import json
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel as Record
from pydantic import ConfigDict

from tweetsent.adapter import Dataset
from tweetsent.errors import DataError
from tweetsent.files import write_table
from tweetsent.labels import LABELS, Label
from tweetsent.sealed import sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
PARQUET, XLSX = "data.parquet", "data.xlsx"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can hold
_DOCUMENT_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

Origin = Literal["base", "correction"]


@dataclass(frozen=True, slots=True)
class Row:
    """A text to train with, and where it comes from."""

    text: str
    label: Label
    source: Origin
    day: date | None = None
    """The day of a correction, in UTC."""
    correction_ids: tuple[int, ...] = ()
    """The corrections that say it; known while a set is made and never written."""


class SnapshotManifest(Record):
    """What `manifest.json` says of a snapshot."""

    model_config = ConfigDict(frozen=True)
    rows: int
    rows_sha256: str
    """The identity of the snapshot: of its rows and their order, in no matter which file."""
    files: dict[str, str]
    """SHA-256 of both files, by name."""
    counts: dict[Origin, dict[Label, int]]
    policy: dict[str, int | float]
    """Which corrections were taken: the thresholds of `tweetsent.policy.Policy`."""
    base: Dataset | None
    parent: str | None
    """`rows_sha256` of the snapshot that this one follows."""
    created_at: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that was read and found intact."""

    path: Path
    manifest: SnapshotManifest
    rows: list[Row]


def require_new(folder: Path) -> None:
    """Raise DataError when there is something under this name."""
    if folder.exists() or folder.is_symlink():
        raise DataError(f"{folder} exists already: snapshots are never overwritten")


def write_snapshot(
    folder: Path,
    rows: Sequence[Row],
    *,
    policy: Mapping[str, float],
    base: Dataset | None = None,
    parent: SnapshotManifest | None = None,
) -> SnapshotManifest:
    """Write a new snapshot, which appears under its name when it is complete.

    Raises DataError when the folder exists, there are no rows, or they can't be written.
    """
    require_new(folder)
    if not rows:
        raise DataError(f"{folder}: there are no rows to write")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".snapshot-") as scratch:
            draft = Path(scratch) / folder.name
            draft.mkdir()
            _write_parquet(rows, draft / PARQUET)
            write_workbook(rows, draft / XLSX)
            manifest = SnapshotManifest(
                rows=len(rows),
                rows_sha256=_hash(rows),
                files={name: sha256_of(draft / name) for name in (PARQUET, XLSX)},
                counts=count_rows(rows),
                policy=dict(policy),
                base=base,
                parent=parent.rows_sha256 if parent else None,
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            text = manifest.model_dump_json(indent=2)
            (draft / MANIFEST).write_text(f"{text}\n", encoding="utf-8")
            draft.rename(folder)
    except OSError as error:
        raise DataError(f"{folder}: can't be written: {error.strerror or error}") from error
    return manifest


def read_snapshot(folder: Path) -> Snapshot:
    """Read a snapshot; raises DataError when it is none or anything in it was changed."""
    try:
        manifest = SnapshotManifest.model_validate_json((folder / MANIFEST).read_bytes())
        for name in (PARQUET, XLSX):
            if sha256_of(folder / name) != manifest.files.get(name):
                raise DataError(f"{folder}: {name} was changed: make a new snapshot")
        rows = _read_parquet(folder / PARQUET)
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise DataError(f"{folder}: is no complete snapshot: {missing} is missing") from error
    except OSError as error:
        raise DataError(f"{folder}: can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{folder}: its content is damaged: make a new snapshot") from error
    if _hash(rows) != manifest.rows_sha256 or len(rows) != manifest.rows:
        raise DataError(f"{folder}: {MANIFEST} is not that of these rows: make a new snapshot")
    return Snapshot(folder, manifest, rows)


def list_snapshots(parent: Path) -> dict[str, SnapshotManifest]:
    """What the manifests of a folder's snapshots say, by name, the last one first.

    One that can't be read is left out.
    """
    found = {}
    for path in sorted(parent.glob(f"*/{MANIFEST}"), reverse=True):
        with suppress(OSError, ValueError):
            found[path.parent.name] = SnapshotManifest.model_validate_json(path.read_bytes())
    return found


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write the rows into a table file of the kind that its suffix says; raises DataError."""
    import pandas as pd

    write_table(pd.DataFrame([_cells(row) for row in rows], columns=_schema().names), path)


def _hash(rows: Iterable[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(_cells(row), ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _cells(row: Row) -> tuple[str, str, str, str | None]:
    return row.text, row.label.value, row.source, row.day.isoformat() if row.day else None


def count_rows(rows: Sequence[Row]) -> dict[Origin, dict[Label, int]]:
    """How many rows there are of each source and label."""
    counts = Counter((row.source, row.label) for row in rows)
    origins: tuple[Origin, ...] = ("base", "correction")
    return {origin: {label: counts[origin, label] for label in LABELS} for origin in origins}


def _schema() -> "pa.Schema":
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("text", "label", "source")]
    return pa.schema([*texts, ("date", pa.date32())])


def _write_parquet(rows: Sequence[Row], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    columns = zip(*((row.text, row.label.value, row.source, row.day) for row in rows), strict=True)
    table = pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _schema(), strict=True)],
        schema=_schema(),
    )
    pyarrow.parquet.write_table(table, path, compression="zstd")


def _read_parquet(path: Path) -> list[Row]:
    import pyarrow.parquet

    columns = pyarrow.parquet.read_table(path, schema=_schema()).to_pydict()
    return [
        Row(text, Label(label), source, day)
        for text, label, source, day in zip(*columns.values(), strict=True)
    ]


def write_workbook(rows: Sequence[Row], path: Path) -> None:
    """Write the rows to Excel, without the times that openpyxl puts into a workbook."""
    draft = path.with_name(f"draft-{path.name}")
    write_rows(rows, draft)
    with zipfile.ZipFile(draft) as dated, zipfile.ZipFile(path, "w") as undated:
        for name in dated.namelist():
            content = dated.read(name)
            if name == "docProps/core.xml":
                content = _DOCUMENT_TIME.sub(b"1980-01-01T00:00:00Z", content)
            undated.writestr(
                zipfile.ZipInfo(name, _ZIP_TIME), content, compress_type=zipfile.ZIP_DEFLATED
            )
    draft.unlink()
