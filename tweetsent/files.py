"""Tables from and to files: .xlsx, .csv, .tsv, .jsonl and .parquet."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetsent.csvfile import csv_rows, decoded_lines
from tweetsent.errors import DataError, Flaw, first_line
from tweetsent.text import has_words
from tweetsent.writers import is_missing, table_writer

if TYPE_CHECKING:
    import pandas as pd
    from openpyxl import Workbook

SUFFIXES = (".xlsx", ".csv", ".jsonl", ".parquet")
SHEETS = "sheets"
"""Where a table's `attrs` hold its `Sheets`."""
_MAX_UNPACKED_BYTES = 500_000_000
_MAX_BYTES = 1_000_000_000
_MAX_CELLS = 30_000_000  # of a sheet, the empty ones between others too
_MAX_CELLS_ELSEWHERE = 200_000_000
_MAX_COLUMNS = 16_384  # as in a sheet
_ROWS_OF_A_PART = 100_000
_ROWS_OF_A_BATCH = 1000
_ROWS_ABOVE_A_HEADER = 100
_LONGEST_NAME = 30
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # also around an encrypted .xlsx


@dataclass(frozen=True, slots=True)
class Sheets:
    """Which sheet of a workbook a table is, and the titles of those that were not read."""

    read: str
    others: tuple[str, ...]
    hidden: tuple[str, ...]


