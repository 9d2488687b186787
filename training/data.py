"""Labelled rows from files: columns and label maps.

What a label code means is stated by the user, never guessed: public copies of the same data set
use the same integers for different labels.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.columns import SAMPLE_ROWS, find_columns, shorten
from tweetsent.adapter import Dataset
from tweetsent.errors import DataError, UnknownLabelError
from tweetsent.files import cells_at, read_table, text_column
from tweetsent.labels import Label, parse_label
from tweetsent.misread import check_letters
from tweetsent.sealed import sha256_of
from tweetsent.text import clean, has_words

if TYPE_CHECKING:
    import pandas as pd

_WHOLE_NUMBER = re.compile(r"^(-?\d+)\.0$")
_NUMBER = re.compile(r"-*\d*\.?\d+|-*\d+\.")
_CODES_SHOWN = 10
_TEXTS_OF_A_CODE = 2


@dataclass(frozen=True, slots=True)
class Source:
    """A labelled file and how to read it."""

    path: Path
    text_column: str | None = None
    """None when it is to be found."""
    label_column: str | None = None
    """None when it is to be found."""
    label_map: dict[str, Label | None] | None = None
    """Label codes as they stand in the file, None for rows to leave out; no map when the file
    names the labels."""


@dataclass(frozen=True, slots=True)
class Example:
    """A cleaned text and its label."""

    text: str
    label: Label
    source: str = ""
    """The name of the file that it came from."""
    near_copy: bool = False
    """Of a row to measure on: whether there is one much like it among those to train on."""
    expected: tuple[float, float, float] | None = None
    """Of a row to train on: what models trained without it give each label, in label order."""
    weight: float = 1.0
    """Of a row to train on: how many rows it counts as in the loss."""


@dataclass(frozen=True, slots=True)
class LabelledData:
    """The rows of one file."""

    dataset: Dataset
    examples: list[Example]
    left_out: int = 0
    """Rows without a text, a word in it or a label."""
    notes: tuple[str, ...] = ()
    """What was found, read with tolerance or left out: lines for the user."""


@dataclass(frozen=True, slots=True)
class Code:
    """A value of the label column."""

    value: str
    rows: int
    texts: tuple[str, ...]
    """The first texts that have it."""


class UnmappedCodesError(DataError):
    """Values of the label column whose meaning only the user knows."""

    def __init__(self, message: str, codes: list[Code]) -> None:
        super().__init__(message)
        self.codes = codes
        """All values of the column, each with its texts."""


def parse_label_map(text: str) -> dict[str, Label | None]:
    """Read "0=neutral,1=negative,?=-", where "-" leaves rows out; raises DataError."""
    result: dict[str, Label | None] = {}
    for part in text.split(","):
        code, equals, name = part.partition("=")
        if not equals or not code.strip():
            raise DataError(f"label map {text!r}: write it as CODE=LABEL,CODE=LABEL")
        try:
            label = None if name.strip() == "-" else parse_label(name)
        except UnknownLabelError as error:
            raise DataError(f"label map {text!r}: {error}") from error
        if code.strip() in result:
            raise DataError(f"label map {text!r}: {code.strip()} is there twice")
        result[code.strip()] = label
    return result


def read_labelled(source: Source) -> LabelledData:
    """Read one file; rows without a text, a word or a label are left out and counted.

    The bot answers no text without words, so none is learnt from or measured. Raises DataError
    naming the columns, or UnmappedCodesError naming the labels, when they do not fit.
    """
    path = source.path
    sample = read_table(path, rows=SAMPLE_ROWS)
    text, label = find_columns(sample, path, source.text_column, source.label_column)
    for column in (text, label):
        text_column(sample, column, path)
    notes = []
    if source.text_column is None or source.label_column is None:
        notes.append(f"{path}: texts are in column {text!r}, labels in {label!r}")
    table = read_table(path, columns=[text, label], say=notes.append)
    rows, left_out = _rows_of(table, text, label)
    counts = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    if not rows:
        what = f"no labelled text: rows {counts}" if counts else "no rows below its header"
        raise DataError(f"{path}: has {what}")
    if counts:
        notes.append(f"{path}: rows left out: {counts}")
    check_letters((cleaned for cleaned, _ in rows), path, notes.append)
    codes = _codes_of(rows)
    labels = _decode(codes, f"{path}: column {label!r}", source.label_map)
    examples = [
        Example(cleaned, meant) for cleaned, code in rows if (meant := labels[code]) is not None
    ]
    if not examples:
        raise DataError(f"{path}: the label map leaves out all rows")
    if len(examples) < len(rows):
        left_out["by the label map"] = len(rows) - len(examples)
        notes.append(f"{path}: rows left out by the label map: {left_out['by the label map']:,}")
    dataset = Dataset(name=path.name, sha256=sha256_of(path), rows=len(examples))
    return LabelledData(dataset, examples, left_out.total(), tuple(notes))


def require_two_labels(parts: list[LabelledData]) -> None:
    """Raise DataError when all rows of all files say the same: nothing can be learnt from them."""
    labels = {row.label for part in parts for row in part.examples}
    if len(labels) < 2:
        rows = sum(len(part.examples) for part in parts)
        raise DataError(
            f"all {rows:,} rows say {', '.join(labels)}: training needs at least two labels"
        )


def _rows_of(
    table: "pd.DataFrame", text: str, label: str
) -> tuple[list[tuple[str, str]], Counter[str]]:
    """Pairs of cleaned text and code, and how many rows were left out for which reason."""
    names = list(table.columns)
    rows = []
    left_out: Counter[str] = Counter()
    known: dict[str, str] = {}  # one string for all rows of a code
    for cell, label_cell in zip(
        cells_at(table, names.index(text)), cells_at(table, names.index(label)), strict=True
    ):
        # A column of integers with a gap comes as 1.0, 2.0 …
        code = _WHOLE_NUMBER.sub(r"\1", label_cell.strip())
        cleaned = clean(cell)
        if not cleaned:
            left_out["without a text"] += 1
        elif not code:
            left_out["without a label"] += 1
        elif not has_words(cleaned):
            left_out["whose text has no word"] += 1
        else:
            rows.append((cleaned, known.setdefault(code, code)))
    return rows, left_out


def _codes_of(rows: list[tuple[str, str]]) -> list[Code]:
    counts = Counter(code for _, code in rows)
    texts: dict[str, list[str]] = {code: [] for code in counts}
    for text, code in rows:
        if len(texts[code]) < _TEXTS_OF_A_CODE:
            texts[code].append(text)
    return [Code(code, counts[code], tuple(texts[code])) for code in sorted(counts)]


def _decode(
    codes: list[Code], where: str, label_map: dict[str, Label | None] | None
) -> Mapping[str, Label | None]:
    if label_map is not None:
        # A word that names a label needs no entry.
        named = {code.value: _named(code.value) for code in codes if code.value not in label_map}
        missing = [value for value, label in named.items() if label is None]
        if missing:
            values = ", ".join(missing[:_CODES_SHOWN])
            raise DataError(
                f"{where} holds {_described(codes)}; the label map says nothing of {values}"
            )
        return named | label_map
    labels = {code.value: _named(code.value) for code in codes}
    known = {value: label for value, label in labels.items() if label}
    if len(known) == len(labels):
        return known
    unknown = [code for code in codes if code.value not in known]
    found = f"{where} holds {_described([*unknown, *(c for c in codes if c.value in known)])}"
    if len(codes) > _CODES_SHOWN:
        raise DataError(f"{found}; is it the column of the labels? If not, give --label-column")
    # A name that is known is written down, a code never.
    entries = ",".join(f"{value}={label or '?'}" for value, label in labels.items())
    raise UnmappedCodesError(
        f"{found}; say what they mean, with negative, neutral or positive for each question mark: "
        f'--label-map "{entries}" (- leaves rows out)',
        codes,
    )


def _named(value: str) -> Label | None:
    """The label that a value names; a number names none."""
    if _NUMBER.fullmatch(value):
        return None
    try:
        return parse_label(value)
    except UnknownLabelError:
        return None


def _described(codes: list[Code]) -> str:
    shown = [
        f"{code.value!r} (in {code.rows:,}, e.g. {shorten(code.texts[0])!r})"
        for code in codes[:_CODES_SHOWN]
    ]
    more = len(codes) - _CODES_SHOWN
    return ", ".join(shown) + (f" and {more:,} other values" if more > 0 else "")
