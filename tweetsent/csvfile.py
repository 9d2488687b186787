"""Rows of .csv files as people's programs write them: encodings, separators and quotes.

One line at a time, so a big file takes no more memory than the cells that the caller keeps.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from tweetsent.errors import DataError, Flaw

_TURKISH = re.compile("[ğışĞİŞçöüÇÖÜ]")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of such a byte
# The first bytes of Turkish letters in UTF-8, as Windows-1254 reads them.
_HALF_LETTERS = re.compile("[ÃÄÅ]")
_WORKBOOK = b"PK\x03\x04"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATORS = ",;\t"


def csv_rows(path: Path, say: Callable[[str], None]) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its first line; `say` is told what was read with tolerance.

    UTF-8, Windows-1254 or UTF-16 with its mark; commas, semicolons or tabs, whichever the first
    line has most of. An empty line is an empty list. Raises DataError naming the line.
    """
    lines = decoded_lines(path, say)
    head, separator, is_stated = _head(lines)
    skipped = len(head) if is_stated else 0
    rows = _records(chain(head[skipped:], lines), separator, path, say)
    yield from ((number + skipped, row) for number, row in rows)


def separator_of(path: Path) -> str:
    """What separates the cells of a .csv. Raises DataError."""
    return _head(decoded_lines(path, lambda _: None))[1]


def _head(lines: Iterator[str]) -> tuple[list[str], str, bool]:
    """The lines up to the first that isn't empty, the separator, and whether they only state it."""
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    first = re.sub(r'"[^"]*"', "", head[-1]) if head else ""
    stated = re.fullmatch(r"sep=(.)\s*", first)  # Excel's own first line
    return head, stated[1] if stated else max(_SEPARATORS, key=first.count), stated is not None


def decoded_lines(path: Path, say: Callable[[str], None]) -> Iterator[str]:
    """The lines of a text file with their ends; raises DataError where they would be garbled."""
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith(_WORKBOOK):
        raise DataError(f"{path}: is an Excel workbook; rename it to .xlsx", Flaw.WORKBOOK)
    if start.startswith(_UTF16):
        with path.open(encoding="utf-16", newline="") as text:
            yield from text
        return
    if start.count(b"\0") > len(start) / 10:
        raise DataError(
            f"{path}: holds zero bytes: it is no text, or UTF-16; save it as UTF-8", Flaw.ENCODING
        )
    is_utf8, has_other = _survey(path)
    repaired: list[int] = []
    for number, line in enumerate(_raw_lines(path), start=1):
        if line.isascii() or not has_other:
            yield line
        elif not is_utf8:
            yield _as_windows_1254(line, number, path)
        elif _NOT_UTF8.search(line):
            repaired.append(number)
            yield _as_windows_1254_among_utf8(line, number, path)
        else:
            yield line
    if repaired:
        say(
            f"{path}: lines in Windows-1254 in a UTF-8 file, read as such: {len(repaired):,} "
            f"(first: line {repaired[0]:,})"
        )


def _raw_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        for number, line in enumerate(file):
            yield line.removeprefix("\ufeff") if number == 0 else line


def _survey(path: Path) -> tuple[bool, bool]:
    """Whether there are Turkish letters in UTF-8, and whether there is anything but UTF-8.

    Those letters are pairs of bytes that no Windows-1254 text has by chance.
    """
    is_utf8 = has_other = False
    for line in _raw_lines(path):
        if line.isascii():
            continue
        has_other = has_other or bool(_NOT_UTF8.search(line))
        is_utf8 = is_utf8 or bool(_TURKISH.search(line))
        if is_utf8 and has_other:
            break
    return is_utf8, has_other


def _as_windows_1254(line: str, number: int, path: Path) -> str:
    try:
        return line.encode("utf-8", "surrogateescape").decode("cp1254")
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: line {number:,} is neither UTF-8 nor Windows-1254 text", Flaw.ENCODING, number
        ) from None


def _as_windows_1254_among_utf8(line: str, number: int, path: Path) -> str:
    """A line pasted from another file; DataError where it may as well be damaged UTF-8."""
    if _NOT_UTF8.sub("", line).isascii():
        text = _as_windows_1254(line, number, path)
        if not _HALF_LETTERS.search(text):
            return text
    raise DataError(
        f"{path}: line {number:,} has bytes that are not UTF-8, unlike the rest: "
        "save the file again as UTF-8",
        Flaw.ENCODING,
        number,
    )


def _records(
    lines: Iterator[str], separator: str, path: Path, say: Callable[[str], None]
) -> Iterator[tuple[int, list[str]]]:
    taken: list[str] = []  # the lines of the row that is being read

    def feed() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(feed(), delimiter=separator, strict=True)
    number = 1
    stray: list[int] = []
    while True:
        taken.clear()
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if len(taken) > 1 or "end of data" in str(error) or "limit" in str(error):
                raise DataError(
                    f"{path}: line {number:,}: a quote opens a text and is not closed",
                    Flaw.QUOTE,
                    number,
                ) from None
            # Quotes that are part of a text and not doubled; its row ends with its line.
            row = next(csv.reader(taken, delimiter=separator))
            stray.append(number)
        yield number, row
        number += len(taken)
    if stray:
        say(
            f"{path}: lines with quotes inside a text that are not doubled: {len(stray):,} "
            f"(first: line {stray[0]:,})"
        )
