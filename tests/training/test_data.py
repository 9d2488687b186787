import hashlib
from pathlib import Path

import pandas as pd
import pytest

from training.data import (
    Code,
    Example,
    Source,
    UnmappedCodesError,
    parse_label_map,
    read_labelled,
    require_two_labels,
)
from tweetsent.errors import DataError
from tweetsent.labels import LABELS

NEGATIVE, NEUTRAL, POSITIVE = LABELS


def csv(folder: Path, *rows: str, header: str = "text,label") -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_label_map_may_name_labels_in_any_spelling_and_codes_of_any_kind() -> None:
    assert parse_label_map(" 0 = NÖTR, -1=olumsuz ,pos = +,1.0=tarafsiz") == {
        "0": NEUTRAL,
        "-1": NEGATIVE,
        "pos": POSITIVE,
        "1.0": NEUTRAL,
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "CODE=LABEL"),
        ("0", "CODE=LABEL"),
        ("0=negative,", "CODE=LABEL"),
        ("=negative", "CODE=LABEL"),
        (" =negative", "CODE=LABEL"),
        ("0=", "'' names no label"),
        ("0=negatve,1=positive", "'negatve' names no label"),
        ("0=negative, 0=positive", "0 is there twice"),
        ("0=negative;1=positive", "names no label"),
    ],
)
def test_a_wrong_label_map_is_quoted_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_label_map(text)
    assert repr(text) in str(caught.value)
    assert reason in str(caught.value)


def test_columns_and_map_are_as_stated(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "7,Bayıldım buna,2",
        "8,Nefret ettim,1",
        "9,Toplantı üçte,0",
        header="id,tweet,duygu",
    )
    labels = {"0": NEUTRAL, "1": NEGATIVE, "2": POSITIVE}
    data = read_labelled(Source(path, "tweet", "duygu", labels))
    assert data.examples == [
        Example("Bayıldım buna", POSITIVE),
        Example("Nefret ettim", NEGATIVE),
        Example("Toplantı üçte", NEUTRAL),
    ]
    assert (data.dataset.name, data.dataset.rows) == ("rows.csv", 3)
    assert data.dataset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_map_means_what_it_says_and_nothing_is_guessed(tmp_path: Path) -> None:
    path = csv(tmp_path, "Bayıldım,1", "Nefret ettim,0")
    one = read_labelled(Source(path, label_map=parse_label_map("0=negative,1=positive")))
    other = read_labelled(Source(path, label_map=parse_label_map("0=positive,1=negative")))
    assert [row.label for row in one.examples] == [POSITIVE, NEGATIVE]
    assert [row.label for row in other.examples] == [NEGATIVE, POSITIVE]


def test_label_names_in_any_spelling_need_no_map(tmp_path: Path) -> None:
    path = csv(
        tmp_path, "a,OLUMLU", "b,TARAFSIZ", "c,tarafsiz", "d, Nötr ", "e,-", "f,😊", "g,negatif"
    )
    labels = [row.label for row in read_labelled(Source(path)).examples]
    assert labels == [POSITIVE, NEUTRAL, NEUTRAL, NEUTRAL, NEGATIVE, POSITIVE, NEGATIVE]


@pytest.mark.parametrize("codes", [["0", "1", "2"], ["-1", "0", "1"], ["1.5", "2.0"], ["-1"]])
def test_numbers_without_a_map_are_an_error_that_shows_them(
    tmp_path: Path, codes: list[str]
) -> None:
    path = csv(tmp_path, *(f"metin {code},{code}" for code in codes))
    with pytest.raises(DataError, match="--label-map") as caught:
        read_labelled(Source(path))
    assert "column 'label' holds" in str(caught.value)
    for code in codes:
        assert repr(code.removesuffix(".0")) in str(caught.value)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet", ".jsonl"])
@pytest.mark.parametrize("codes", [[-1, 0, 1], [1.5, 2.0, 3.0]])
def test_number_cells_are_such_numbers_too(tmp_path: Path, suffix: str, codes: list[float]) -> None:
    path = tmp_path / f"rows{suffix}"
    frame = pd.DataFrame({"text": ["bir", "iki", "üç"], "label": codes})
    if suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    with pytest.raises(DataError, match="say what they mean") as caught:
        read_labelled(Source(path))
    assert repr(str(codes[0])) in str(caught.value)


