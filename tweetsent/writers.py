"""Tables written block by block, to one file each: .xlsx, .csv, .jsonl and .parquet.

In .xlsx and .csv a text that begins like a formula is kept from being run as one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

from tweetsent.errors import DataError, first_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from openpyxl import Workbook

MOST_ROWS = 1_048_575
"""Of a sheet of .xlsx, below the header."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_WIDEST_COLUMN = 70
_LONGEST_CELL = 32_767

Write = Callable[["pd.DataFrame"], None]
"""Adds a block to a file; all of one file have the same columns, the first may have no rows."""


@contextmanager
def table_writer(
    path: Path,
    *,
    schema: "pa.Schema | None" = None,
    add_sheets: "Callable[[Workbook], None]" = lambda _: None,
    separator: str = ",",
) -> Iterator[Write]:
    """A file, replaced if there is one, that the blocks given to the yielded function end up in.

    `schema` is that of a .parquet, by default the first block's; `add_sheets` may add more sheets
    to an .xlsx; `separator` is that of a .csv. Raises DataError.
    """
    writers: dict[str, Callable[[], AbstractContextManager[Write]]] = {
        ".xlsx": lambda: _xlsx_writer(path, add_sheets),
        ".csv": lambda: _csv_writer(path, separator),
        ".jsonl": lambda: _jsonl_writer(path),
        ".parquet": lambda: _parquet_writer(path, schema),
    }

    def checked(block: "pd.DataFrame") -> None:
        with _errors_of(path):
            write(_changed(block, _without_lone_surrogates))

    file = writers[path.suffix.lower()]()
    with _errors_of(path):
        write = file.__enter__()
    try:
        yield checked
    except BaseException as error:
        # What can't be written often can't be closed either; the first error is the one to tell.
        with suppress(OSError, ValueError):
            file.__exit__(type(error), error, error.__traceback__)
        raise
    with _errors_of(path):
        file.__exit__(None, None, None)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise DataError(f"{path}: can't be written: {reason}") from error


def check_fits(block: "pd.DataFrame", path: Path, row: int) -> None:
    """Raise DataError for a block that an .xlsx can't hold; `row` is the sheet's next row."""
    if row + len(block) > MOST_ROWS + 2:
        raise DataError(
            f"{path}: {row + len(block) - 2:,} rows are more than the {MOST_ROWS:,} that a sheet "
            "of .xlsx holds; write .csv, .jsonl or .parquet"
        )
    for number, cells in enumerate(block.itertuples(index=False), start=row):
        if any(isinstance(cell, str) and len(cell) > _LONGEST_CELL for cell in cells):
            raise DataError(
                f"{path}: row {number} has a text of more than {_LONGEST_CELL:,} characters, which "
                "no cell of .xlsx holds; write .csv, .jsonl or .parquet"
            )


def parquet_schema(blocks: "Iterable[pd.DataFrame]", path: Path) -> "pa.Schema":
    """The kinds of columns that hold the cells of all blocks; DataError where there are none."""
    import pyarrow as pa

    schema = pa.schema([])
    with _errors_of(path):
        for block in blocks:
            clean = _changed(block, _without_lone_surrogates)
            found = pa.Schema.from_pandas(clean, preserve_index=False).remove_metadata()
            schema = pa.unify_schemas([schema, found], promote_options="permissive")
    return schema


def is_missing(cell: object) -> bool:
    """Whether a cell is empty in pandas' eyes."""
    import pandas as pd

    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))  # type: ignore[call-overload]


def _changed(block: "pd.DataFrame", change: Callable[[object], object]) -> "pd.DataFrame":
    """A block with its texts changed; pandas' own way makes 1.0 of a 1 beside an empty cell."""
    import pandas as pd

    columns: dict[int, pd.Series[Any]] = {}
    for place in range(block.shape[1]):
        column = block.iloc[:, place]
        is_text = isinstance(column.dtype, pd.StringDtype)
        if is_text or column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype):
            cells = [change(cell) for cell in column.to_numpy(object)]
            kind = column.dtype if is_text else object
            column = pd.Series(cells, index=column.index, dtype=kind)
        columns[place] = column
    changed = pd.DataFrame(columns, index=block.index)
    changed.columns = block.columns
    return changed


