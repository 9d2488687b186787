"""A table in a file of any size, read block by block.

All blocks have the same columns, and every reading gives the same blocks.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tweetsent.csvfile import csv_rows
from tweetsent.errors import DataError, Flaw
from tweetsent.files import (
    check_input,
    is_wanted,
    json_rows,
    read_table,
    reading,
    table_parts,
    with_plain_names,
)
from tweetsent.writers import parquet_schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BLOCK_ROWS = 4096
"""Enough to fill the model's batches with texts of one length; lost when a run is killed."""

Say = Callable[[str], None]


class BlockReader:
    """Reads one file as often as wanted; only an .xlsx, which can't be large, is held whole."""

    def __init__(self, path: Path, say: Say) -> None:
        """`say` is told which sheet of an .xlsx is read. Raises DataError."""
        check_input(path, math.inf)
        self.path = path
        self._stamp = self._stamp_now()
        self._suffix = path.suffix.lower()
        self._sheet = read_table(path, say=say) if self._suffix == ".xlsx" else None
        self._names: dict[str, None] = {}  # of a .jsonl, where every row may bring new ones
        if self._suffix == ".jsonl":
            with reading(path):
                for row in json_rows(path, lambda _: None):
                    self._names.update(dict.fromkeys(row))

    def blocks(
        self, columns: Sequence[str] | None = None, say: Say = lambda _: None
    ) -> "Generator[pd.DataFrame]":
        """The rows in their order, `BLOCK_ROWS` a block, fewer of a very wide table; at least one.

        With `columns` no others are in them. `say` is told what was read with tolerance. Raises
        DataError, naming the line.
        """
        with reading(self.path):
            for block in self._read(columns, say):
                yield with_plain_names(block)

    def head(self) -> "pd.DataFrame":
        """The first block."""
        with closing(self.blocks()) as blocks:
            return next(blocks)

    def has_changed(self) -> bool:
        """Whether somebody wrote to the file since this reader was made."""
        return self._stamp_now() != self._stamp

    def schema(self, output: Path) -> "pa.Schema":
        """The kinds of the columns in a .parquet; DataError where one has cells of several."""
        import pyarrow as pa
        import pyarrow.parquet

        if self._suffix == ".jsonl":
            return parquet_schema(self.blocks(), output)
        if self._suffix == ".parquet":
            with reading(self.path):
                fields = pyarrow.parquet.read_schema(self.path)
            return pa.schema([field.with_name(field.name.strip()) for field in fields])
        return pa.schema([(name, pa.string()) for name in self.head().columns])

    def _stamp_now(self) -> tuple[int, int]:
        with reading(self.path):
            status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def _read(self, columns: Sequence[str] | None, say: Say) -> "Iterator[pd.DataFrame]":
        if self._sheet is not None:
            return self._sheet_blocks(self._sheet, columns)
        if self._suffix == ".jsonl":
            return self._json_blocks(columns, say)
        if self._suffix == ".parquet":
            return self._parquet_blocks(columns)
        return self._csv_blocks(columns, say)

    def _csv_blocks(self, columns: Sequence[str] | None, say: Say) -> "Iterator[pd.DataFrame]":
        blocks = table_parts(csv_rows(self.path, say), self.path, BLOCK_ROWS, columns, say)
        first = next(blocks, None)
        if first is None:
            raise DataError(f"{self.path}: is empty", Flaw.EMPTY)
        yield first
        yield from blocks

    def _json_blocks(self, columns: Sequence[str] | None, say: Say) -> "Iterator[pd.DataFrame]":
        import pandas as pd

        names = [name for name in self._names if is_wanted(name, columns)]
        rows = json_rows(self.path, say)
        block = list(islice(rows, BLOCK_ROWS))
        while True:
            cells = [{name: row[name] for name in names if name in row} for row in block]
            # Of objects: a missing number must not turn 1 into 1.0.
            yield pd.DataFrame(cells, columns=names, dtype=object)
            block = list(islice(rows, BLOCK_ROWS))
            if not block:
                break

    def _parquet_blocks(self, columns: Sequence[str] | None) -> "Iterator[pd.DataFrame]":
        import pyarrow as pa
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(self.path) as file:
            names = [name for name in file.schema_arrow.names if is_wanted(name, columns)]
            batches = file.iter_batches(batch_size=BLOCK_ROWS, columns=names)
            if not file.metadata.num_rows:
                schema = pa.schema([file.schema_arrow.field(name) for name in names])
                batches = iter([pa.RecordBatch.from_pylist([], schema)])
            for batch in batches:
                # Whole numbers stay such beside empty cells, and no column is taken as an index.
                yield batch.to_pandas(integer_object_nulls=True, ignore_metadata=True)

    @staticmethod
    def _sheet_blocks(
        sheet: "pd.DataFrame", columns: Sequence[str] | None
    ) -> "Iterator[pd.DataFrame]":
        kept = sheet.loc[:, [is_wanted(str(name), columns) for name in sheet.columns]]
        for start in range(0, max(len(sheet), 1), BLOCK_ROWS):
            yield kept.iloc[start : start + BLOCK_ROWS]
