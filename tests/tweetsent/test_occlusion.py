"""What each word does for a label, by leaving it out."""

import pytest

from tweetsent.labels import Label, Scores
from tweetsent.occlusion import MOST_WORDS, effects, occluded, to_score

GOOD, PLAIN = Scores(0.1, 0.1, 0.8), Scores(0.2, 0.5, 0.3)


def test_each_word_is_left_out_once() -> None:
    assert occluded("çok iyi film") == ["iyi film", "çok film", "çok iyi"]


def test_a_word_that_decides_has_the_largest_effect() -> None:
    scores = {"iyi film": GOOD, "film": PLAIN, "iyi": Scores(0.05, 0.05, 0.9)}
    label, found = effects("iyi film", scores)
    assert label is Label.POSITIVE
    assert [effect.word for effect in found] == ["iyi", "film"]
    assert [effect.change for effect in found] == pytest.approx([0.5, -0.1])


def test_without_its_only_word_nothing_is_known_of_a_text() -> None:
    assert to_score("iyi 😊") == ["iyi 😊", "iyi"]
    _, found = effects("iyi 😊", {"iyi 😊": GOOD, "iyi": GOOD})
    assert [effect.change for effect in found] == pytest.approx([0.8 - 1 / 3, 0.0])


def test_what_comes_after_the_first_words_is_not_looked_at() -> None:
    text = " ".join(f"söz{number}" for number in range(MOST_WORDS + 2))
    assert len(to_score(text)) == MOST_WORDS + 1
    _, found = effects(text, dict.fromkeys(to_score(text), PLAIN))
    assert [effect.change for effect in found] == [0.0] * MOST_WORDS + [None, None]