def test_integer_cells_of_a_workbook_are_mapped_by_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    frame = pd.DataFrame({"text": ["Çok iyiydi", "Çok kötüydü"], "label": [1, -1]})
    frame.to_excel(path, index=False)
    data = read_labelled(Source(path, label_map={"1": POSITIVE, "-1": NEGATIVE}))
    assert data.examples == [Example("Çok iyiydi", POSITIVE), Example("Çok kötüydü", NEGATIVE)]


def test_whole_number_cells_stay_whole_beside_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    frame = pd.DataFrame({"text": ["Çok iyiydi", "", "Eh"], "label": [1, None, 0]})
    frame.to_excel(path, index=False)
    data = read_labelled(Source(path, label_map={"1": POSITIVE, "0": NEUTRAL}))
    assert [row.label for row in data.examples] == [POSITIVE, NEUTRAL]


def test_a_code_that_the_map_leaves_out_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,0", "b,1", "c,5")
    with pytest.raises(DataError, match="the label map says nothing of 5"):
        read_labelled(Source(path, label_map={"0": NEGATIVE, "1": POSITIVE}))


def test_codes_of_empty_texts_need_no_meaning(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,0", ",99", header="text,label")
    assert len(read_labelled(Source(path, label_map={"0": NEGATIVE})).examples) == 1


@pytest.mark.parametrize("word", ["belki", "fena değil", "2+"])
def test_an_unknown_label_word_is_quoted(tmp_path: Path, word: str) -> None:
    path = csv(tmp_path, "a,olumlu", f"b,{word}")
    with pytest.raises(DataError, match=r"say what they mean.*--label-map") as caught:
        read_labelled(Source(path))
    assert repr(word) in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("text", "label"), [("metin", "label"), ("text", "etiket")])
def test_a_missing_column_is_named_with_those_there_are(
    tmp_path: Path, text: str, label: str
) -> None:
    path = csv(tmp_path, "a,olumlu")
    missing = text if text != "text" else label
    with pytest.raises(DataError, match=f"no column '{missing}'; it has 'text', 'label'"):
        read_labelled(Source(path, text, label))


def test_two_columns_of_the_same_name_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,olumlu", header="text, text ,label")
    with pytest.raises(DataError, match="several columns are called 'text'"):
        read_labelled(Source(path))


def test_rows_without_a_text_are_left_out_and_texts_are_cleaned(tmp_path: Path) -> None:
    path = csv(tmp_path, '"  Bu\u200b  iyi\n mi ",olumlu', ",olumlu", '"  ",olumsuz', "\u200b,+")
    data = read_labelled(Source(path))
    assert data.examples == [Example("Bu iyi mi", POSITIVE)]
    assert data.dataset.rows == 1


def test_a_text_that_looks_like_a_missing_value_is_a_text(tmp_path: Path) -> None:
    path = csv(tmp_path, "NA,olumlu", "null,olumsuz")
    assert [row.text for row in read_labelled(Source(path)).examples] == ["NA", "null"]


@pytest.mark.parametrize("rows", [[], [",olumlu"]])
def test_a_file_without_a_labelled_text_is_refused(tmp_path: Path, rows: list[str]) -> None:
    with pytest.raises(DataError, match=r"no labelled text|no rows below"):
        read_labelled(Source(csv(tmp_path, *rows)))


def test_columns_are_found_and_said_unless_given(tmp_path: Path) -> None:
    path = csv(tmp_path, "1,Bayıldım buna,olumlu", header="id,Tweets,Duygu")
    found, given = read_labelled(Source(path)), read_labelled(Source(path, "Tweets", "Duygu"))
    assert found.examples == given.examples == [Example("Bayıldım buna", POSITIVE)]
    assert found.notes == (f"{path}: texts are in column 'Tweets', labels in 'Duygu'",)
    assert given.notes == ()


