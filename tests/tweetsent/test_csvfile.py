"""CSV as it comes: two encodings in one file, open quotes, stray quotes, and which line it was."""

from pathlib import Path

import pytest

from tweetsent.csvfile import csv_rows, decoded_lines
from tweetsent.errors import DataError

RIGHT = "ışığı gördüm,olumlu\n"


def rows_of(path: Path) -> tuple[list[tuple[int, list[str]]], list[str]]:
    notes: list[str] = []
    return list(csv_rows(path, notes.append)), notes


def write(folder: Path, *lines: bytes) -> Path:
    path = folder / "tablo.csv"
    path.write_bytes(b"".join(lines))
    return path


def test_lines_of_windows_1254_among_utf8_are_read_and_counted(tmp_path: Path) -> None:
    other = "şu İş çöktü,olumsuz\n"
    path = write(tmp_path, b"metin,etiket\n", RIGHT.encode(), *[other.encode("cp1254")] * 2)
    rows, notes = rows_of(path)
    assert [row for _, row in rows[1:]] == [
        ["ışığı gördüm", "olumlu"],
        *[["şu İş çöktü", "olumsuz"]] * 2,
    ]
    assert notes == [
        f"{path}: lines in Windows-1254 in a UTF-8 file, read as such: 2 (first: line 3)"
    ]


@pytest.mark.parametrize(
    "line",
    ["güzel ğ".encode()[:-1], "cok iyi ç".encode()[:-1], "güzel ".encode() + b"\xfe"],
    ids=["half a letter", "half a letter after ASCII", "both in one line"],
)
def test_a_line_that_may_be_damaged_utf8_is_refused_by_its_number(
    tmp_path: Path, line: bytes
) -> None:
    path = write(tmp_path, b"metin,etiket\n", RIGHT.encode(), line + b",olumlu\n")
    with pytest.raises(DataError, match="line 3 has bytes that are not UTF-8"):
        rows_of(path)


def test_a_whole_file_of_windows_1254_may_hold_any_of_its_letters(tmp_path: Path) -> None:
    path = write(tmp_path, "metin\nÄrger ve ığüşöç\n".encode("cp1254"))
    rows, notes = rows_of(path)
    assert rows == [(1, ["metin"]), (2, ["Ärger ve ığüşöç"])]
    assert notes == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_the_mark_at_the_start_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "metin\tetiket\r\nığüşöç 😊\t1\r\n".encode(encoding))
    assert rows_of(path)[0] == [(1, ["metin", "etiket"]), (2, ["ığüşöç 😊", "1"])]


def test_utf16_without_its_mark_and_a_workbook_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UTF-16; save it as UTF-8"):
        rows_of(write(tmp_path, "metin\netiket\n".encode("utf-16-le")))
    with pytest.raises(DataError, match=r"is an Excel workbook; rename it to \.xlsx"):
        rows_of(write(tmp_path, b"PK\x03\x04 and so on"))


@pytest.mark.parametrize(
    "rest",
    [b'"acik kalan, olumlu\n', b'"acik kalan, olumlu\n"iyi",olumlu\n', b'"' + b"uzun\n" * 40_000],
    ids=["until the end", "until the next quote", "for longer than any text"],
)
def test_a_quote_left_open_is_named_by_its_line(tmp_path: Path, rest: bytes) -> None:
    path = write(tmp_path, b'metin,etiket\n"iki\nsatir",olumlu\n', rest)
    with pytest.raises(DataError, match="line 4: a quote opens a text and is not closed"):
        rows_of(path)


def test_quotes_inside_a_text_that_are_not_doubled_are_read_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, b'metin,etiket\n"harika" film,olumlu\nekran 5" iyi,olumlu\n')
    rows, notes = rows_of(path)
    assert [row for _, row in rows[1:]] == [["harika film", "olumlu"], ['ekran 5" iyi', "olumlu"]]
    assert notes == [
        f"{path}: lines with quotes inside a text that are not doubled: 1 (first: line 2)"
    ]


def test_rows_carry_the_number_of_their_first_line(tmp_path: Path) -> None:
    path = write(tmp_path, b'sep=;\n\nmetin;etiket\n"iki\nsatir";1\n\nbir, iki;2\n')
    assert rows_of(path)[0] == [
        (2, []),
        (3, ["metin", "etiket"]),
        (4, ["iki\nsatir", "1"]),
        (6, []),
        (7, ["bir, iki", "2"]),
    ]


def test_lines_end_where_a_line_ends_and_nowhere_else(tmp_path: Path) -> None:
    path = write(tmp_path, "bir\u2028iki\r\nüç\rdört".encode())
    assert list(decoded_lines(path, print)) == ["bir\u2028iki\r\n", "üç\r", "dört"]
