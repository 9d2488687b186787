"""Splits a message into what is read one by one: its lines, or the sentences of a long text.

Turkish ends sentences as English does, but writes ordinals with a full stop ("3. sezon"), and
light libraries know neither that nor the Turkish abbreviations: the rule is our own.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tweetsent.labels import LABELS, Scores
from tweetsent.text import clean, has_words

MAX_PARTS = 50
"""How many parts of a message are read."""

_LONGEST = 700
"""Characters that the model reads to their end: 256 tokens of all but capital letters."""
_THOUGHT_LINES = 3
_THOUGHT_LENGTH = 280
"""That of a tweet."""
_LIST_MARK = re.compile(
    r"[•·▪▫◦‣●○■□►▶➤→]\ufe0f?\s*"
    r"|[-–—*>](?:\s+|(?=[^\W\d_]))"
    r"|\(?\d{1,3}(?:[.)]|\s?-)\s*(?!\d)"
    r"|\d{1,2}\ufe0f?\u20e3\s*"
    r"|[a-zçğıöşü]\)\s+"
)
# What stands behind the mark without a word (a quote, an emoji) ends the sentence too. Possessive
# and bounded, so that a text of nothing but marks is no work.
_SENTENCE_END = re.compile(
    r"(?<![.!?…])(?P<mark>[.!?…]++)[^\w\s]{0,9}+(?:\s+[^\w\s]{1,9}(?=\s))*+\s+"
)
_ABBREVIATED = re.compile(
    r"\b(?:\d+|[IVX]+|\w|(?i:alb|apt|av|bkz|blv|cad|çev|doç|dr|hz|krş|ltd|mah|müh|no|örn|prof|sk|sn|"
    r"sok|şti|tel|tic|uzm|vb|vd|vs|yrd|yy))$"
)
"""A number, an initial or an abbreviation: a full stop behind it need not end a sentence."""
_LONGEST_ABBREVIATION = 12
"""Looked at before a full stop; a text of nothing but abbreviations is no work either."""


@dataclass(frozen=True, slots=True)
class Passages:
    """What is read of a message, all of it cleaned."""

    whole: str | None
    """The message itself, if it is one thought; None for a list or a long text."""
    parts: tuple[str, ...] = ()
    """Each with a word in it; none of a single line, else two to MAX_PARTS."""
    are_lines: bool = True
    """Whether the parts are lines, not sentences."""
    unread: int = 0
    """How many parts come behind these."""

    @property
    def texts(self) -> tuple[str, ...]:
        """What the model is to read: the whole message, if at all, and then the parts."""
        return self.parts if self.whole is None else (self.whole, *self.parts)

    @property
    def count(self) -> int:
        """How many parts the overall scores are made of."""
        return 1 if self.whole is not None else len(self.parts)

    def overall(self, scores: Sequence[Scores]) -> Scores:
        """The scores of the message, from those of `texts`.

        Those of the whole, else the mean of the parts, weighted by their lengths in characters.
        """
        if self.whole is not None:
            return scores[0]
        length = sum(map(len, self.parts))
        return Scores(
            *(
                sum(len(part) * one.of(label) for part, one in zip(self.parts, scores, strict=True))
                / length
                for label in LABELS
            )
        )


def split(text: str) -> Passages:
    """The parts of a raw text that has words; `clean` would flatten its lines.

    Bullets and numbers of a list are no part of its lines. What has no words of its own, such as
    a line of emoji, belongs to what stands before it. Two or three short lines are one thought:
    so the model learnt to read tweets, and it reads them better so.
    """
    whole = clean(text)
    lines = [line for line in map(clean, text.splitlines()) if line]
    bare = _without_marks(lines)
    pieces = [piece for line in bare for piece in _sentences(line)]
    parts = tuple(_with_words(pieces))
    if len(parts) < 2:
        return Passages(whole)
    if bare == lines and len(parts) <= _THOUGHT_LINES and len(whole) <= _THOUGHT_LENGTH:
        return Passages(whole, parts)
    return Passages(
        None,
        parts[:MAX_PARTS],
        are_lines=len(pieces) == len(lines),
        unread=max(0, len(parts) - MAX_PARTS),
    )


def _without_marks(lines: list[str]) -> list[str]:
    """The lines of a list without its marks; one such line is no list."""
    marks = [_LIST_MARK.match(line) for line in lines]
    if sum(mark is not None for mark in marks) < 2:
        return lines
    return [line[mark.end() :] if mark else line for line, mark in zip(lines, marks, strict=True)]


def _sentences(line: str) -> Iterator[str]:
    """A line that the model reads to its end, or its sentences; a longer one in pieces."""
    if len(line) <= _LONGEST:
        yield line
        return
    start = 0
    for end in _SENTENCE_END.finditer(line):
        before = max(start, end.start() - _LONGEST_ABBREVIATION)
        if end["mark"] != "." or not _ABBREVIATED.search(line, before, end.start()):
            yield from _wrap(line[start : end.end()])
            start = end.end()
    yield from _wrap(line[start:])


def _wrap(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, _LONGEST, break_on_hyphens=False)


def _with_words(pieces: list[str]) -> list[str]:
    """The pieces, those without words joined to the one before, or the first to the next."""
    parts: list[str] = []
    for piece in pieces:
        if parts and not (has_words(piece) and has_words(parts[-1])):
            parts[-1] = f"{parts[-1]} {piece}".strip()  # a list's line may be nothing but its mark
        else:
            parts.append(piece)
    return parts
