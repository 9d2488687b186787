from collections.abc import Callable

import pytest

from tests.sentences import SENTENCES
from tweetsent.language import is_foreign
from tweetsent.text import fold

FOREIGN = [
    "The food was great but the service was really slow tonight.",
    "Worst customer support ever, I will never buy from them again",
    "Das Essen war leider kalt und der Kellner unfreundlich.",
    "Le repas était délicieux mais le service trop lent.",
    "هذا المطعم رائع جدا والطعام لذيذ",
    "Это был очень хороший день, спасибо всем",
    "Привет, как дела?",
    "今日はとても楽しかったです",
    "سلام، حال شما خوب است",
    "Bu gün hava çox gözəldir, parka getmək istəyirəm.",
    "Xidmət çox pis idi, bir daha ora getməyəcəyəm",
    "Xwarin pir xweş bû lê xizmet ne baş bû",
    "Ez naxwazim biçim dibistanê ji ber ku ez nexweş im",
]
BRANDS = [
    "Netflix ve Spotify Premium bu ay yine zam yapmış",
    "Samsung Galaxy Watch mı Apple Watch Ultra mı almalıyım",
    "Microsoft Office Word Excel PowerPoint hepsi cokuyor",
    "Burger King Whopper menu cok pahali olmus ya",
    "The Lord of the Rings The Return of the King efsane film",
    "Call of Duty Modern Warfare oynayan var mi",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_other_languages_are_foreign(text: str) -> None:
    assert is_foreign(text)
    assert is_foreign(f"@birisi {text} 😊 https://t.co/abc")


@pytest.mark.parametrize("text", BRANDS)
def test_foreign_names_make_no_turkish_text_foreign(text: str) -> None:
    assert not is_foreign(text)


@pytest.mark.parametrize("change", [str, fold, str.upper, str.lower])
def test_turkish_is_not_foreign_however_it_is_typed(change: Callable[[str], str]) -> None:
    assert [one.text for one in SENTENCES if is_foreign(change(one.text))] == []


@pytest.mark.parametrize(
    "text", ["", "hello my friend", "I love you 😍 12 !!!", "@the @best @of @all"]
)
def test_short_texts_are_not_judged(text: str) -> None:
    assert not is_foreign(text)
