import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tweetsent.labels import Scores
from tweetsent.passages import MAX_PARTS, Passages, split
from tweetsent.text import clean, has_words

FILLER = "Bu cümle yalnızca metni uzatmak için burada duruyor. " * 14


def sentences_of(text: str) -> list[str]:
    """The sentences of a text that is made long enough to be split."""
    passages = split(text + " " + FILLER)
    assert not passages.are_lines
    return [part for part in passages.parts if part not in FILLER]


@pytest.mark.parametrize("text", ["Harika bir gün 😍", "\n\n Harika \x00\n", "Harika\n😍 12\n@ali"])
def test_a_text_with_one_line_of_words_is_not_split(text: str) -> None:
    passages = split(text)
    assert passages == Passages(clean(text))
    assert passages.texts == (clean(text),)


def test_two_or_three_short_lines_are_one_thought() -> None:
    passages = split("Yemek güzeldi\n\n  ama servis yavaştı 😞\r\nyine de gelirim")
    assert passages.whole == "Yemek güzeldi ama servis yavaştı 😞 yine de gelirim"
    assert passages.parts == ("Yemek güzeldi", "ama servis yavaştı 😞", "yine de gelirim")
    assert passages.texts == (passages.whole, *passages.parts)
    assert passages.count == 1


@pytest.mark.parametrize(
    "text",
    [
        "bir\niki\nüç\ndört",
        "1. bir\n2. iki",
        f"{'uzun ' * 30}\n{'satır ' * 30}",
    ],
)
def test_more_or_longer_lines_and_lists_are_read_by_line_alone(text: str) -> None:
    passages = split(text)
    assert passages.whole is None
    assert passages.texts == passages.parts
    assert passages.count == len(text.splitlines())


@pytest.mark.parametrize(
    "mark", ["- ", "-", "* ", "• ", "•", "– ", "▪️ ", "1. ", "12) ", "(3) ", "4- ", "5️⃣ ", "a) "]
)
def test_the_marks_of_a_list_are_left_out(mark: str) -> None:
    assert split(f"Notlar\n{mark}yemek güzel\n{mark}servis kötü").parts == (
        "Notlar",
        "yemek güzel",
        "servis kötü",
    )


@pytest.mark.parametrize("line", ["-5 puan verdim", "3-4 kişi geldi", "1.5 saat bekledim"])
def test_numbers_are_no_marks(line: str) -> None:
    assert split(f"{line}\n{line}").parts == (line, line)


def test_one_mark_makes_no_list() -> None:
    assert split("2. sezon güzeldi\nama bitti").parts == ("2. sezon güzeldi", "ama bitti")


def test_lines_without_words_belong_to_the_one_before_or_the_first_to_the_next() -> None:
    assert split("🔥🔥\nbir\n😍\nhttps://t.co/x\niki\n12").parts == (
        "🔥🔥 bir 😍 https://t.co/x",
        "iki 12",
    )


def test_a_text_longer_than_the_model_reads_is_split_by_sentence() -> None:
    text = 'Film bitti! 😍 Çok güzeldi... "Yine gelelim." dedi. Sence nasıl? Bilmem'
    assert sentences_of(text) == [
        "Film bitti! 😍",
        "Çok güzeldi...",
        '"Yine gelelim."',
        "dedi.",
        "Sence nasıl?",
        f"Bilmem {FILLER.split('. ', maxsplit=1)[0]}.",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "Prof. Dr. Ayşe Hanım geldi.",
        "3. sezon 12. bölümde bitti.",
        "T.C. vatandaşı M. K. Paşa okudu.",
        "II. Abdülhamid dönemi vb. konular vardı.",
        "Yılmaz Ltd. Şti. kapandı.",
        "Adres 1,5 km ötede, www.x.com.tr sitesinde.",
    ],
)
def test_abbreviations_and_ordinals_end_no_sentence(sentence: str) -> None:
    assert sentences_of(sentence) == [sentence]


def test_a_long_line_among_others_is_split_too() -> None:
    passages = split(f"kısa satır\n{FILLER}")
    assert not passages.are_lines
    assert len(passages.parts) == 15


def test_a_long_text_without_a_full_stop_is_read_in_pieces() -> None:
    passages = split("çok güzel " * 400)
    assert " ".join(passages.parts) == clean("çok güzel " * 400)
    assert len(passages.parts) == 6


def test_of_many_parts_the_first_ones_are_read() -> None:
    passages = split("\n".join(f"satır {number}x" for number in range(87)))
    assert len(passages.parts) == MAX_PARTS
    assert passages.parts[-1] == "satır 49x"
    assert passages.unread == 37


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["!" * 4095 + "x", "!," * 2048, ". " * 2048, "a.\n" * 1365, "-" * 4096]
)
def test_nothing_takes_long(text: str) -> None:
    for _ in range(20):
        split(text)


@example("1.\na\n-a")
@given(st.lists(st.text('aç.!? \n-1)\t😍"', max_size=60), max_size=40).map(" çok ".join))
def test_no_word_is_lost_or_made_up(text: str) -> None:
    passages = split(text)
    letters = [char for char in clean(text) if char == "ç"]
    read = passages.parts or (clean(text),)
    if not passages.unread:
        assert [char for part in read for char in part if char == "ç"] == letters
    if passages.parts:
        assert all(has_words(part) and part == clean(part) for part in passages.parts)
        assert 2 <= len(passages.parts) <= MAX_PARTS


def test_the_scores_of_parts_are_weighted_by_their_lengths() -> None:
    passages = Passages(None, ("a" * 30, "b" * 10))
    overall = passages.overall([Scores(0.0, 0.2, 0.8), Scores(0.8, 0.2, 0.0)])
    assert overall.as_dict() == pytest.approx({"negative": 0.2, "neutral": 0.2, "positive": 0.6})


def test_the_scores_of_one_thought_are_those_of_the_whole() -> None:
    whole, one, two = Scores(0.1, 0.2, 0.7), Scores(0.7, 0.2, 0.1), Scores(0.6, 0.3, 0.1)
    assert split("bir\niki").overall([whole, one, two]) == whole
    assert split("bir").overall([whole]) == whole


@pytest.mark.parametrize("text", ["a. ", "1. ", "a.", "Dr. ", "?! ", ". . x", "- ", "😂. "])
def test_a_text_of_nothing_but_marks_is_soon_read(text: str) -> None:
    # Where the work grew with the square of the length, this took many minutes.
    assert split(text * 30_000).texts