def _without_lone_surrogates(cell: object) -> object:
    """JSON may spell half an emoji, which no file can hold."""
    return cell.encode("utf-8", "replace").decode("utf-8") if isinstance(cell, str) else cell


def _looks_like_formula(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith(_FORMULA_STARTS)


def _spreadsheet_safe(cell: object) -> object:
    """An apostrophe before a text that a spreadsheet would run (OWASP: CSV injection)."""
    return f"'{cell}" if _looks_like_formula(cell) else cell


@contextmanager
def _csv_writer(path: Path, separator: str) -> Iterator[Write]:
    """With semicolons numbers have a comma, as programs expect that separate so."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:

        def write(block: "pd.DataFrame") -> None:
            _changed(block, _spreadsheet_safe).rename(columns=_spreadsheet_safe).to_csv(
                file,
                index=False,
                header=file.tell() == 0,
                sep=separator,
                decimal="," if separator == ";" else ".",
                # Of two characters: with one alone a "\r" inside a text would not be quoted.
                lineterminator="\r\n",
            )
            file.flush()

        yield write


@contextmanager
def _jsonl_writer(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def write(block: "pd.DataFrame") -> None:
            if len(block):  # pandas writes an empty line for none
                block.to_json(
                    file, orient="records", lines=True, force_ascii=False, date_format="iso"
                )
                file.flush()

        yield write


@contextmanager
def _parquet_writer(path: Path, schema: "pa.Schema | None") -> Iterator[Write]:
    """Each block becomes a row group."""
    import pyarrow as pa
    import pyarrow.parquet

    writer: pyarrow.parquet.ParquetWriter | None = None

    def write(block: "pd.DataFrame") -> None:
        nonlocal writer
        table = pa.Table.from_pandas(block, schema=schema, preserve_index=False)
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer:
            writer.close()


@contextmanager
def _xlsx_writer(path: Path, add_sheets: "Callable[[Workbook], None]") -> Iterator[Write]:
    """The file is packed at the end."""
    from openpyxl import Workbook
    from openpyxl.writer.excel import ExcelWriter

    # Opened first: openpyxl complains on stderr when it has rows but no file to put them in.
    with path.open("wb") as file:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("tweetsent")
        sheet.freeze_panes = "A2"
        row = 2

        def write(block: "pd.DataFrame") -> None:
            nonlocal row
            check_fits(block, path, row)
            if not sheet.column_dimensions:
                _set_widths(sheet, block)
                _append(sheet, tuple(map(str, block.columns)))
            for cells in block.itertuples(index=False, name=None):
                _append(sheet, cells)
            row += len(block)

        try:
            yield write
        finally:
            sheet.close()  # openpyxl complains on stderr about one that nobody closed
        add_sheets(book)
        # As `book.save` does, which leaves a file open on a full disk and then complains on stderr.
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            ExcelWriter(book, archive).write_data()


def _set_widths(sheet: Any, block: "pd.DataFrame") -> None:
    """Columns as wide as the first cells of a block."""
    from openpyxl.utils import get_column_letter

    for place, name in enumerate(block.columns, start=1):
        longest = max((len(str(cell)) for cell in block.iloc[:100, place - 1]), default=0)
        width = min(max(longest, len(str(name))) + 2, _WIDEST_COLUMN)
        sheet.column_dimensions[get_column_letter(place)].width = width


def _append(sheet: Any, values: tuple[object, ...]) -> None:
    from numbers import Number

    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cells = []
    for value in values:
        if is_missing(value) or isinstance(value, Number):
            cells.append(WriteOnlyCell(sheet, None if is_missing(value) else value))
        else:
            cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", str(value)))
            cell.data_type = "s"  # never a formula
            # Nor one after somebody edited the cell: Excel's own apostrophe.
            cell.quotePrefix = _looks_like_formula(value)
            cells.append(cell)
    sheet.append(cells)
