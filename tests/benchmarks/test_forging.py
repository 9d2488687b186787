"""What benchmarks/forging.py adds to a text: what says nothing is not there for the model."""

import re

import pytest

from benchmarks.forging import RUNS, SENTENCES, SIGNS, overall
from tests.sentences import SENTENCES as OTHERS
from tweetsent.classifier import Classifier
from tweetsent.labels import Label
from tweetsent.passages import split

WORD = re.compile(r"\w+")
TEXTS = [*SENTENCES, *(row.text for row in OTHERS)]


def test_two_hundred_sentences_of_all_kinds_are_forged() -> None:
    assert len(set(SENTENCES)) == len(SENTENCES) == 204


@pytest.mark.parametrize("name", SIGNS)
def test_what_people_do_not_read_the_model_does_not_either(name: str) -> None:
    for text in TEXTS:
        forged = SIGNS[name](text, Label.POSITIVE)
        if name.startswith("Cyrillic"):
            # Of a word of nothing but look-alikes, such as "o", nobody knows the alphabet.
            changed = set(WORD.findall(split(forged).texts[0])) - set(WORD.findall(text))
            assert all(len(word) <= 2 for word in changed)
            continue
        assert forged != text or name.startswith(("math", "full"))
        assert split(forged) == split(text)


def test_endless_runs_stay_short_and_read_alike(embedded_classifier: Classifier) -> None:
    texts = SENTENCES[::41]
    endless = [RUNS["dots up to 4,096 characters"](text, Label.POSITIVE) for text in texts]
    assert all(len(split(text).texts[0]) <= len(texts[0]) + 60 for text in endless)

    plain, forged = (overall(embedded_classifier, group, {}) for group in (texts, endless))

    assert [scores.label for scores in forged] == [scores.label for scores in plain]
