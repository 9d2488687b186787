"""Labelled tables: names, summaries, and what a stranger's file may not be."""

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from tweetsent.errors import DataError, Flaw
from tweetsent.labelling import Summary, label_table, read_upload, texts_of, write_labelled
from tweetsent.labels import Label, Scores

GOOD, BAD = Scores(0.1, 0.2, 0.7), Scores(0.5, 0.3, 0.2)


def test_rows_without_words_get_no_label() -> None:
    table = pd.DataFrame({"metin": ["iyi  film", "", "123", "kötü"]})
    texts = texts_of(table, 0, Path("a.csv"))
    assert texts == ["iyi film", "", "", "kötü"]

    labelled, summary = label_table(table, texts, {"iyi film": GOOD, "kötü": BAD})

    assert labelled["Duygu"].fillna("").tolist() == ["Olumlu", "", "", "Olumsuz"]
    assert labelled["Olumlu"].fillna(-1).tolist() == [0.7, -1, -1, 0.2]
    assert list(table.columns) == ["metin"]
    assert summary == Summary(4, {Label.NEGATIVE: 1, Label.NEUTRAL: 0, Label.POSITIVE: 1})
    assert (summary.wordless, summary.share(Label.POSITIVE)) == (2, 0.5)


def test_columns_that_are_there_keep_their_names_and_cells() -> None:
    table = pd.DataFrame([["iyi", "a", "b"]], columns=["metin", "DUYGU", "duygu 2"])
    labelled, _ = label_table(table, ["iyi"], {"iyi": GOOD})
    assert list(labelled.columns)[:4] == ["metin", "DUYGU", "duygu 2", "Duygu 3"]
    assert labelled.iloc[0, :4].tolist() == ["iyi", "a", "b", "Olumlu"]


def test_a_table_without_any_words_has_a_summary() -> None:
    labelled, summary = label_table(pd.DataFrame({"metin": ["1"]}), [""], {})
    assert summary.share(Label.NEUTRAL) == 0
    assert labelled.shape == (1, 6)


def test_the_lines_of_a_txt_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("çok güzel\r\n\r\n=1; berbat, kötü\r\n".encode("cp1254"))
    assert read_upload(path, 10).to_dict("list") == {"Metin": ["çok güzel", "=1; berbat, kötü"]}


@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_rows_are_counted_no_further_than_the_limit(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("metin\n" + "iyi\n" * 11, "utf-8")
    with pytest.raises(DataError, match="more than 10 rows") as caught:
        read_upload(path, 10)
    assert caught.value.flaw is Flaw.ROWS
    assert len(read_upload(path, 12)) in {11, 12}


def test_what_unpacks_to_too_much_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"xl/{number}.xml", b" " * 50_000_001)
    with pytest.raises(DataError, match="unpacks to 100,000,002 bytes") as caught:
        read_upload(path, 10)
    assert caught.value.flaw is Flaw.UNPACKED_SIZE


def test_misread_letters_are_found(tmp_path: Path) -> None:
    table = pd.DataFrame({"metin": ["güzeldi".encode().decode("cp1254")] * 3})
    with pytest.raises(DataError) as caught:
        texts_of(table, 0, tmp_path / "a.csv")
    assert caught.value.flaw is Flaw.ENCODING


@pytest.mark.parametrize(("separator", "number"), [(";", "0,93"), (",", "0.93"), ("\t", "0.93")])
def test_a_csv_comes_back_separated_as_it_was(tmp_path: Path, separator: str, number: str) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(f"no{separator}metin\n1{separator}çok güzel\n", encoding="cp1254")
    table = read_upload(source, 10)
    texts = texts_of(table, 1, source)
    write_labelled(*label_table(table, texts, {texts[0]: Scores(0.02, 0.05, 0.93)}), target)
    row = target.read_text(encoding="utf-8-sig").splitlines()[1]
    assert row.split(separator)[:4] == ["1", "çok güzel", "Olumlu", number]
