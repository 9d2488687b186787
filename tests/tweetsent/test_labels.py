import unicodedata

import pytest

from tweetsent.errors import UnknownLabelError
from tweetsent.labels import LABELS, Label, Scores, closest_label, parse_label

SPELLINGS = {
    Label.NEGATIVE: ["olumsuz", "negatif", "negative", "neg", "kötü"],
    Label.NEUTRAL: ["tarafsız", "nötr", "nötür", "neutral", "yansız"],
    Label.POSITIVE: ["olumlu", "pozitif", "positive", "poz", "iyi"],
}
SIGNS = {
    Label.NEGATIVE: ["-", "–", "−", "👎", "👎🏿", "😞", "😡", "☹️", "☹", ":(", "-1"],
    Label.NEUTRAL: ["=", "😐", "😶", ":|"],
    Label.POSITIVE: ["+", "👍", "👍🏽", "😊", "❤️", "❤", "🤩", ":)", "+1"],
}
WORDS = [(word, label) for label, words in SPELLINGS.items() for word in words]


def turkish_upper(word: str) -> str:
    return word.replace("i", "İ").replace("ı", "I").upper()


def ascii_only(word: str) -> str:
    return word.translate(str.maketrans("çğıöşü", "cgiosu"))


@pytest.mark.parametrize(("word", "label"), WORDS)
def test_a_word_is_understood_however_it_is_typed(word: str, label: Label) -> None:
    forms = {
        word,
        word.capitalize(),
        turkish_upper(word),
        word.upper(),
        ascii_only(word),
        ascii_only(word).upper(),
        unicodedata.normalize("NFD", word),
        unicodedata.normalize("NFD", turkish_upper(word)),
        f"  {word}. ",
        f'"{word}"!',
    }
    assert {form: parse_label(form) for form in forms} == dict.fromkeys(forms, label)


@pytest.mark.parametrize(
    ("sign", "label"), [(sign, label) for label, signs in SIGNS.items() for sign in signs]
)
def test_signs_and_emoji_name_labels(sign: str, label: Label) -> None:
    assert parse_label(sign) is label


@pytest.mark.parametrize("label", LABELS)
def test_what_a_label_is_shown_as_is_understood(label: Label) -> None:
    assert parse_label(label.turkish) is parse_label(label.emoji) is parse_label(label) is label


@pytest.mark.parametrize("label", LABELS)
def test_a_word_and_a_sign_that_agree_are_understood(label: Label) -> None:
    word, emoji = label.turkish, label.emoji
    forms = [f"{word} {emoji}", f"{emoji} {word}", f"{word}{emoji}", f"{word}: {emoji}"]
    for text in forms:
        assert parse_label(text) is label


def test_the_dot_that_some_programs_leave_on_a_small_i_is_no_letter() -> None:
    assert parse_label("i\u0307yi") is Label.POSITIVE


@pytest.mark.parametrize(
    "text",
    ["", "  ", ".", ":", "belki", "olumlu olumsuz", "1", "++", "Olumlu 😞", "iyi belki", "😊 😞"],
)
def test_other_words_are_refused_and_quoted(text: str) -> None:
    with pytest.raises(UnknownLabelError) as caught:
        parse_label(text)
    assert repr(text) in str(caught.value)


def test_order_and_names() -> None:
    assert [label.value for label in LABELS] == ["negative", "neutral", "positive"]
    assert [label.turkish for label in LABELS] == ["Olumsuz", "Tarafsız", "Olumlu"]


def test_scores_name_their_best_label() -> None:
    scores = Scores(negative=0.2, neutral=0.5, positive=0.3)
    assert (scores.label, scores.confidence) == (Label.NEUTRAL, 0.5)
    assert list(scores.as_dict().items()) == [
        ("negative", 0.2),
        ("neutral", 0.5),
        ("positive", 0.3),
    ]


def test_a_tie_goes_to_the_first_label() -> None:
    assert Scores(0.2, 0.4, 0.4).label is Label.NEUTRAL


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("olumlı", Label.POSITIVE),
        ("OLMULU", Label.POSITIVE),
        ("olumsu", Label.NEGATIVE),
        ("negatiff!", Label.NEGATIVE),
        ("TARAFSİ", Label.NEUTRAL),
        ("nötral", Label.NEUTRAL),
        ("iyii", Label.POSITIVE),
    ],
)
def test_a_slip_comes_near_to_a_label(word: str, label: Label) -> None:
    assert closest_label(word) is label


@pytest.mark.parametrize("word", ["", "++", "😀", "normal", "muhteşem", "bence olumlu", "x" * 4096])
def test_other_words_come_near_to_none(word: str) -> None:
    assert closest_label(word) is None
