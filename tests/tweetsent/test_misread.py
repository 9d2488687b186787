"""Mojibake is refused where it is the rule, counted where it is the exception."""

from pathlib import Path

import pytest

from tweetsent.errors import DataError
from tweetsent.misread import check_letters

PATH = Path("tablo.csv")
RIGHT = "ışığı gördüm, çok güzeldi"


def notes_of(*texts: str) -> list[str]:
    notes: list[str] = []
    check_letters(texts, PATH, notes.append)
    return notes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ýþýk þahane deðil", "has ð ý þ where Turkish has ğ, ı, ş"),
        (
            "çok güzel ışık".encode().decode("cp1252"),
            "has Ã§ Ã¼ Ä± ÅŸ where Turkish has ç, ü, ı, ş",
        ),
        ("Şu Ğ".encode().decode("latin-1"), "where Turkish has Ğ, Ş"),
        ("g\ufffdzel", "where Turkish has another letter"),
    ],
)
def test_misread_texts_are_refused_with_what_they_hold(text: str, found: str) -> None:
    with pytest.raises(DataError, match=found) as caught:
        notes_of(RIGHT, text, text)
    assert repr(text) in str(caught.value)


def test_a_few_misread_texts_are_counted(tmp_path: Path) -> None:
    assert notes_of(RIGHT, RIGHT, "ÅŸahane") == [
        "tablo.csv: has ÅŸ where Turkish has ş, in 1 of its texts, such as 'ÅŸahane'"
    ]


@pytest.mark.parametrize(
    "text", ["", "plain", RIGHT, "Reykjavík'te það dediler, şaşırdım", "Über Ärger", "😊 café"]
)
def test_right_and_foreign_texts_are_left_alone(text: str) -> None:
    assert notes_of(text, text) == []
