"""What counts as one text, and as nearly one."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sentences import SENTENCES
from training.data import Example
from training.duplicates import Conflict, near_duplicate_groups, resolve_duplicates, text_key
from tweetsent.labels import LABELS, Label

NEGATIVE, NEUTRAL, POSITIVE = LABELS


def partition(texts: list[str]) -> set[frozenset[str]]:
    """The grouping without its numbers."""
    groups = near_duplicate_groups(texts)
    return {
        frozenset(t for t, g in zip(texts, groups, strict=True) if g == number)
        for number in set(groups)
    }


def together(*texts: str) -> bool:
    return len(set(near_duplicate_groups(list(texts)))) == 1


def test_spellings_of_one_text_count_once_and_the_first_stays() -> None:
    rows = [
        Example("Bu IŞIK çok güzel!", POSITIVE),
        Example("Yağmur yağıyor", NEUTRAL),
        Example("bu ışık ÇOK guzel...", POSITIVE),
        Example("BU ISIK COK GUZEL", POSITIVE),
    ]
    resolved = resolve_duplicates(rows)
    assert resolved.kept == rows[:2]
    assert resolved.duplicates == rows[2:]
    assert resolved.conflicting == []
    assert resolved.conflicts == []


def test_a_strict_majority_decides_and_its_first_row_stays() -> None:
    rows = [
        Example("Güzel film", NEGATIVE),
        Example("güzel film!", POSITIVE),
        Example("GÜZEL FİLM", POSITIVE),
        Example("guzel film", POSITIVE),
    ]
    resolved = resolve_duplicates(rows)
    assert resolved.kept == [rows[1]]
    assert resolved.duplicates == rows[2:]
    assert resolved.conflicting == [rows[0]]
    assert resolved.conflicts == [Conflict("Güzel film", {NEGATIVE: 1, POSITIVE: 3})]
    assert resolved.conflicts[0].majority is POSITIVE


@pytest.mark.parametrize(
    "labels",
    [
        [NEGATIVE, POSITIVE],
        [POSITIVE, NEGATIVE, POSITIVE, NEGATIVE],
        [NEUTRAL, NEUTRAL, NEGATIVE, POSITIVE],  # the most, but not more than half
        [NEGATIVE, NEUTRAL, POSITIVE],
    ],
)
def test_without_a_strict_majority_a_text_goes_in_all_its_rows(labels: list[Label]) -> None:
    other = Example("İdare eder", NEUTRAL)
    rows = [Example("Maç bitti" + "." * n, label) for n, label in enumerate(labels)]
    resolved = resolve_duplicates([*rows, other])
    assert resolved.kept == [other]
    assert resolved.duplicates == []
    assert resolved.conflicting == rows
    assert [conflict.majority for conflict in resolved.conflicts] == [None]
    assert sum(resolved.conflicts[0].counts.values()) == len(rows)


def test_texts_without_letters_are_compared_as_they_are() -> None:
    rows = [Example("😊", POSITIVE), Example("😡", NEGATIVE), Example("😊", POSITIVE)]
    assert resolve_duplicates(rows).kept == rows[:2]
    assert near_duplicate_groups([row.text for row in rows]) == [0, 1, 0]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(LABELS)), max_size=30))
def test_every_row_is_accounted_for_and_no_text_stays_twice(pairs: list[tuple[str, Label]]) -> None:
    rows = [Example(text, label, str(n)) for n, (text, label) in enumerate(pairs)]
    resolved = resolve_duplicates(rows)
    everything = [*resolved.kept, *resolved.duplicates, *resolved.conflicting]
    assert sorted(everything, key=lambda row: int(row.source)) == rows
    assert len({row.text for row in resolved.kept}) == len(resolved.kept)


def test_a_key_forgets_case_accents_and_punctuation_but_no_word() -> None:
    assert text_key("İyi, GÜZEL ışık?") == text_key("iyi guzel isik") == "iyiguzelisik"
    assert text_key("iyi değil") != text_key("iyi")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Otelin konumu şehir merkezine yakındı ancak otopark sorunu yaşanabiliyordu.",
            "Otelin konumu şehir merkezine yakındı ancak otopark sorunu vardı.",
        ),
        (
            "Trafikte hız sınırına uymak sürücülerin gündeminde görünmüyor.",
            "TRAFIKTE HIZ LIMITLERINE UYMAK SURUCULERIN GUNDEMINDE GORUNMUYOR",
        ),
        ("Firma sipariş ettiğiniz ürünü göndermiyor", "Şirket sipariş ettiğiniz ürünü göndermiyor"),
        ("Bu sabah yine geç kaldım https://t.co/abc1", "bu sabah yine gec kaldim https://t.co/Zz9"),
        ("@ayse bu sabah yine geç kaldım", "bu sabah yine geç kaldım @mehmet_can"),
    ],
)
def test_one_changed_word_link_or_mention_makes_a_near_copy(one: str, other: str) -> None:
    assert together(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kokusu çok güzel ama beklediğimden küçük geldi.", "Kargom adrese teslim edilmedi"),
        ("Chp'nin 2023 adayı Kemal Kılıçdaroğlu.", "Kemal Kılıçdaroğlu mükemmel konuşuyor şu an!"),
        ("@musteri_hizmetleri_destek çok kötü", "@musteri_hizmetleri_destek teşekkürler"),
        ("https://t.co/abcdefgh harika", "https://t.co/abcdefgh berbat"),
        ("iyi", "kötü"),
    ],
)
def test_different_texts_are_in_different_groups(one: str, other: str) -> None:
    assert not together(one, other)


def test_ordinary_sentences_are_each_on_their_own() -> None:
    texts = [row.text for row in SENTENCES]
    assert near_duplicate_groups(texts) == list(range(len(texts)))


def test_texts_that_open_alike_are_near_copies_however_they_go_on() -> None:
    opening = "Bugün size anlatacağım hikâye kırk harften uzun bir "
    ends = ["girişle başlıyor ve sonra bambaşka yerlere gidiyor, " * 3, "cümle. Peki ya siz? " * 4]
    assert together(opening + ends[0], opening.upper().replace("I", "İ") + ends[1])
    assert not together(opening[:20] + ends[0], opening[:20] + ends[1])


def test_a_chain_of_near_copies_is_one_group() -> None:
    old = "kargo geldi ama kutunun kenarı ezilmiş paketleme özensiz satıcı cevap vermiyor"
    new = "sipariş ulaştı fakat paketin köşesi yırtıktı ambalaj kötüydü mağaza yanıt yazmıyor"
    words, others = old.split(), new.split()
    chain = [" ".join([*others[:n], *words[n:]]) for n in range(len(words) + 1)]
    assert not together(chain[0], chain[-1])
    assert together(*chain)


def test_spellings_stay_together_where_one_reads_as_a_mention() -> None:
    assert text_key("@ayse geldi") == text_key("ayse geldi")
    assert together("@ayse geldi", "ayse geldi")


def test_groups_are_numbered_by_first_appearance_and_do_not_depend_on_the_order() -> None:
    texts = [f"{day} günü {row.text}" for row in SENTENCES for day in ("Salı", "Çarşamba", "Pazar")]
    groups = near_duplicate_groups(texts)
    assert groups == sorted(groups)
    assert groups == near_duplicate_groups(texts)
    shuffled = texts.copy()
    random.Random(3).shuffle(shuffled)
    assert partition(shuffled) == partition(texts)
    assert len(partition(texts)) == len(SENTENCES)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=12))
def test_any_texts_get_a_group_that_depends_on_nothing_but_the_texts(texts: list[str]) -> None:
    groups = near_duplicate_groups(texts)
    assert len(groups) == len(texts)
    assert list(dict.fromkeys(groups)) == list(range(len(set(groups))))
    assert partition(texts[::-1]) == partition(texts)


@pytest.mark.timeout(60)
def test_thousands_made_from_one_template_take_seconds() -> None:
    texts = [f"{n} numaralı hisse bugün yükseldi, yatırımcı mutlu oldu" for n in range(10_000)]
    assert set(near_duplicate_groups(texts)) == {0}
