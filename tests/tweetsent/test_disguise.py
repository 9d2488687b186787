"""Disguised words read as the plain ones, and plain ones stay as they are."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sentences import SENTENCES
from tweetsent.disguise import undisguised
from tweetsent.text import clean

TEXTS = [row.text for row in SENTENCES]
SIGNS = ["❤️", "☹️ ‼️", "1️⃣ 2️⃣", "👩🏽\u200d🚀", "ﬁ ½ ™ ©️", "?!?!", "😂" * 16, "ﷺ", "中文", "й ё Ά"]
LETTERS = "harikaberbatAçğıöşüİÇ ."
PILE = "\u0300\u0301\u0316\u0336\u0489\u1ab0\u1dc0\u20dd\ufe20"


@pytest.mark.parametrize("text", [*TEXTS, *SIGNS, "Ελλάδα ve Москва", "résumé, piñata, Reykjavík"])
def test_plain_texts_stay(text: str) -> None:
    assert undisguised(text) == unicodedata.normalize("NFC", text)
    assert undisguised(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "unseen",
    ["\ufe0f", "\ufe0e", "\U000e0100", "\U000e0041", "\u3164", "\u115f", "\u034f", "\u2800"],
)
@pytest.mark.parametrize("text", TEXTS[::6])
def test_the_unseen_is_gone(text: str, unseen: str) -> None:
    assert clean(unseen.join(text)) == text
    assert clean(f"{text}{unseen * 4000}") == text


@given(st.text(LETTERS, min_size=1), st.text(PILE, min_size=3))
def test_a_pile_of_marks_leaves_the_letter(text: str, pile: str) -> None:
    assert clean("".join(char + pile for char in text)) == clean(text)


def test_a_mark_that_makes_a_letter_stays() -> None:
    assert undisguised("gu\u0308zel \u0130 I\u0307yi c\u0327ok") == "güzel İ İyi çok"
    assert undisguised("i\u0307yi h\u0336a\u0336") == "iyi ha"


@pytest.mark.parametrize(
    "text",
    [
        "𝐡𝐚𝐫𝐢𝐤𝐚 bir gün",
        "𝓱𝓪𝓻𝓲𝓴𝓪 bir gün",
        "ｈａｒｉｋａ bir gün",
        "hаrіkа bir gün",
        "hαriκα bir gün",
    ],
)
def test_letters_of_other_fonts_and_alphabets_are_read(text: str) -> None:
    assert undisguised(text) == "harika bir gün"


@pytest.mark.parametrize("sign", ["😂", "❤️", "👩🏽\u200d🚀", ". ", "?!", "🙂😡"])
def test_an_endless_run_ends(sign: str) -> None:
    assert undisguised(f"güzel {sign * 4000}son") == f"güzel {sign * 16}son"


@given(
    st.text(
        st.one_of(
            st.characters(exclude_categories=["Cs"]),
            st.sampled_from(PILE + "aıİ1😂.\u3164\ufe0f\u20e3\u2adcжеκ𝐡ｈ"),
        )
    ).map(lambda text: text * 18 if len(text) < 3 else text)
)
def test_nothing_is_left_to_take_off(text: str) -> None:
    assert undisguised(undisguised(text)) == undisguised(text)
    assert clean(clean(text)) == clean(text)
