import random
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.augment import augment
from tweetsent.text import MENTION, URL, clean, mask, tr_lower

LINKED = "Şu @ayşe_gül videosu çok güzel: https://örnek.com/İzle?q=Çay bakın"
LINKS = ["@ayşe_gül", "https://örnek.com/İzle?q=Çay"]

words = st.text(alphabet="abcçdeğıijöşüzABCÇDİIÖŞÜZ'!.,?😊 0159", min_size=1, max_size=40)
links = st.sampled_from(["@Ali_Çelik", "https://t.co/AbÇdİ", "www.örnek.com/IşıK"])
texts = st.lists(words | links, min_size=1, max_size=5).map(" ".join).map(clean).filter(bool)


class Choosing(random.Random):
    """Makes `augment` take the rewriting of this name; draws the rest from the seed."""

    def __init__(self, name: str, seed: int = 0) -> None:
        super().__init__(seed)
        self._name = name

    def choice(self, seq):  # type: ignore[no-untyped-def]
        named = [item for item in seq if getattr(item, "__name__", "") == self._name]
        return named[0] if named else super().choice(seq)


def rewrite(name: str, text: str, seed: int = 0) -> str:
    return augment(text, Choosing(name, seed))


@given(texts, st.integers(0, 1000))
def test_no_text_becomes_empty(text: str, seed: int) -> None:
    assert clean(augment(text, random.Random(seed)))


@given(texts, st.integers(0, 1000))
def test_the_same_seed_rewrites_alike(text: str, seed: int) -> None:
    assert augment(text, random.Random(seed)) == augment(text, random.Random(seed))


def test_all_four_rewritings_turn_up() -> None:
    rng = random.Random(1)
    seen = {augment("Çok güzel İŞ, 5 puan!", rng) for _ in range(100)}
    assert "Cok guzel IS, 5 puan!" in seen
    assert "çok güzel iş puan" in seen
    assert "ÇOK GÜZEL İŞ, 5 PUAN!" in seen
    assert len(seen) > 6  # and slips of several kinds


def test_capitals_are_turkish() -> None:
    assert rewrite("_shout", "ılık iyi ışık İçin") == "ILIK İYİ IŞIK İÇİN"


def test_small_letters_are_turkish() -> None:
    assert rewrite("_bare", "ILIK İYİ IŞIK!") == "ılık iyi ışık"


def test_ascii_keeps_case_and_everything_that_is_no_turkish_letter() -> None:
    assert rewrite("_ascii", "Işık ÇÖĞÜŞİ, 5 €!") == "Isik COGUSI, 5 €!"


@given(texts)
def test_capitals_read_back_as_the_same_words(text: str) -> None:
    assert tr_lower(rewrite("_shout", text)) == tr_lower(text)


@given(texts)
def test_bare_texts_have_no_capitals_digits_or_punctuation(text: str) -> None:
    bare = rewrite("_bare", text)
    assert bare == text or not re.search(rf"[{re.escape(string.punctuation)}\dA-ZÇĞİÖŞÜ😊]", bare)


def test_a_text_of_nothing_but_signs_stays() -> None:
    assert rewrite("_bare", "10/10 😊!!!") == "10/10 😊!!!"


@pytest.mark.parametrize("name", ["_ascii", "_shout"])
def test_links_and_mentions_stay_while_the_words_around_them_change(name: str) -> None:
    rewritten = rewrite(name, LINKED)
    assert all(link in rewritten for link in LINKS)
    assert "güzel" not in rewritten


@pytest.mark.parametrize("seed", range(30))
def test_a_slip_never_hits_a_link(seed: int) -> None:
    slipped = rewrite("_slip", LINKED, seed)
    assert all(link in slipped for link in LINKS)
    assert slipped != LINKED


@pytest.mark.parametrize("name", ["_ascii", "_shout", "_slip"])
@given(text=texts, seed=st.integers(0, 100))
def test_the_model_sees_as_many_links_and_mentions_as_before(
    name: str, text: str, seed: int
) -> None:
    found = (len(URL.findall(text)), len(MENTION.findall(text)))
    rewritten = rewrite(name, text, seed)
    assert (len(URL.findall(rewritten)), len(MENTION.findall(rewritten))) == found


def test_bare_leaves_links_and_mentions_out() -> None:
    assert rewrite("_bare", LINKED) == "şu videosu çok güzel bakın"
    assert mask(rewrite("_bare", "@ali")) == "@user"  # the text is nothing else


@given(st.text(alphabet=string.ascii_lowercase, min_size=4, max_size=12), st.integers(0, 1000))
def test_a_slip_drops_a_letter_or_swaps_two_inside_a_word(word: str, seed: int) -> None:
    slipped = rewrite("_slip", word, seed)
    dropped = {word[:at] + word[at + 1 :] for at in range(1, len(word) - 1)}
    swapped = {
        word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)
    }
    assert slipped in dropped | swapped


def test_short_words_do_not_slip() -> None:
    assert rewrite("_slip", "bu ne ya") == "bu ne ya"