def read_table(
    path: Path,
    columns: Sequence[str] | None = None,
    rows: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> "pd.DataFrame":
    """Read a table; texts such as "NA" stay texts, empty cells become "".

    CSV may be UTF-8, Windows-1254 or UTF-16, with commas, semicolons or tabs. With `columns` no
    others are kept, with `rows` no more rows than that. `say` is told what was read with tolerance,
    such as which of several sheets. Raises DataError.
    """
    check_input(path, _MAX_BYTES)
    with reading(path):
        table = _READERS[path.suffix.lower()](path, columns, rows, say)
    return with_plain_names(table)


def with_plain_names(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table, its columns' names without white space around them."""
    import pandas as pd

    table.columns = pd.Index([str(name).strip() for name in table.columns])
    return table


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a library says of a damaged file inside is a DataError of one line."""
    try:
        yield
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"{path}: takes too much memory", Flaw.UNPACKED_SIZE) from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror or first_line(error)}") from error
    except Exception as error:
        raise DataError(f"{path}: can't be read as {path.suffix}: {first_line(error)}") from error


def check_input(path: Path, most_bytes: float) -> None:
    """Raise DataError for what is no file of a known kind, is empty or too big."""
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        hint = " (open it in Excel and save it as .xlsx)" if suffix == ".xls" else ""
        raise DataError(f"{path}: unknown kind of file; use {', '.join(_READERS)}{hint}")
    try:
        size = path.stat().st_size
        is_folder, is_file = path.is_dir(), path.is_file()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    if not is_file:
        raise DataError(f"{path}: is {'a folder' if is_folder else 'no file'}; name a file")
    if size == 0:
        raise DataError(f"{path}: is empty", Flaw.EMPTY)
    if size > most_bytes:
        raise DataError(f"{path}: has {size:,} bytes, more than {most_bytes:,}; split it")


def check_output(path: Path) -> None:
    """Raise DataError where `write_table` would for the name alone: ask before long work."""
    if path.is_dir():
        raise DataError(f"{path}: can't be written: it is a folder")
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: unknown kind of file; use {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise DataError(f"{path}: can't be written: there is no folder {path.parent}")


def write_table(
    table: "pd.DataFrame",
    path: Path,
    add_sheets: "Callable[[Workbook], None]" = lambda _: None,
    *,
    separator: str = ",",
) -> None:
    """Write a table in the format that the name's ending says; an existing file is replaced.

    In .xlsx and .csv a text that begins like a formula is kept from being run as one. To an .xlsx
    `add_sheets` may add more sheets. `separator` is that of a .csv; with semicolons numbers have a
    comma, as programs expect that separate so. Raises DataError.
    """
    check_output(path)
    with table_writer(path, add_sheets=add_sheets, separator=separator) as write:
        write(table)


def text_column(table: "pd.DataFrame", column: str, path: Path) -> list[str]:
    """The cells of a column as strings; DataError naming the columns there are if it is missing."""
    if column not in table.columns:
        names = ", ".join(repr(name) for name in table.columns)
        raise DataError(f"{path}: there is no column {column!r}; it has {names}")
    if list(table.columns).count(column) > 1:
        raise DataError(f"{path}: several columns are called {column!r}")
    return list(cells_at(table, list(table.columns).index(column)))


def cells_at(table: "pd.DataFrame", place: int) -> Iterator[str]:
    """The cells of a column as strings, one after the other: a column may be big."""
    for cell in table.iloc[:, place]:
        if isinstance(cell, str):
            yield cell
        else:
            yield "" if is_missing(cell) else str(cell)


def _read_xlsx(
    path: Path, columns: Sequence[str] | None, rows: int | None, say: Callable[[str], None]
) -> "pd.DataFrame":
    import openpyxl

    if not zipfile.is_zipfile(path):
        reason, flaw = _not_a_workbook(path)
        raise DataError(f"{path}: {reason}", flaw)
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MAX_UNPACKED_BYTES:
        raise DataError(
            f"{path}: unpacks to {size:,} bytes, more than {_MAX_UNPACKED_BYTES:,}",
            Flaw.UNPACKED_SIZE,
        )
    book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    try:
        hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
        found: tuple[str, pd.DataFrame] | None = None
        for sheet in book.worksheets:
            if sheet.title in hidden:
                continue
            sheet.reset_dimensions()  # some programs state them wrongly
            notes: list[str] = []
            table = _table(_sheet_rows(sheet, path, rows), path, columns, rows, notes.append)
            has_texts = table is not None and _has_texts(table)
            if table is not None and (has_texts or found is None):
                found, said = (sheet.title, table), notes
            if has_texts:
                break
        if found is None:
            raise DataError(f"{path}: is empty", Flaw.EMPTY)
        title, table = found
        for note in said:
            say(note)
        titles = [other.title for other in book.worksheets]
        others = [other for other in titles if other != title and other not in hidden]
        if others:
            say(f"{path}: sheet {title!r} is read, not {', '.join(map(repr, others[:5]))}")
        if hidden:
            say(f"{path}: hidden sheets are not read: {', '.join(map(repr, hidden[:5]))}")
        table.attrs[SHEETS] = Sheets(title, tuple(others), tuple(hidden))
    finally:
        book.close()
    return table


def _has_texts(table: "pd.DataFrame") -> bool:
    """Whether there is more than a title or numbers."""
    places = range(table.shape[1])
    return any(any(map(has_words, cells_at(table, place))) for place in places)


def _not_a_workbook(path: Path) -> tuple[str, Flaw]:
    content = path.read_bytes()
    if not content.startswith(_OLD_OFFICE):
        return "is no Excel workbook (.xlsx)", Flaw.NO_WORKBOOK
    if "EncryptedPackage".encode("utf-16-le") in content:
        return "is protected by a password; save it without one", Flaw.PROTECTED
    reason = "is no .xlsx but an older Excel file; open it in Excel and save it as .xlsx"
    return reason, Flaw.OLD_OFFICE


def _sheet_rows(sheet: Any, path: Path, limit: int | None) -> Iterator[tuple[int, list[str]]]:
    """The cells as they look, in rows of one length; empty rows at the end of a sheet are none."""
    from openpyxl.cell.cell import ERROR_CODES

    numbered: list[tuple[int, list[str]]] = []
    last = width = size = 0
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = ["" if cell is None or cell in ERROR_CODES else str(cell) for cell in cells]
        numbered.append((number, row))
        size += len(row)
        if size > _MAX_CELLS:
            raise DataError(
                f"{path}: sheet {sheet.title!r} has more than {_MAX_CELLS:,} cells", Flaw.COLUMNS
            )
        if any(row):
            last = number
            width = max(width, *(place for place, cell in enumerate(row, start=1) if cell))
        if limit is not None and number > limit + _ROWS_ABOVE_A_HEADER:
            break
    for number, row in numbered[:last]:
        yield number, [*row[:width], *[""] * (width - len(row))]


def _read_csv(
    path: Path, columns: Sequence[str] | None, rows: int | None, say: Callable[[str], None]
) -> "pd.DataFrame":
    table = _table(csv_rows(path, say), path, columns, rows, say)
    if table is None:
        raise DataError(f"{path}: is empty", Flaw.EMPTY)
    return table


def _table(
    numbered: Iterator[tuple[int, list[str]]],
    path: Path,
    columns: Sequence[str] | None,
    limit: int | None,
    say: Callable[[str], None],
) -> "pd.DataFrame | None":
    """Rows below their header; None when there is no header because all cells are empty."""
    import pandas as pd

    wanted = _ROWS_OF_A_PART if limit is None else limit
    parts = table_parts(numbered, path, wanted, columns, say, most_rows=limit)
    # In parts, because pandas keeps strings in less memory than Python.
    found: list[pd.DataFrame] = []
    for part in parts:
        found.append(part)
        _check_size(path, sum(map(len, found)), len(part.columns))
    return pd.concat(found, ignore_index=True) if found else None


def table_parts(
    numbered: Iterator[tuple[int, list[str]]],
    path: Path,
    size: int,
    columns: Sequence[str] | None,
    say: Callable[[str], None],
    most_rows: int | None = None,
) -> Iterator["pd.DataFrame"]:
    """Rows below their header, so many at a time, fewer of wide ones; no part without a header.

    All parts have the same columns of strings; the only one of a header alone has no rows.
    """
    import pandas as pd

    header, numbered = _find_header(numbered, path, say)
    if not header:
        return
    _check_size(path, 1, len(header))
    places = [place for place, name in enumerate(header) if columns is None or name in columns]
    size = min(size, _MAX_CELLS // len(header))
    short = first_short = rows = 0
    fitting = islice(_fitting(numbered, header, path), most_rows)
    while True:
        cells: list[list[str]] = [[] for _ in places]
        taken = 0
        for number, row in islice(fitting, size):
            taken += 1
            if len(row) < len(header) and any(row):
                short += 1
                first_short = first_short or number
            for place, column in zip(places, cells, strict=True):
                column.append(row[place] if place < len(row) else "")
        if taken or not rows:
            part = pd.DataFrame(dict(enumerate(cells)), dtype=str)
            part.columns = pd.Index([header[place] for place in places])
            yield part
        rows += taken
        if taken < size:
            break
    if short:
        say(
            f"{path}: rows with fewer cells than the header: {short:,} "
            f"(first: line {first_short:,})"
        )


def _find_header(
    numbered: Iterator[tuple[int, list[str]]], path: Path, say: Callable[[str], None]
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The first row that is not empty, or the one below a title, and the rows after it."""
    header: list[str] = []
    for _, row in numbered:
        if any(cell.strip() for cell in row):
            header = [cell.strip() for cell in row]
            break
    below: list[tuple[int, list[str]]] = []
    for number, row in numbered:
        below.append((number, row))
        if any(cell.strip() for cell in row):
            if _is_title(header, row):
                say(f"{path}: row {number} is taken as the header, {header[0]!r} as a title")
                header = [cell.strip() for cell in row]
                below.clear()
            break
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    return names, chain(below, numbered)


def _is_title(row: list[str], below: list[str]) -> bool:
    """Whether a row of several cells holds one only, above a row of short, different names."""
    return (
        len(row) > 1
        and bool(row[0])
        and not any(row[1:])
        and len({*below, ""}) == len(below) + 1
        and all(len(name) <= _LONGEST_NAME and name[0].isalpha() for name in below)
    )


def _fitting(
    numbered: Iterator[tuple[int, list[str]]], header: list[str], path: Path
) -> Iterator[tuple[int, list[str]]]:
    for number, row in numbered:
        if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
            raise DataError(
                f"{path}: line {number:,} has more cells than the header ({len(row)}, not "
                f"{len(header)}): put texts that hold a separator in quotes",
                Flaw.CELLS,
                number,
            )
        if row:
            yield number, row


def _read_jsonl(
    path: Path, columns: Sequence[str] | None, rows: int | None, say: Callable[[str], None]
) -> "pd.DataFrame":
    import pandas as pd

    kept: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    for row in json_rows(path, say):
        names.update(dict.fromkeys(row))
        _check_size(path, len(kept), len(names))
        if rows is None or len(kept) < rows:
            kept.append({name: cell for name, cell in row.items() if is_wanted(name, columns)})
    # Of objects: a missing number must not turn 1 into 1.0.
    wanted = [name for name in names if is_wanted(name, columns)]
    return pd.DataFrame(kept, columns=wanted, dtype=object)


def json_rows(path: Path, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl; raises DataError naming a line that is none."""
    import json

    for number, line in enumerate(decoded_lines(path, say), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise DataError(f"{path}: line {number} is no JSON") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {number} is no JSON object")
        yield row


def _read_parquet(
    path: Path, columns: Sequence[str] | None, rows: int | None, _: Callable[[str], None]
) -> "pd.DataFrame":
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        wanted = [name for name in file.schema_arrow.names if is_wanted(name, columns)]
        most_rows = file.metadata.num_rows if rows is None else min(rows, file.metadata.num_rows)
        _check_size(path, most_rows, len(wanted))
        batches = file.iter_batches(_ROWS_OF_A_BATCH, columns=wanted, use_threads=False)
        parts: list[pyarrow.RecordBatch] = []
        size = 0
        # A dictionary of a few bytes may stand for gigabytes, which batches of it show.
        while most_rows > 0 and (part := next(batches, None)) is not None:
            size += part.nbytes
            if size > _MAX_BYTES:
                raise DataError(f"{path}: unpacks to too much; split it", Flaw.UNPACKED_SIZE)
            parts.append(part[:most_rows])
            most_rows -= len(part)
        schema = parts[0].schema if parts else file.schema_arrow.empty_table().select(wanted).schema
        table: pd.DataFrame = pyarrow.Table.from_batches(parts, schema).to_pandas()
    return table


def _check_size(path: Path, rows: int, columns: int) -> None:
    """Refuses a table that would not fit into memory, before it is there."""
    if columns > _MAX_COLUMNS:
        raise DataError(f"{path}: has more than {_MAX_COLUMNS:,} columns", Flaw.COLUMNS)
    if rows * columns > _MAX_CELLS_ELSEWHERE:
        raise DataError(f"{path}: has more than {_MAX_CELLS_ELSEWHERE:,} cells; split it")


def is_wanted(name: str, columns: Sequence[str] | None) -> bool:
    """Whether a column that may be called so is among those asked for; None asks for all."""
    return columns is None or name.strip() in columns


_READERS = {
    ".xlsx": _read_xlsx,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
    ".tsv": _read_csv,
}
