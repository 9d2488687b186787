"""Labelled rows from files: columns and label maps.

What a label code means is stated by the user, never guessed: public copies of the same data set
use the same integers for different labels.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tweetsent.adapter import Dataset
from tweetsent.errors import DataError, UnknownLabelError
from tweetsent.files import read_table, text_column
from tweetsent.labels import Label, parse_label
from tweetsent.sealed import sha256_of
from tweetsent.text import clean


@dataclass(frozen=True, slots=True)
class Source:
    """A labelled file and how to read it."""

    path: Path
    text_column: str = "text"
    label_column: str = "label"
    label_map: dict[str, Label] | None = None
    """Label codes as they stand in the file; None when the file names the labels."""


@dataclass(frozen=True, slots=True)
class Example:
    """A cleaned text and its label."""

    text: str
    label: Label
    source: str = ""
    """The name of the file that it came from."""


@dataclass(frozen=True, slots=True)
class LabelledData:
    """The rows of one file."""

    dataset: Dataset
    examples: list[Example]
    left_out: int = 0
    """Rows without a text or a label."""


def parse_label_map(text: str) -> dict[str, Label]:
    """Read "0=neutral,1=negative"; raises DataError."""
    result: dict[str, Label] = {}
    for part in text.split(","):
        code, equals, name = part.partition("=")
        if not equals or not code.strip():
            raise DataError(f"label map {text!r}: write it as CODE=LABEL,CODE=LABEL")
        try:
            label = parse_label(name)
        except UnknownLabelError as error:
            raise DataError(f"label map {text!r}: {error}") from error
        if code.strip() in result:
            raise DataError(f"label map {text!r}: {code.strip()} is there twice")
        result[code.strip()] = label
    return result


def read_labelled(source: Source) -> LabelledData:
    """Read one file; rows without a text or without a label are left out and counted.

    Raises DataError naming the columns or the labels found when they do not fit.
    """
    table = read_table(source.path)
    texts = [clean(text) for text in text_column(table, source.text_column, source.path)]
    # A column of integers with a gap comes as 1.0, 2.0 …
    codes = [
        re.sub(r"^(-?\d+)\.0$", r"\1", code.strip())
        for code in text_column(table, source.label_column, source.path)
    ]
    rows = [(text, code) for text, code in zip(texts, codes, strict=True) if text and code]
    labels = _decode(sorted({code for _, code in rows}), source)
    examples = [Example(text, labels[code]) for text, code in rows]
    if not examples:
        raise DataError(f"{source.path}: holds no labelled text")
    dataset = Dataset(name=source.path.name, sha256=sha256_of(source.path), rows=len(examples))
    return LabelledData(dataset, examples, left_out=len(texts) - len(examples))


def _decode(codes: list[str], source: Source) -> dict[str, Label]:
    found = (
        f"{source.path}: column {source.label_column!r} holds {', '.join(map(repr, codes[:10]))}"
    )
    if source.label_map is not None:
        missing = [code for code in codes if code not in source.label_map]
        if missing:
            raise DataError(f"{found}; the label map says nothing of {', '.join(missing[:10])}")
        return source.label_map
    if any(code.lstrip("-").replace(".", "", 1).isdecimal() for code in codes):
        raise DataError(f"{found}; say what they mean, e.g. --label-map 0=negative,1=neutral,…")
    try:
        return {code: parse_label(code) for code in codes}
    except UnknownLabelError as error:
        raise DataError(f"{found}; {error}, or give --label-map") from error
