"""A table in, the same table with a label for each of its texts out, and what they sum up to.

Knows neither where a file comes from nor what scores the texts.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetsent.csvfile import decoded_lines, separator_of
from tweetsent.errors import DataError, Flaw
from tweetsent.figures import LABEL_COLORS
from tweetsent.files import cells_at, read_table, write_table
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.misread import check_letters
from tweetsent.text import clean, fold, has_words

if TYPE_CHECKING:
    import pandas as pd
    from openpyxl import Workbook

MOST_COLUMNS = 200
TEXT_COLUMN = "Metin"
"""The name of the only column of a .txt."""
_LONGEST_TEXT = 32_000  # a cell of .xlsx holds little more
# Enough for a hundred bytes of XML around each of a million cells, and parsed in seconds.
_MOST_UNPACKED_BYTES = 100_000_000
_SEPARATOR = "separator"
"""Where the `attrs` of a table from a .csv hold what separates its cells."""
_NO_WORDS = "Söz bulunmayan"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a labelled table sums up to."""

    rows: int
    by_label: Mapping[Label, int]

    @property
    def wordless(self) -> int:
        """Rows that have no label because their text has no words."""
        return self.rows - sum(self.by_label.values())

    def share(self, label: Label) -> float:
        """Of the rows that have a label."""
        return self.by_label[label] / max(sum(self.by_label.values()), 1)


def read_upload(path: Path, most_rows: int) -> "pd.DataFrame":
    """The table in a stranger's .xlsx, .csv or .txt; of the last each line is a text.

    Raises DataError, also for what would take too much memory or has too many rows.
    """
    _check_unpacked_size(path)
    if path.suffix == ".txt":
        table = _lines(path, most_rows)
    else:
        table = read_table(path, rows=most_rows + 1)
        if path.suffix == ".csv":
            table.attrs[_SEPARATOR] = separator_of(path)
    if not len(table):
        raise DataError(f"{path}: has no rows", Flaw.EMPTY)
    if len(table) > most_rows:
        raise DataError(f"{path}: has more than {most_rows:,} rows", Flaw.ROWS)
    if table.shape[1] > MOST_COLUMNS:
        raise DataError(f"{path}: has more than {MOST_COLUMNS} columns", Flaw.COLUMNS)
    for place, name in enumerate(table.columns):
        if any(len(cell) > _LONGEST_TEXT for cell in chain([name], cells_at(table, place))):
            raise DataError(f"{path}: has a text that is too long", Flaw.LONG_TEXT)
    return table


def _check_unpacked_size(path: Path) -> None:
    if path.suffix == ".xlsx" and zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                # What a member says of its size is all that is read of it.
                size = sum(member.file_size for member in archive.infolist())
        except Exception as error:  # a damaged list of members raises of all kinds
            raise DataError(f"{path}: is damaged", Flaw.NO_WORKBOOK) from error
        if size > _MOST_UNPACKED_BYTES:
            raise DataError(f"{path}: unpacks to {size:,} bytes", Flaw.UNPACKED_SIZE)


def _lines(path: Path, most_rows: int) -> "pd.DataFrame":
    import pandas as pd

    lines = []
    for line in decoded_lines(path, lambda _: None):
        if line.strip():
            lines.append(line.strip())
        if len(lines) > most_rows:
            break
    return pd.DataFrame({TEXT_COLUMN: lines}, dtype=str)


def texts_of(table: "pd.DataFrame", place: int, path: Path) -> list[str]:
    """The cleaned texts of a column, "" where there are no words.

    Raises DataError when most of them were read in a wrong encoding some time.
    """
    cells = list(cells_at(table, place))
    check_letters(cells, path, lambda _: None)
    texts = map(clean, cells)
    return [text if has_words(text) else "" for text in texts]


def label_table(
    table: "pd.DataFrame", texts: Sequence[str], scores: Mapping[str, Scores]
) -> tuple["pd.DataFrame", Summary]:
    """The table with label, confidence and the three scores added, and its summary.

    `texts` are as `texts_of` gives them; rows without words get empty cells.
    """
    found = [scores.get(text) for text in texts]
    columns: dict[str, list[Any]] = {
        "Duygu": [one.label.turkish if one else None for one in found],
        "Güven": [round(one.confidence, 4) if one else None for one in found],
        **{
            label.turkish: [round(one.of(label), 4) if one else None for one in found]
            for label in LABELS
        },
    }
    labelled = table.copy()
    for name, values in columns.items():
        labelled[_new_name(name, labelled)] = values
    by_label = {
        label: sum(one is not None and one.label is label for one in found) for label in LABELS
    }
    return labelled, Summary(len(table), by_label)


def _new_name(name: str, table: "pd.DataFrame") -> str:
    """The name, with a number behind it when a column has that already."""
    taken = {fold(str(column)) for column in table.columns}
    numbered = (name if number == 1 else f"{name} {number}" for number in range(1, len(taken) + 2))
    return next(one for one in numbered if fold(one) not in taken)


def write_labelled(labelled: "pd.DataFrame", summary: Summary, path: Path) -> None:
    """Write the table to .csv or .xlsx, there with a sheet of the summary and its chart.

    A .csv is separated as the one it came from. Raises DataError.
    """
    separator = labelled.attrs.get(_SEPARATOR, ",")
    write_table(labelled, path, partial(_add_summary, summary=summary), separator=separator)


def _add_summary(book: "Workbook", summary: Summary) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.chart import BarChart, Reference
    from openpyxl.chart.label import DataLabelList
    from openpyxl.chart.series import DataPoint

    sheet = book.create_sheet("Özet")
    sheet.column_dimensions["A"].width = 18
    chart = BarChart()
    chart.title = "Duygular"
    chart.legend = None
    chart.gapWidth = 50
    chart.add_data(
        Reference(sheet, min_col=2, min_row=1, max_row=1 + len(LABELS)), titles_from_data=True
    )
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=1 + len(LABELS)))
    (series,) = chart.series
    series.dLbls = DataLabelList(showVal=True)
    for place, label in enumerate(LABELS):
        point = DataPoint(idx=place)
        point.graphicalProperties.solidFill = LABEL_COLORS[label].removeprefix("#")
        series.dPt.append(point)
    # Newer programs draw no axis that is not said to be there.
    chart.x_axis.delete = chart.y_axis.delete = False
    sheet.add_chart(chart, "E2")
    sheet.append(["Duygu", "Satır", "Pay"])
    for label in LABELS:
        share = WriteOnlyCell(sheet, summary.share(label))
        share.number_format = "0.0%"
        sheet.append([label.turkish, summary.by_label[label], share])
    sheet.append([_NO_WORDS, summary.wordless])
    sheet.append(["Toplam", summary.rows])
