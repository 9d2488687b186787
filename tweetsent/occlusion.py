"""Which words moved a score: what becomes of it without each of them.

Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901), of words as in "Understanding Neural Networks
through Representation Erasure" (Li et al. 2016, arXiv:1612.08220). It asks the model itself and
needs no gradients, so it tells of any model that serves. Knows nothing of what scores the texts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tweetsent.labels import LABELS, Label, Scores
from tweetsent.text import has_words

MOST_WORDS = 60
"""How many words of a text are looked at, the first ones: each costs one text to score."""
_NOTHING = Scores(*(1 / len(LABELS) for _ in LABELS))
"""What is known of a text without words."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A word of a text and how much of its label's probability goes without it."""

    word: str
    change: float | None
    """-1 to 1, above 0 for a word that speaks for the label; None where it was not looked at."""


def occluded(text: str) -> list[str]:
    """The cleaned text without its first word, without its second, and so on."""
    words = text.split()
    return [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))][
        :MOST_WORDS
    ]


def to_score(text: str) -> list[str]:
    """All that `effects` needs the scores of."""
    return [text, *(rest for rest in occluded(text) if has_words(rest))]


def effects(text: str, scores: Mapping[str, Scores]) -> tuple[Label, list[Effect]]:
    """The label of the whole cleaned text, and each of its words with what it does for that."""
    label = scores[text].label
    whole = scores[text].of(label)
    changes = [whole - scores.get(rest, _NOTHING).of(label) for rest in occluded(text)]
    words = text.split()
    unseen = [None] * (len(words) - len(changes))
    return label, [
        Effect(word, change) for word, change in zip(words, [*changes, *unseen], strict=True)
    ]