def test_codes_are_shown_with_counts_texts_and_a_map_to_fill_in(tmp_path: Path) -> None:
    path = csv(tmp_path, "Fena,0", "Yarın maç var,1", "Harika,2", "Bayıldım,2", "Sevdim,2")
    with pytest.raises(UnmappedCodesError) as caught:
        read_labelled(Source(path))
    message = str(caught.value)
    assert "'0' (in 1, e.g. 'Fena'), '1' (in 1, e.g. 'Yarın maç var'), '2' (in 3, " in message
    assert message.endswith('--label-map "0=?,1=?,2=?" (- leaves rows out)')
    assert caught.value.codes[2] == Code("2", 3, ("Harika", "Bayıldım"))


def test_names_that_are_known_are_filled_in_and_codes_never(tmp_path: Path) -> None:
    path = csv(tmp_path, "Fena,olumsuz", "Eh,belki", "Bu,-1")
    with pytest.raises(UnmappedCodesError, match=r'"-1=\?,belki=\?,olumsuz=negative" \(- '):
        read_labelled(Source(path))


def test_a_column_of_too_many_values_is_hardly_that_of_the_labels(tmp_path: Path) -> None:
    path = csv(tmp_path, *(f"metin,{n}" for n in range(11)))
    with pytest.raises(DataError, match="and 1 other values; is it the column of the labels"):
        read_labelled(Source(path))


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path) -> None:
    path = csv(tmp_path, "iyi,olumlu", ",olumlu", "12345,olumsuz", "😊 !,olumlu", "3.5,+", "boş,")
    part = read_labelled(Source(path, "text", "label"))
    assert [row.text for row in part.examples] == ["iyi"]
    assert part.left_out == 5
    assert part.notes == (
        f"{path}: rows left out: 1 without a text, 3 whose text has no word, 1 without a label",
    )


def test_misread_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has ð ý þ where Turkish has ğ, ı, ş"):
        read_labelled(Source(csv(tmp_path, "ýþýk þahane deðil,olumlu")))


def test_training_needs_two_labels(tmp_path: Path) -> None:
    one = read_labelled(Source(csv(tmp_path, "iyi,olumlu", "güzel,olumlu")))
    with pytest.raises(DataError, match=r"all 4 rows say positive: .* at least two labels"):
        require_two_labels([one, one])
    require_two_labels([one, read_labelled(Source(csv(tmp_path, "kötü,olumsuz")))])


def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "veri.csv"
    path.write_text("text,label\niyi,2\nsonra bakarım,\nkötü,0\n", "utf-8")
    part = read_labelled(Source(path, label_map=parse_label_map("0=negative,2=positive")))
    assert [row.text for row in part.examples] == ["iyi", "kötü"]
    assert part.left_out == 1


def test_a_map_may_leave_rows_out_and_need_not_name_words_that_are_known(tmp_path: Path) -> None:
    path = csv(tmp_path, "Fena,0", "Harika,olumlu", "Nasıl yani,?", "Bayıldım,1", "Ya,?")
    data = read_labelled(Source(path, label_map=parse_label_map("0=negative,1=positive,?=-")))
    assert [(row.text, row.label.value) for row in data.examples] == [
        ("Fena", "negative"),
        ("Harika", "positive"),
        ("Bayıldım", "positive"),
    ]
    assert (data.left_out, data.dataset.rows) == (2, 3)
    assert any(note.endswith("rows left out by the label map: 2") for note in data.notes)
    with pytest.raises(DataError, match="the label map leaves out all rows"):
        read_labelled(Source(path, label_map=dict.fromkeys(["0", "1", "?", "olumlu"])))


def test_integer_codes_that_come_as_floats_match_the_map(tmp_path: Path) -> None:
    path = tmp_path / "veri.parquet"
    pd.DataFrame({"text": ["iyi", "boş", "kötü"], "label": [1.0, None, 0.0]}).to_parquet(path)
    part = read_labelled(Source(path, label_map=parse_label_map("0=negative,1=positive")))
    assert [row.label.value for row in part.examples] == ["positive", "negative"]
