"""Columns found by name, then by content, and errors that show what there is to choose from."""

from pathlib import Path

import pandas as pd
import pytest

from training.columns import find_columns, find_text_column, text_columns
from tweetsent.errors import DataError

PATH = Path("veri.csv")
TEXTS = [
    "Bugün çok güzel bir gün",
    "Hiç böyle kötü film görmedim",
    "Toplantı saat üçte başlıyor",
] * 4
TEXTS = [f"{text} {letter}" for text, letter in zip(TEXTS, "abcdefghijkl", strict=True)]


def table(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("text", "label"),
        ("Tweets", "Duygu"),
        ("METİN", "SINIF"),
        ("Cümle", "etiket"),
        ("tweet_text", "Sentiment"),
        ("İçerik", "Polarity"),
        ("Review", "class"),
        ("Yorum Metni", "duygu durumu"),
    ],
)
def test_known_names_are_found_in_any_spelling(text: str, label: str) -> None:
    frame = table(**{"id": ["1", "2"], label: ["0", "1"], text: ["7", "8"], "tarih": ["a", "b"]})
    assert find_columns(frame, PATH) == (text, label)
    assert find_text_column(frame, PATH) == text


def test_a_given_name_is_taken_and_is_no_candidate_for_the_other() -> None:
    frame = table(text=["a"], tweet=["b"], label=["c"], sentiment=["d"])
    assert find_columns(frame, PATH, "tweet", "sentiment") == ("tweet", "sentiment")
    assert find_columns(table(text=["a"], label=["b"], class_=["c"]), PATH, None, "label") == (
        "text",
        "label",
    )


def test_cells_decide_where_no_name_is_known() -> None:
    frame = table(no=[str(n) for n in range(12)], A=TEXTS, B=["0", "1", "2"] * 4)
    assert find_columns(frame, PATH) == ("A", "B")


def test_a_column_of_label_names_wins_over_other_short_ones() -> None:
    frame = table(A=TEXTS, dil=["tr", "en"] * 6, B=["olumlu", "Olumsuz", "nötr"] * 4)
    assert find_columns(frame, PATH) == ("A", "B")


@pytest.mark.parametrize(
    ("columns", "question"),
    [
        ({"text": ["iyi"], "tweet": ["kötü"], "label": ["1"]}, "which column holds the texts"),
        (
            {"text": TEXTS, "label": ["1"] * 12, "class": ["2"] * 12},
            "which column holds the labels",
        ),
        ({"A": TEXTS, "B": TEXTS[::-1], "C": ["0", "1"] * 6}, "which column holds the texts"),
        ({"A": TEXTS, "B": ["0", "1"] * 6, "C": ["tr", "en"] * 6}, "which column holds the labels"),
        ({"A": TEXTS, "B": [str(n) for n in range(12)]}, "which column holds the labels"),
    ],
)
def test_a_choice_is_left_to_the_user_who_is_shown_the_cells(
    columns: dict[str, list[str]], question: str
) -> None:
    with pytest.raises(DataError, match=question) as caught:
        find_columns(table(**columns), PATH)
    for name, cells in columns.items():
        assert f"{name!r} (e.g. {cells[0][:20]!r:.20}" in str(caught.value)
    kind = "text" if "texts" in question else "label"
    assert str(caught.value).endswith(f"say it with --{kind}-column NAME")


def test_columns_beyond_a_dozen_are_counted_and_empty_ones_called_so() -> None:
    frame = table(**{f"k{n}": [""] for n in range(15)})
    with pytest.raises(DataError, match=r"'k0' \(empty\), .*'k11' \(empty\) and 3 more;"):
        find_text_column(frame, PATH)


@pytest.mark.parametrize(
    "names",
    [
        ["Bugün hava gerçekten çok güzel", "x"],
        ["Berbat", "olumsuz"],
        ["Berbat", "-1"],
    ],
)
def test_a_first_row_of_data_is_no_header(names: list[str]) -> None:
    frame = pd.DataFrame([[text, "0"] for text in TEXTS], columns=names)
    with pytest.raises(DataError, match="has no header row: its first row is") as caught:
        find_columns(frame, PATH)
    assert names[1] in str(caught.value)


def test_numbered_columns_of_pandas_are_a_header() -> None:
    frame = pd.DataFrame([[t, "01"[n % 2]] for n, t in enumerate(TEXTS)], columns=["0", "1"])
    assert find_columns(frame, PATH) == ("0", "1")


def test_a_header_without_rows_says_so() -> None:
    with pytest.raises(DataError, match="no rows below its header"):
        find_columns(table(A=[], B=[]), PATH)


def test_all_columns_that_may_hold_texts_are_told() -> None:
    frame = table(
        no=["1", "2"], a=["iyi bir gün", "kötü bir gün"], b=["çok iyi film", "bir film daha"]
    )
    assert text_columns(frame, PATH) == [1, 2]
    assert text_columns(table(yorum=["iyi"], b=["bir iki üç"], mesaj=["kötü"]), PATH) == [0, 2]
    assert text_columns(table(no=["1"]), PATH) == []
