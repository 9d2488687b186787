"""A snapshot is complete or not there, the same rows give the same bytes, and damage is seen."""

import json
import time
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pytest

from training.data import Source, read_labelled
from training.snapshot import MANIFEST, PARQUET, XLSX, Row, read_snapshot, write_snapshot
from tweetsent.adapter import Dataset
from tweetsent.errors import DataError
from tweetsent.files import read_table
from tweetsent.labels import LABELS

NEG, NEU, POS = LABELS
ROWS = [
    Row("çok güzel 😊", POS, "base"),
    Row("=HYPERLINK(A1) kötü", NEG, "base"),
    Row("+1 katılıyorum", POS, "correction", date(2026, 11, 23), (4, 7)),
    Row("-50 puan", NEG, "correction", date(2026, 11, 24), (5,)),
    Row("@user merhaba", NEU, "correction", date(2026, 11, 24), (6,)),
]
POLICY = {"share_per_user": 0.2, "corrections_per_user": 50}


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    base = Dataset(name="base.csv", sha256="ab" * 32, rows=2)
    manifest = write_snapshot(tmp_path / "sets" / "one", ROWS, policy=POLICY, base=base)
    snapshot = read_snapshot(tmp_path / "sets" / "one")
    assert snapshot.manifest == manifest
    written = [Row(row.text, row.label, row.source, row.day) for row in ROWS]
    assert snapshot.rows == written  # the ids of corrections stay in the database
    assert (manifest.rows, manifest.base, manifest.parent) == (5, base, None)
    assert manifest.policy == POLICY
    assert manifest.counts == {
        "base": {NEG: 1, NEU: 0, POS: 1},
        "correction": {NEG: 1, NEU: 1, POS: 1},
    }
    age = datetime.now(UTC) - datetime.fromisoformat(manifest.created_at)
    assert abs(age.total_seconds()) < 60
    assert sorted(path.name for path in snapshot.path.iterdir()) == [PARQUET, XLSX, MANIFEST]
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["one"]


def test_the_same_rows_give_the_same_bytes_at_another_time(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "one", ROWS, policy=POLICY)
    time.sleep(2.1)  # zip files count in steps of two seconds
    write_snapshot(tmp_path / "two", ROWS, policy=POLICY)
    for name in (PARQUET, XLSX):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    one, two = (json.loads((tmp_path / name / MANIFEST).read_text()) for name in ("one", "two"))
    assert {key for key in one if one[key] != two[key]} == {"created_at"}


def test_other_rows_and_another_order_are_another_snapshot(tmp_path: Path) -> None:
    hashes = {
        write_snapshot(tmp_path / str(number), rows, policy=POLICY).rows_sha256
        for number, rows in enumerate([ROWS, ROWS[:-1], ROWS[::-1]])
    }
    assert len(hashes) == 3


def test_a_snapshot_names_its_parent(tmp_path: Path) -> None:
    parent = write_snapshot(tmp_path / "one", ROWS[:2], policy=POLICY)
    child = write_snapshot(tmp_path / "two", ROWS, policy=POLICY, parent=parent)
    assert child.parent == parent.rows_sha256


def test_no_spreadsheet_runs_a_cell(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "one", ROWS, policy=POLICY)
    sheet = openpyxl.load_workbook(tmp_path / "one" / XLSX).active
    assert sheet is not None
    header, *cells = sheet["A"]
    assert header.value == "text"
    assert [cell.value for cell in cells] == [row.text for row in ROWS]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.quotePrefix for cell in cells] == [False, True, True, True, True]


@pytest.mark.parametrize("name", [PARQUET, XLSX])
def test_both_files_can_be_trained_with(tmp_path: Path, name: str) -> None:
    write_snapshot(tmp_path / "one", ROWS, policy=POLICY)
    table = read_table(tmp_path / "one" / name)
    assert list(table.columns) == ["text", "label", "source", "date"]
    assert [str(day) for day in table["date"][2:]] == ["2026-11-23", "2026-11-24", "2026-11-24"]
    read = read_labelled(Source(tmp_path / "one" / name))
    assert [(row.text, row.label) for row in read.examples] == [(r.text, r.label) for r in ROWS]


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    path = tmp_path / "one"
    if there == "folder":
        path.mkdir()
    elif there == "file":
        path.touch()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="exists already"):
        write_snapshot(path, ROWS, policy=POLICY)
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no rows"):
        write_snapshot(tmp_path / "one", [], policy=POLICY)
    with pytest.raises(DataError, match="32,767"):
        write_snapshot(tmp_path / "one", [Row("a" * 40_000, NEG, "base")], policy=POLICY)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="can't be written"):
        write_snapshot(tmp_path / "file" / "one", ROWS, policy=POLICY)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("name", [PARQUET, XLSX])
def test_damaged_and_missing_files_are_seen(tmp_path: Path, name: str) -> None:
    write_snapshot(tmp_path / "one", ROWS, policy=POLICY)
    flip(tmp_path / "one" / name)
    with pytest.raises(DataError, match=f"one: {name} was changed"):
        read_snapshot(tmp_path / "one")
    (tmp_path / "one" / name).unlink()
    with pytest.raises(DataError, match=f"no complete snapshot: {name} is missing"):
        read_snapshot(tmp_path / "one")


def test_a_damaged_manifest_is_seen(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "one", ROWS, policy=POLICY)
    path = tmp_path / "one" / MANIFEST
    intact = path.read_text()
    for changes in ({"rows_sha256": "0" * 64}, {"rows": 4}):
        edit(path, **changes)
        with pytest.raises(DataError, match="is not that of these rows"):
            read_snapshot(tmp_path / "one")
        path.write_text(intact)
    edit(path, files={})
    with pytest.raises(DataError, match=r"data\.parquet was changed"):
        read_snapshot(tmp_path / "one")
    path.write_text(intact[:100])
    with pytest.raises(DataError, match="its content is damaged"):
        read_snapshot(tmp_path / "one")
    path.unlink()
    with pytest.raises(DataError, match=r"manifest\.json is missing"):
        read_snapshot(tmp_path / "one")


def test_a_folder_that_is_not_there_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no complete snapshot"):
        read_snapshot(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="can't be read"):
        read_snapshot(tmp_path / "file")
