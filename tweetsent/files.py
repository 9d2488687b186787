"""Tables from and to files: .xlsx, .csv, .jsonl and .parquet."""

import codecs
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tweetsent.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".xlsx", ".csv", ".jsonl", ".parquet")
_LONGEST_CELL = 32_767
_MAX_UNPACKED_BYTES = 500_000_000
_ONLY_TURKISH = frozenset("ğışĞİŞ")
_TURKISH = _ONLY_TURKISH | frozenset("çöüÇÖÜ")
# What the letters that only Turkish has become when Windows-1254 is read as Windows-1252.
_MISREAD = frozenset("ðýþÐÝÞ")


def read_table(path: Path) -> "pd.DataFrame":
    """Read a whole table; texts such as "NA" stay texts, empty cells become "".

    CSV may be UTF-8 or Windows-1254, with commas, semicolons or tabs. Raises DataError.
    """
    import pandas as pd

    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: unknown kind of file; use {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty")
    try:
        table = _READERS[path.suffix.lower()](path)
    except DataError:
        raise
    except Exception as error:
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise DataError(f"{path}: can't be read as {path.suffix}: {reason}") from error
    table.columns = pd.Index([str(name).strip() for name in table.columns])
    return table


def check_output(path: Path) -> None:
    """Raise DataError where `write_table` would for the name alone: ask before long work."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: unknown kind of file; use {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise DataError(f"{path}: can't be written: there is no folder {path.parent}")


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write a table in the format that the name's ending says; an existing file is replaced.

    In .xlsx and .csv a text that begins like a formula is kept from being run as one. Raises
    DataError.
    """
    check_output(path)
    table = table.map(_without_lone_surrogates)
    writers = {
        ".xlsx": lambda: _write_xlsx(table, path),
        # A line's end of two characters: with one alone a "\r" inside a text would not be quoted.
        ".csv": lambda: _spreadsheet_safe(table).to_csv(
            path, index=False, encoding="utf-8-sig", lineterminator="\r\n"
        ),
        ".jsonl": lambda: table.to_json(
            path, orient="records", lines=True, force_ascii=False, date_format="iso"
        ),
        ".parquet": lambda: table.to_parquet(path, index=False),
    }
    try:
        writers[path.suffix.lower()]()
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n", 1)[0]
        raise DataError(f"{path}: can't be written: {reason}") from error


def text_column(table: "pd.DataFrame", column: str, path: Path) -> list[str]:
    """The cells of a column as strings; DataError naming the columns there are if it is missing."""
    if column not in table.columns:
        names = ", ".join(repr(name) for name in table.columns)
        raise DataError(f"{path}: there is no column {column!r}; it has {names}")
    if list(table.columns).count(column) > 1:
        raise DataError(f"{path}: several columns are called {column!r}")
    return ["" if _is_missing(cell) else str(cell) for cell in table[column].tolist()]


def _is_missing(cell: object) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))  # type: ignore[call-overload]


def _without_lone_surrogates(cell: object) -> object:
    """JSON may spell half an emoji, which no file can hold."""
    return cell.encode("utf-8", "replace").decode("utf-8") if isinstance(cell, str) else cell


def _read_xlsx(path: Path) -> "pd.DataFrame":
    import pandas as pd

    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: is no Excel workbook (.xlsx)")
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _MAX_UNPACKED_BYTES:
        raise DataError(f"{path}: unpacks to {size:,} bytes, more than {_MAX_UNPACKED_BYTES:,}")
    return pd.read_excel(path, dtype=str, keep_default_na=False)


def _read_csv(path: Path) -> "pd.DataFrame":
    import io

    import pandas as pd

    text = _decode(path)
    header = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
    separator = max(",;\t", key=header.count)
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, sep=separator)
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first cells for row names
        raise DataError(f"{path}: the rows have more cells than the header: quote the texts")
    return table


def _decode(path: Path) -> str:
    """The text of a UTF-8 or Windows-1254 file; DataError where reading it would garble it."""
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: is UTF-16 text; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Turkish letters in UTF-8 are pairs of bytes that no Windows-1254 text has by chance.
        if _TURKISH & set(content.decode("utf-8", "ignore")):
            line = content[: error.start].count(b"\n") + 1
            raise DataError(f"{path}: line {line} has bytes that are not UTF-8") from None
        try:
            return content.decode("cp1254")
        except UnicodeDecodeError:
            raise DataError(f"{path}: is neither UTF-8 nor Windows-1254 text") from None
    if _MISREAD & set(text) and not _ONLY_TURKISH & set(text):
        found = " ".join(sorted(_MISREAD & set(text)))
        raise DataError(
            f"{path}: has {found} where Turkish has ğ, ı, ş: it was once read as Windows-1252 "
            "instead of Windows-1254"
        )
    return text


def _read_jsonl(path: Path) -> "pd.DataFrame":
    import json

    import pandas as pd

    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise DataError(f"{path}: line {number} is no JSON") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {number} is no JSON object")
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)  # a missing number must not turn 1 into 1.0


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path)


_READERS = {
    ".xlsx": _read_xlsx,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _spreadsheet_safe(table: "pd.DataFrame") -> "pd.DataFrame":
    """An apostrophe before texts that a spreadsheet would run (OWASP: CSV injection)."""

    def escape(cell: object) -> object:
        risky = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        return f"'{cell}" if risky else cell

    return table.map(escape)


def _write_xlsx(table: "pd.DataFrame", path: Path) -> None:
    from numbers import Number

    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    for number, row in enumerate(table.itertuples(index=False), start=2):
        if any(isinstance(value, str) and len(value) > _LONGEST_CELL for value in row):
            raise DataError(
                f"{path}: row {number} has a text of more than {_LONGEST_CELL:,} characters, which "
                "no cell of .xlsx holds; write .csv, .jsonl or .parquet"
            )
    # Opened first: openpyxl complains on stderr when it has rows but no file to put them in.
    with path.open("wb") as file:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("tweetsent")
        sheet.append([str(name) for name in table.columns])
        for row in table.itertuples(index=False):
            cells = []
            for value in row:
                if _is_missing(value) or isinstance(value, Number):
                    cells.append(WriteOnlyCell(sheet, None if _is_missing(value) else value))
                else:
                    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", str(value)))
                    cell.data_type = "s"  # never a formula
                    cells.append(cell)
            sheet.append(cells)
        book.save(file)
