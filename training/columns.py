"""Which columns of a table hold the texts and the labels.

Known names come first, in Turkish and English; where there is none, the cells decide, and only
when one column fits. What the labels mean is never looked for here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tweetsent.errors import DataError, Flaw, UnknownLabelError
from tweetsent.files import cells_at
from tweetsent.labels import parse_label
from tweetsent.text import fold, has_words

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 1000
"""How many rows are enough to tell the columns apart."""

_NAMES = {
    "text": """
        text texts tweet tweets metin metinler mesaj mesajlar yorum yorumlar cumle cumleler icerik
        gorus degerlendirme inceleme sikayet tweetmetni yorummetni mesajmetni
        review reviews sentence sentences content message messages comment comments post
        fulltext tweettext reviewtext commenttext messagetext
    """,
    "label": """
        label labels duygu duygular etiket etiketler sinif kutup polarite
        duygudurum duygudurumu duyguetiketi duygusinifi
        sentiment sentiments class target polarity sentimentlabel sentimentclass
    """,
}
_KNOWN = {kind: frozenset(names.split()) for kind, names in _NAMES.items()}
_ALL_KNOWN = _KNOWN["text"] | _KNOWN["label"]
_LONGEST_LABEL = 20
_MOST_LABELS = 10
_FEWEST_WORDS = 2.5  # of a text, on average
_LONGEST_SAMPLE = 30
_MOST_SHOWN = 12


def find_columns(
    table: "pd.DataFrame", path: Path, text: str | None = None, label: str | None = None
) -> tuple[str, str]:
    """The names of the columns of texts and labels; a name that is given is taken as it is.

    Raises DataError showing the columns when none or several fit.
    """
    text = text or _find(table, path, "text", taken=label)
    return text, label or _find(table, path, "label", taken=text)


def find_text_column(table: "pd.DataFrame", path: Path) -> str:
    """The name of the column of texts; raises DataError as `find_columns` does."""
    return _find(table, path, "text", taken=None)


def text_columns(table: "pd.DataFrame", path: Path) -> list[int]:
    """The places of the columns that may hold the texts; raises DataError without a header."""
    found = _fitting(table, path, "text", taken=None)
    return [place for place, name in enumerate(table.columns) if str(name) in found]


def _find(table: "pd.DataFrame", path: Path, kind: str, taken: str | None) -> str:
    found = _fitting(table, path, kind, taken)
    if len(set(found)) != 1:
        option = f"--{kind}-column"
        raise DataError(
            f"{path}: which column holds the {kind}s? It has {_shown(table)}; say it with "
            f"{option} NAME"
        )
    return found[0]


def _fitting(table: "pd.DataFrame", path: Path, kind: str, taken: str | None) -> list[str]:
    names = [str(name) for name in table.columns]
    found = [name for name in names if name != taken and _plain(name) in _KNOWN[kind]]
    if not any(_plain(name) in _ALL_KNOWN for name in names):
        _require_header(table, path)
    if not found:
        if not len(table):
            raise DataError(f"{path}: has no rows below its header", Flaw.EMPTY)
        found = _by_content(table, kind, taken)
    return found


def _plain(name: str) -> str:
    """A name without case, accents, spaces and signs."""
    return "".join(char for char in fold(name) if char.isalnum())


def _by_content(table: "pd.DataFrame", kind: str, taken: str | None) -> list[str]:
    columns = {
        str(name): _filled(table, place)
        for place, name in enumerate(table.columns)
        if str(name) != taken
    }
    texts = [name for name, cells in columns.items() if _are_texts(cells)]
    if kind == "text":
        return texts
    labels = [name for name, cells in columns.items() if _are_labels(cells) and name not in texts]
    named = [name for name in labels if all(map(_is_label_name, columns[name]))]
    return named if len(named) == 1 else labels


def _filled(table: "pd.DataFrame", place: int) -> list[str]:
    cells = (cell.strip() for cell in cells_at(table, place))
    return [cell for cell in cells if cell]


def _are_texts(cells: Sequence[str]) -> bool:
    words = sum(len(cell.split()) for cell in cells)
    return (
        bool(cells)
        and words / len(cells) >= _FEWEST_WORDS
        and 2 * sum(map(has_words, cells)) > len(cells)
        and 2 * len(set(cells)) > len(cells)
    )


def _are_labels(cells: Sequence[str]) -> bool:
    values = set(cells)
    return (
        2 <= len(values) <= min(_MOST_LABELS, len(cells) / 2)
        and max(map(len, values)) <= _LONGEST_LABEL
    )


def _is_label_name(cell: str) -> bool:
    if cell.isdecimal():
        return False
    try:
        parse_label(cell)
    except UnknownLabelError:
        return False
    return True


def _require_header(table: "pd.DataFrame", path: Path) -> None:
    """Raise DataError when the names of the columns are a row of data."""
    names = [
        str(name)
        for place, name in enumerate(table.columns)
        # pandas writes the place of a column that has no name.
        if str(name) not in {f"Unnamed: {place}", str(place)}
    ]
    is_data = any(
        len(name.split()) > 4 or name.lstrip("-").isdecimal() or _is_label_name(name)
        for name in names
    )
    if is_data:
        first = ", ".join(repr(shorten(name)) for name in names[:_MOST_SHOWN])
        raise DataError(
            f"{path}: has no header row: its first row is {first}; put a row with the names of the "
            "columns above it, such as text,label",
            Flaw.NO_HEADER,
        )


def _shown(table: "pd.DataFrame") -> str:
    """Each column with one of its cells."""
    parts = []
    for place, name in enumerate(table.columns[:_MOST_SHOWN]):
        sample = next(iter(_filled(table, place)), None)
        parts.append(f"{name!r} (e.g. {shorten(sample)!r})" if sample else f"{name!r} (empty)")
    more = len(table.columns) - _MOST_SHOWN
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def shorten(text: str) -> str:
    """The beginning of a text, as much as an error line has room for."""
    return text if len(text) <= _LONGEST_SAMPLE else text[: _LONGEST_SAMPLE - 1] + "…"
