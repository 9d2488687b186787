"""A file read in blocks is what it is read whole."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from tweetsent import blocks
from tweetsent.blocks import BlockReader
from tweetsent.errors import DataError
from tweetsent.files import read_table, text_column

ROWS = 7
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".xlsx")


@pytest.fixture(autouse=True)
def _three_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)


def ignore(_: str) -> None:
    pass


def write(path: Path, rows: int) -> Path:
    table = pd.DataFrame({" metin": [f"metin, {n}" for n in range(rows)], "no": range(rows)})
    kinds: dict[str, Callable[[], object]] = {
        ".csv": lambda: table.to_csv(path, index=False, sep=";", encoding="cp1254"),
        ".tsv": lambda: table.to_csv(path, index=False, sep="\t"),
        ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
        ".parquet": lambda: table.to_parquet(path, index=False, row_group_size=2),
        ".xlsx": lambda: table.to_excel(path, index=False),
    }
    kinds[path.suffix]()
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (3, [3]), (ROWS, [3, 3, 1])])
def test_blocks_are_the_table(tmp_path: Path, suffix: str, rows: int, sizes: list[int]) -> None:
    path = write(tmp_path / f"tablo{suffix}", rows)
    reader = BlockReader(path, ignore)
    for _ in range(2):  # as often as wanted
        found = list(reader.blocks())
        assert [len(block) for block in found] == sizes
        assert all(list(block.columns) == ["metin", "no"] for block in found)
        whole = pd.concat(found, ignore_index=True).astype(str)
        pd.testing.assert_frame_equal(whole, read_table(path).astype(str))
    assert len(reader.head()) == sizes[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_the_columns_asked_for_are_in_them(tmp_path: Path, suffix: str) -> None:
    reader = BlockReader(write(tmp_path / f"tablo{suffix}", ROWS), ignore)
    found = list(reader.blocks(["metin"]))
    assert [list(block.columns) for block in found] == [["metin"]] * 3


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".xlsx"])
def test_a_header_alone_is_one_block_without_rows(tmp_path: Path, suffix: str) -> None:
    (block,) = BlockReader(write(tmp_path / f"tablo{suffix}", 0), ignore).blocks()
    assert list(block.columns) == ["metin", "no"]
    assert len(block) == 0


def test_a_name_that_comes_late_is_a_column_of_every_block(tmp_path: Path) -> None:
    path = tmp_path / "tablo.jsonl"
    path.write_text('{"t": "a", "n": 1}\n' * 4 + '{"n": 2, "geç": true}\n', "utf-8")
    reader = BlockReader(path, ignore)
    first, last = reader.blocks()
    assert list(first.columns) == list(last.columns) == ["t", "n", "geç"]
    assert text_column(last, "t", path) == ["a", ""]
    assert text_column(last, "n", path) == ["1", "2"]
    assert text_column(first, "geç", path) == ["", "", ""]
    assert reader.schema(tmp_path / "x.parquet").field("geç").type == pa.bool_()


def test_whole_numbers_of_parquet_stay_whole_in_every_block(tmp_path: Path) -> None:
    path = tmp_path / "tablo.parquet"
    table = pa.table({"t": list("abcdefg"), "n": pa.array([1, 2, 3, None, 5, 6, 7], pa.int16())})
    pyarrow.parquet.write_table(table, path)
    reader = BlockReader(path, ignore)
    cells = [cell for block in reader.blocks() for cell in text_column(block, "n", path)]
    assert cells == ["1", "2", "3", "", "5", "6", "7"]
    assert reader.schema(tmp_path / "x.parquet") == table.schema


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", "t,n\n" + "a,1\n" * 5 + "b,2,3\n", "line 7 has more cells than the header"),
        ("x.csv", "\n \n", "is empty"),
        ("x.csv", "", "is empty"),
        ("x.jsonl", '{"t": "a"}\n' * 5 + "{\n", "line 6 is no JSON"),
        ("x.parquet", "PAR1 torn", "can't be read as .parquet"),
        ("x.txt", "a", "unknown kind of file"),
    ],
)
def test_what_cant_be_read_is_an_error_of_one_line(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(DataError, match=reason) as caught:
        list(BlockReader(tmp_path / name, ignore).blocks())
    assert "\n" not in str(caught.value)


def test_what_was_read_with_tolerance_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("t,n\n" + "a,1\n" * 5 + "b\n", "utf-8")
    notes: list[str] = []
    list(BlockReader(path, ignore).blocks(say=notes.append))
    assert notes == [f"{path}: rows with fewer cells than the header: 1 (first: line 7)"]


def test_a_file_of_any_size_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tweetsent.files._MAX_BYTES", 10)
    path = write(tmp_path / "tablo.csv", ROWS)
    with pytest.raises(DataError, match="more than 10"):
        read_table(path)
    assert sum(map(len, BlockReader(path, ignore).blocks())) == ROWS


def test_a_change_of_the_file_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "tablo.csv", ROWS)
    reader = BlockReader(path, ignore)
    assert not reader.has_changed()
    with path.open("a") as file:
        file.write("yeni;8\n")
    assert reader.has_changed()
