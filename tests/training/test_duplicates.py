from training.data import Example
from training.duplicates import resolve_duplicates, text_key
from tweetsent.labels import LABELS

NEGATIVE, NEUTRAL, POSITIVE = LABELS


def test_spellings_of_one_text_count_once_and_the_first_stays() -> None:
    rows = [
        Example("Bu IŞIK çok güzel!", POSITIVE),
        Example("Yağmur yağıyor", NEUTRAL),
        Example("bu ışık ÇOK guzel...", POSITIVE),
        Example("BU ISIK COK GUZEL", POSITIVE),
    ]
    assert resolve_duplicates(rows) == (rows[:2], 2, 0)


def test_a_text_with_two_labels_goes_in_all_its_rows() -> None:
    rows = [
        Example("Maç bitti", NEUTRAL),
        Example("İdare eder", NEUTRAL),
        Example("maç bitti.", NEGATIVE),
        Example("MAÇ BİTTİ", NEUTRAL),
        Example("idare eder!", NEUTRAL),
    ]
    kept, duplicates, conflicting = resolve_duplicates(rows)
    assert kept == [rows[1]]
    assert (duplicates, conflicting) == (1, 3)
    assert len(kept) + duplicates + conflicting == len(rows)


def test_texts_without_letters_are_compared_as_they_are() -> None:
    rows = [Example("😊", POSITIVE), Example("😡", NEGATIVE), Example("😊", POSITIVE)]
    assert resolve_duplicates(rows) == (rows[:2], 1, 0)


def test_a_key_forgets_case_accents_and_punctuation_but_no_word() -> None:
    assert text_key("İyi, GÜZEL ışık?") == text_key("iyi guzel isik") == "iyiguzelisik"
    assert text_key("iyi değil") != text_key("iyi")
