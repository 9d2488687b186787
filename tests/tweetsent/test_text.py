import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweetsent.text import clean, fold, has_words, mask, tr_lower

LOWER = "abcçdefgğhıijklmnoöprsştuüvyz"
UPPER = "ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ"
# st.text() alone makes no lone surrogates and seldom an emoji, a joiner or an accent.
ANY_TEXT = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Cc", "Cf"]),
        st.sampled_from("😀👨👩👧🏽\u200d\ufe0f\u0307\u0301iıIİ \n\x00\x1f\u200b"),
    )
)


@pytest.mark.parametrize(
    ("text", "lower"),
    [("TARAFSIZ", "tarafsız"), ("İYİ", "iyi"), ("I\u0307YI\u0307", "iyi"), (UPPER, LOWER)],
)
def test_lower_case_is_turkish(text: str, lower: str) -> None:
    assert tr_lower(text) == lower


@given(st.text(LOWER))
def test_lower_undoes_turkish_upper(word: str) -> None:
    assert tr_lower(word.replace("i", "İ").replace("ı", "I").upper()) == word


@given(ANY_TEXT)
def test_lower_is_idempotent(text: str) -> None:
    assert tr_lower(tr_lower(text)) == tr_lower(text)


@given(st.text(LOWER + UPPER))
def test_fold_leaves_ascii_and_ignores_case_and_composition(word: str) -> None:
    assert fold(word).isascii()
    assert fold(word) == fold(tr_lower(word)) == fold(unicodedata.normalize("NFD", word))


@given(ANY_TEXT)
def test_clean_is_idempotent(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(ANY_TEXT)
def test_clean_gives_one_line_that_any_database_takes(text: str) -> None:
    cleaned = clean(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned == " ".join(cleaned.split())
    unwanted = {c for c in cleaned if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"}}
    assert unwanted <= {"\u200d"}
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  çok\n\tgüzel \u00a0 film ", "çok güzel film"),
        ("gu\u0308zel", "güzel"),
        ("gü\u200bzel\ufeff", "güzel"),
        ("u\u200b\u0308", "ü"),
        ("a\x00b", "ab"),
        ("\ud83d", "?"),
        ("aile 👨\u200d👩\u200d👧!", "aile 👨\u200d👩\u200d👧!"),
        ("👩🏽\u200d🚀", "👩🏽\u200d🚀"),
        ("a\u200db", "ab"),
        ("😀\u200d", "😀"),
        ("\u2066sağ\u2069 sol\u202e", "sağ sol"),
        ("½ kilo", "½ kilo"),
        ("", ""),
    ],
)
def test_clean_examples(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_mask_hides_links_and_mentions_only() -> None:
    text = "@ayşe_1 bak https://t.co/x?y=1 ve www.ornek.com #güzel ali@ornek.com"
    assert mask(text) == "@user bak http ve http #güzel ali@ornek.com"


@pytest.mark.parametrize("text", ["güzel", "İ", "😊 ok", "@ali güzel", "a1"])
def test_texts_with_words(text: str) -> None:
    assert has_words(text)


@pytest.mark.parametrize(
    "text", ["", "😊👍🏽", "12:30 !?", "@ali", "https://t.co/abc", "www.x.com 5"]
)
def test_texts_without_words(text: str) -> None:
    assert not has_words(text)


def test_emoji_newer_than_this_python_are_kept() -> None:
    # U+1FAE9 came with Unicode 16, which Python 3.11 to 3.13 do not know.
    assert clean("seni seviyorum \U0001fae9") == "seni seviyorum \U0001fae9"
