"""Tables in the four formats, as people's programs write them, and what is wrong with some."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from tweetsent import files
from tweetsent.errors import DataError
from tweetsent.files import (
    SHEETS,
    SUFFIXES,
    Sheets,
    check_output,
    read_table,
    text_column,
    write_table,
)

TEXTS = [
    "Çok güzel, ığdır'dan ŞİİR 😊",
    'tırnak " ve; noktalı\tsekme',
    "iki\nsatır",
    "NA",
    "null",
    "nan",
    "",
    "  boşluklu ",
    "007",
    "1.0",
]
FORMULAS = ["＝1+1", "\n=1+1", "=1+1", "+90 555", "-5 puan", "@ali nasılsın", "=HYPERLINK(A1)"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_texts_come_back_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({"metin": TEXTS, "etiket": ["nötr"] * len(TEXTS)}), path)

    table = read_table(path)

    assert list(table.columns) == ["metin", "etiket"]
    assert text_column(table, "metin", path) == TEXTS


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_older_file_is_replaced(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({"eski": ["a", "b", "c"]}), path)
    write_table(pd.DataFrame({"yeni": ["d"]}), path)
    assert read_table(path).to_dict("list") == {"yeni": ["d"]}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_takes_what_cells_may_hold(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    table = pd.DataFrame(
        {
            "metin": pd.Series(["yarım emoji \ud83d", "zil \x07 ve \x0b", None], dtype=object),
            "sayı": pd.array([1, None, 3], dtype="Int64"),
            "puan": [0.5, 0.25, 1.0],
            "zaman": [pd.Timestamp("2026-01-31 10:00", tz="UTC")] * 3,
        }
    )
    write_table(table, path)

    read = read_table(path)

    metin = text_column(read, "metin", path)
    assert metin[0] == "yarım emoji ?"
    assert metin[1] in {"zil \x07 ve \x0b", "zil  ve "}  # Excel has no control characters
    assert metin[2] == ""
    assert [float(cell) for cell in text_column(read, "puan", path)] == [0.5, 0.25, 1.0]
    assert [cell and float(cell) for cell in text_column(read, "sayı", path)] == [1.0, "", 3.0]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_carriage_return_in_a_text_starts_no_row(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({"metin": ["bir\riki", "üç\r\ndört"]}), path)
    assert read_table(path)["metin"].tolist() == ["bir\riki", "üç\r\ndört"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1254"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_csv_of_turkish_programs_is_read(
    tmp_path: Path, encoding: str, separator: str, line_end: str
) -> None:
    path = tmp_path / "Tablo.CSV"
    lines = [f" metin {separator}etiket", f"ığüşöç İĞÜŞÖÇ{separator}1", f"NA{separator}"]
    path.write_bytes("".join(line + line_end for line in lines).encode(encoding))

    table = read_table(path)

    assert table.to_dict("list") == {"metin": ["ığüşöç İĞÜŞÖÇ", "NA"], "etiket": ["1", ""]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("metin\nçok iyi\n".encode("cp1254") + b"\x81\n", "neither UTF-8 nor Windows-1254"),
        ("metin\nçok\ngüzel ğ".encode()[:-1] + b"\n", "line 3 has bytes that are not UTF-8"),
    ],
    ids=["another code page", "half a letter"],
)
def test_csv_that_would_be_garbled_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "tablo.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_table(path)


def test_csv_may_quote_a_foreign_letter_among_turkish_ones(tmp_path: Path) -> None:
    path = tmp_path / "tablo.csv"
    path.write_text("metin\nReykjavík'te það dediler, şaşırdım\n".replace(",", ""), "utf-8")
    assert read_table(path)["metin"].tolist() == ["Reykjavík'te það dediler şaşırdım"]


def test_separator_inside_quotes_of_the_header_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "tablo.csv"
    path.write_text('"Tweet, ham";Duygu\niyi;1\n', "utf-8")
    assert list(read_table(path).columns) == ["Tweet, ham", "Duygu"]


def test_text_too_long_for_a_cell_of_xlsx_is_refused_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    with pytest.raises(DataError, match="row 2 has a text of more than 32,767 characters"):
        write_table(pd.DataFrame({"metin": ["a" * 32_768]}), path)


@pytest.mark.parametrize(
    "content",
    [
        "metin\niyi, güzel\nkötü, çirkin\n",
        "metin\nkötü, çirkin\niyi\n",
        "metin,etiket\niyi, güzel,1\nkötü, çirkin,2\n",
    ],
)
def test_texts_with_bare_commas_lose_nothing_in_silence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tablo.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="more cells than the header"):
        read_table(path)


def test_formula_like_texts_are_no_formulas_in_xlsx(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    write_table(pd.DataFrame({"metin": FORMULAS}), path)

    cells = [row[0] for row in openpyxl.load_workbook(path).active.iter_rows(min_row=2)]

    assert [cell.data_type for cell in cells] == ["s"] * len(FORMULAS)
    assert [cell.value for cell in cells] == FORMULAS


def test_numbers_stay_numbers_in_xlsx(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    write_table(pd.DataFrame({"puan": [-0.5, 2.0], "sayı": [-5, 7]}), path)
    rows = openpyxl.load_workbook(path).active.iter_rows(min_row=2)
    assert [[(cell.data_type, cell.value) for cell in row] for row in rows] == [
        [("n", -0.5), ("n", -5)],
        [("n", 2), ("n", 7)],
    ]


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path: Path) -> None:
    table = pd.DataFrame({"n": range(1_048_576)})
    with pytest.raises(DataError, match=r"1,048,576 rows are more than the 1,048,575"):
        write_table(table, tmp_path / "tablo.xlsx")


def test_formula_like_texts_are_prefixed_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "tablo.csv"
    write_table(pd.DataFrame({"metin": [*FORMULAS, "\t=1", "a=1"], "puan": [-0.5] * 9}), path)
    table = read_table(path)
    assert table["metin"].tolist() == [*(f"'{text}" for text in FORMULAS), "'\t=1", "a=1"]
    assert table["puan"].tolist() == ["-0.5"] * 9


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_formula_like_texts_are_untouched_elsewhere(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({"metin": FORMULAS}), path)
    assert read_table(path)["metin"].tolist() == FORMULAS


def test_control_characters_do_not_stop_an_xlsx(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    write_table(pd.DataFrame({"metin": ["a\x00b\x0bc\x1fd"]}), path)
    assert read_table(path)["metin"].tolist() == ["abcd"]


def test_numbers_of_jsonl_keep_their_spelling_beside_missing_ones(tmp_path: Path) -> None:
    path = tmp_path / "tablo.jsonl"
    path.write_text('\ufeff{"t": "a", "l": 1}\n\n{"t": "b"}\n{"l": 2, "t": null}\n', "utf-8")
    table = read_table(path)
    assert text_column(table, "l", path) == ["1", "", "2"]
    assert text_column(table, "t", path) == ["a", "b", ""]


def test_parquet_with_missing_numbers_and_lists_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tablo.parquet"
    labels = pd.array([1, None], dtype="Int64")
    pd.DataFrame({"l": labels, "liste": [["a", "b"], ["c"]]}).to_parquet(path)
    table = read_table(path)
    assert text_column(table, "l", path) == ["1", ""]
    assert len(text_column(table, "liste", path)) == 2


def test_xlsx_cells_are_read_as_they_look(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    book = openpyxl.Workbook()
    for row in (["metin", "etiket"], ["NA", 1], [None, 2], [12, None]):
        book.active.append(row)
    book.save(path)
    assert read_table(path).to_dict("list") == {"metin": ["NA", "", "12"], "etiket": ["1", "2", ""]}


def test_an_unknown_ending_names_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xls"
    path.write_bytes(b"")
    attempts: list[Callable[[], object]] = [
        lambda: read_table(path),
        lambda: write_table(pd.DataFrame({"metin": ["a"]}), path),
        lambda: check_output(path),
    ]
    for attempt in attempts:
        with pytest.raises(DataError, match=r"tablo\.xls: .*\.xlsx, \.csv, \.jsonl, \.parquet"):
            attempt()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_and_a_folder_are_no_files(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"klasör{suffix}").mkdir()
    for name, problem in {"yok": "there is no such file", "klasör": "is a folder"}.items():
        with pytest.raises(DataError, match=f"{name}{suffix}: {problem}"):
            read_table(tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_cant_be_written_is_an_error_of_one_line(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame({"metin": ["a"]})
    (tmp_path / f"klasör{suffix}").mkdir()
    for path in (tmp_path / f"klasör{suffix}", tmp_path / "yok" / f"tablo{suffix}"):
        with pytest.raises(DataError, match="can't be written") as caught:
            write_table(table, path)
        assert "\n" not in str(caught.value)


def test_a_column_of_mixed_kinds_is_no_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tablo\.parquet: can't be written: .*int64"):
        write_table(pd.DataFrame({"metin": [1, "a"]}), tmp_path / "tablo.parquet")


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".xlsx", b""),
        (".xlsx", b"PK\x03\x04 torn"),
        (".parquet", b""),
        (".parquet", b"PAR1 torn"),
        (".csv", b""),
        (".csv", b"\xff\xfe\x00\x81\x8d"),
        (".csv", b'metin\n"never closed\n'),
        (".jsonl", b"\xff\xfe\x00"),
    ],
)
def test_a_broken_file_is_an_error_of_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"tablo{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"tablo{suffix}: ") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_zip_that_holds_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tablo.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("okubeni.txt", "tablo değil")
    with pytest.raises(DataError, match=r"can't be read as \.xlsx"):
        read_table(path)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tablo.xlsx"
    write_table(pd.DataFrame({"metin": ["a" * 30_000] * 100}), path)
    assert path.stat().st_size < 100_000
    assert len(read_table(path)) == 100

    monkeypatch.setattr(files, "_MAX_UNPACKED_BYTES", 100_000)

    with pytest.raises(DataError, match="more than 100,000"):
        read_table(path)


@pytest.mark.parametrize("suffix", [".xlsx", ".csv", ".parquet"])
def test_a_header_alone_is_a_table_without_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({"metin": [], "etiket": []}), path)
    table = read_table(path)
    assert list(table.columns) == ["metin", "etiket"]
    assert text_column(table, "metin", path) == []


def test_a_missing_column_names_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "tablo.csv"
    path.write_text("tweet;etiket\niyi;1\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column 'metin'; it has 'tweet', 'etiket'"):
        text_column(read_table(path), "metin", path)


def test_a_column_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tablo.csv"
    path.write_text("metin,metin \niyi,kötü\n", encoding="utf-8")
    with pytest.raises(DataError, match="several columns are called 'metin'"):
        text_column(read_table(path), "metin", path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{'t': 1}", "line 3 is no JSON"),
        ('{"t": ', "line 3 is no JSON"),
        ('["a"]', "line 3 is no JSON object"),
    ],
)
def test_a_bad_line_of_jsonl_is_named_by_its_number(
    tmp_path: Path, line: str, problem: str
) -> None:
    path = tmp_path / "tablo.jsonl"
    path.write_text(f'{{"t": "a"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(DataError, match=f"{problem}$"):
        read_table(path)


def book(path: Path, **sheets: list[list[object]]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


ROWS: list[list[object]] = [["metin", "etiket"], ["iyi", 1], ["kötü", 0]]


def read_with_notes(path: Path) -> tuple[dict[str, list[str]], list[str]]:
    notes: list[str] = []
    return read_table(path, say=notes.append).to_dict("list"), notes


def test_the_first_sheet_that_holds_anything_is_read_and_named(tmp_path: Path) -> None:
    path = book(tmp_path / "tablo.xlsx", Boş=[], Veri=ROWS, Eski=ROWS)
    table, notes = read_with_notes(path)
    assert table == {"metin": ["iyi", "kötü"], "etiket": ["1", "0"]}
    assert notes == [f"{path}: sheet 'Veri' is read, not 'Boş', 'Eski'"]


def test_the_first_sheet_with_texts_is_read_and_no_hidden_one(tmp_path: Path) -> None:
    path = book(tmp_path / "tablo.xlsx", Sır=ROWS, Kapak=[["2024"]], Veri=ROWS, Sayılar=[["a"]])
    workbook = openpyxl.load_workbook(path)
    workbook["Sır"].sheet_state = "veryHidden"
    workbook.save(path)
    table, notes = read_with_notes(path)
    assert table == {"metin": ["iyi", "kötü"], "etiket": ["1", "0"]}
    assert notes == [
        f"{path}: sheet 'Veri' is read, not 'Kapak', 'Sayılar'",
        f"{path}: hidden sheets are not read: 'Sır'",
    ]
    assert read_table(path).attrs[SHEETS] == Sheets("Veri", ("Kapak", "Sayılar"), ("Sır",))


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_header_is_no_formula(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({"=1+1": ["x"]}), path)
    if suffix == ".csv":
        assert path.read_text("utf-8-sig").startswith("'=1+1")
    else:
        assert openpyxl.load_workbook(path).active["A1"].data_type == "s"


def test_a_sheet_of_too_many_cells_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MAX_CELLS", 5)
    with pytest.raises(DataError, match="has more than 5 cells"):
        read_table(book(tmp_path / "tablo.xlsx", Veri=ROWS))


@pytest.mark.parametrize("above", [[[]], [[], [None, " "]], [["Tweet listesi"]], [[], ["2024"]]])
def test_empty_rows_and_a_title_above_the_header_are_no_header(
    tmp_path: Path, above: list[list[object]]
) -> None:
    table, notes = read_with_notes(book(tmp_path / "tablo.xlsx", Veri=above + ROWS))
    assert table == {"metin": ["iyi", "kötü"], "etiket": ["1", "0"]}
    assert len(notes) == bool(above[-1] and above[-1][0])
    assert all("as a title" in note for note in notes)


def test_a_text_below_a_lone_name_is_no_header(tmp_path: Path) -> None:
    rows: list[list[object]] = [["metin"], ["Bugün hava gerçekten çok güzeldi", "not"]]
    table, notes = read_with_notes(book(tmp_path / "tablo.xlsx", Veri=rows))
    assert table == {"metin": ["Bugün hava gerçekten çok güzeldi"], "Unnamed: 1": ["not"]}
    assert notes == []


def test_errors_of_formulas_are_empty_cells(tmp_path: Path) -> None:
    path = book(tmp_path / "tablo.xlsx", Veri=[["metin"], ["#N/A"], ["#DIV/0!"], ["iyi"]])
    assert read_with_notes(path)[0] == {"metin": ["", "", "iyi"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("EncryptedPackage".encode("utf-16-le"), "is protected by a password"),
        (b"Workbook", "an older Excel file; open it in Excel and save it as .xlsx"),
    ],
)
def test_what_excel_wrapped_otherwise_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "tablo.xlsx"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + content)
    with pytest.raises(DataError, match=reason):
        read_table(path)


def test_an_xls_is_told_what_to_become(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"open it in Excel and save it as \.xlsx"):
        read_table(tmp_path / "tablo.xls")


@pytest.mark.parametrize("content", ["\n \n", ",,\n"])
def test_a_file_of_empty_lines_is_empty(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tablo.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="is empty"):
        read_table(path)


def test_rows_with_fewer_cells_than_the_header_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "tablo.tsv"
    path.write_text("metin\tetiket\niyi\t1\nkötü\n\nfena\t\t\n", encoding="utf-8")
    table, notes = read_with_notes(path)
    assert table == {"metin": ["iyi", "kötü", "fena"], "etiket": ["1", "", ""]}
    assert notes == [f"{path}: rows with fewer cells than the header: 1 (first: line 3)"]


def test_too_many_cells_are_named_by_the_line(tmp_path: Path) -> None:
    path = tmp_path / "tablo.csv"
    path.write_text('metin,etiket\n"iki\nsatır",1\niyi, güzel,1\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"line 4 has more cells than the header \(3, not 2\)"):
        read_table(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_what_is_asked_for_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tablo{suffix}"
    write_table(pd.DataFrame({" a": ["1", "2", "3"], "b": ["4", "5", "6"]}), path)
    assert read_table(path, columns=["a"]).to_dict("list") == {"a": ["1", "2", "3"]}
    assert read_table(path, rows=2).to_dict("list") == {"a": ["1", "2"], "b": ["4", "5"]}


def test_a_big_csv_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_ROWS_OF_A_PART", 3)
    path = tmp_path / "tablo.csv"
    for count in (0, 2, 3, 7):
        path.write_text("metin\n" + "".join(f"m{n}\n" for n in range(count)), "utf-8")
        assert read_table(path)["metin"].tolist() == [f"m{n}" for n in range(count)]


def test_a_file_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MAX_BYTES", 10)
    path = tmp_path / "tablo.csv"
    path.write_text("metin,etiket\n", "utf-8")
    with pytest.raises(DataError, match="has 13 bytes, more than 10; split it"):
        read_table(path)


def test_a_file_that_may_not_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "tablo.csv"
    path.write_text("metin\n", "utf-8")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"tablo\.csv: can't be read: Permission denied$"):
        read_table(path)
