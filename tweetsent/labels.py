"""The three labels, their Turkish names, and every spelling a user may type for them."""

import re
from dataclasses import dataclass
from enum import StrEnum

from tweetsent.errors import UnknownLabelError
from tweetsent.text import fold


class Label(StrEnum):
    """A sentiment; the order of the members is the order of every score vector and matrix."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"

    @property
    def turkish(self) -> str:
        """The name shown to users."""
        return _TURKISH[self]

    @property
    def emoji(self) -> str:
        """The face shown to users."""
        return _EMOJI[self]


LABELS: tuple[Label, ...] = tuple(Label)

_TURKISH = {Label.NEGATIVE: "Olumsuz", Label.NEUTRAL: "Tarafsız", Label.POSITIVE: "Olumlu"}
_EMOJI = {Label.NEGATIVE: "😞", Label.NEUTRAL: "😐", Label.POSITIVE: "😊"}

_SPELLINGS = {
    Label.NEGATIVE: "negative negatif neg olumsuz kotu - -1 – − :( 👎 😞 😠 😡 😢 😭 ☹ 🙁 😟 😔",
    Label.NEUTRAL: "neutral tarafsiz notr notur yansiz = :| 😐 😶 😑",
    Label.POSITIVE: "positive pozitif poz olumlu iyi + +1 :) 🤩 👍 😊 🙂 😀 😃 😄 😁 😍 🥰 ❤",
}
_BY_SPELLING = {word: label for label, words in _SPELLINGS.items() for word in words.split()}


# U+FE0F only asks for the coloured drawing of the emoji before it, U+1F3FB to U+1F3FF tone its
# skin, and U+0307 is the dot of a small "i" that some programs make of "İ".
_DRAWING = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff\u0307]")
_WORD = re.compile(r"[^\W\d_]+")
_AROUND = " \t\n.!,;\"'"


def parse_label(text: str) -> Label:
    """The label that a word, sign or emoji names, or a word and a sign that agree.

    Raises UnknownLabelError when it names none.
    """
    folded = _DRAWING.sub("", fold(text))
    names = _WORD.findall(folded)
    sign = _WORD.sub(" ", folded).strip(_AROUND)
    # A colon is part of a face, or else punctuation.
    if sign not in _BY_SPELLING:
        sign = sign.strip(f":{_AROUND}")
    if sign:
        names.append(sign)
    labels = {_BY_SPELLING.get(name) for name in names}
    label = labels.pop() if len(labels) == 1 else None
    if label is None:
        raise UnknownLabelError(f"{text!r} names no label: use negative, neutral or positive")
    return label


@dataclass(frozen=True, slots=True)
class Scores:
    """Calibrated probabilities of the three labels; they add up to 1."""

    negative: float
    neutral: float
    positive: float

    @property
    def label(self) -> Label:
        """The most probable label; the first in label order on a tie."""
        return max(LABELS, key=self.of)

    @property
    def confidence(self) -> float:
        """The probability of the most probable label."""
        return self.of(self.label)

    def of(self, label: Label) -> float:
        """The probability of one label."""
        return float(getattr(self, label.value))

    def as_dict(self) -> dict[str, float]:
        """The scores by label name, in label order."""
        return {label.value: self.of(label) for label in LABELS}
