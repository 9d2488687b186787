"""Tables written block by block: what many blocks become is what one would."""

from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from tweetsent.errors import DataError
from tweetsent.files import SUFFIXES, read_table, write_table
from tweetsent.writers import check_fits, parquet_schema, table_writer

TABLE = pd.DataFrame(
    {
        "metin": pd.Series(
            ["=1+1", "iyi, güzel", "iki\r\nsatır", "yarım \ud83d", ""], dtype=object
        ),
        "puan": [0.5, None, 1.0, 2.0, -3.5],
    }
)


def write_in_blocks(path: Path, table: pd.DataFrame, size: int) -> None:
    with table_writer(path) as write:
        for start in range(0, max(len(table), 1), size):
            write(table.iloc[start : start + size])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_blocks_become_what_one_table_would(tmp_path: Path, suffix: str, size: int) -> None:
    whole, blocks = tmp_path / f"bütün{suffix}", tmp_path / f"parça{suffix}"
    write_table(TABLE, whole)
    write_in_blocks(blocks, TABLE, size)
    if suffix in {".csv", ".jsonl"}:
        assert blocks.read_bytes() == whole.read_bytes()
    pd.testing.assert_frame_equal(read_table(blocks), read_table(whole))
    assert len(read_table(blocks)) == len(TABLE)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_block_is_in_the_file_before_the_next_is_made(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    with table_writer(path) as write:
        write(TABLE[:2])
        assert "güzel" in path.read_text("utf-8")


def test_a_block_is_a_row_group_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "tablo.parquet"
    write_in_blocks(path, TABLE, 2)
    with pyarrow.parquet.ParquetFile(path) as file:
        assert [file.metadata.row_group(n).num_rows for n in range(3)] == [2, 2, 1]


@pytest.mark.parametrize(("suffix", "ones"), [(".csv", ["1", ""]), (".jsonl", ["1", ""])])
def test_a_whole_number_beside_an_empty_cell_stays_whole(
    tmp_path: Path, suffix: str, ones: list[str]
) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({"n": pd.Series([1, None], dtype=object)}), path)
    assert read_table(path)["n"].fillna("").map(str).tolist() == ones


def test_a_schema_holds_the_cells_of_all_blocks(tmp_path: Path) -> None:
    blocks = [
        pd.DataFrame({"n": cells, "b": [None]}, dtype=object) for cells in ([None], [1], [2.5])
    ]
    path = tmp_path / "tablo.parquet"
    schema = parquet_schema(blocks, path)
    with table_writer(path, schema=schema) as write:
        for block in blocks:
            write(block)
    assert pyarrow.parquet.read_table(path).to_pydict()["n"] == [None, 1.0, 2.5]
    assert schema.field("b").type == pa.null()


def test_a_schema_of_mixed_kinds_is_refused(tmp_path: Path) -> None:
    blocks = [pd.DataFrame({"n": [cell]}, dtype=object) for cell in (1, "bir")]
    with pytest.raises(DataError, match=r"tablo\.parquet: can't be written: .*string"):
        parquet_schema(blocks, tmp_path / "tablo.parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_error_of_the_caller_stays_what_it_is(tmp_path: Path, suffix: str) -> None:
    def fail() -> None:
        with table_writer(tmp_path / f"tablo{suffix}") as write:
            write(TABLE)
            raise ValueError("not of the file")

    with pytest.raises(ValueError, match=r"^not of the file$"):
        fail()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_an_error_of_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"can't be written: .*[Nn]o space left on device$"):
        write_in_blocks(path, TABLE, 2)


def test_what_no_sheet_holds_is_named_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    long = pd.DataFrame({"metin": ["kısa", "a" * 32_768]})
    with pytest.raises(DataError, match="row 13 has a text of more than 32,767 characters"):
        check_fits(long, path, 12)
    with pytest.raises(DataError, match="1,048,576 rows are more than the 1,048,575"):
        check_fits(TABLE, path, 1_048_573)
    check_fits(TABLE, path, 1_048_572)


def test_a_sheet_of_many_blocks_has_one_header(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    write_in_blocks(path, TABLE, 2)
    first, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    assert first == ("metin", "puan")
    assert len(rows) == len(TABLE)
