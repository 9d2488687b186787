"""Takes off what a text wears to be read otherwise by a model than by people.

Invisible characters, marks piled upon letters, letters of another font or alphabet and endless runs
of a sign: without them people read the same words.
"""

import re
import unicodedata

# What Unicode calls default ignorable beside its format characters, two blanks that count as a
# letter or an emoji, and the one sign that NFC takes apart into a loose mark.
_UNSEEN = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff\u2adc"
)
COLOURED = "\ufe0f"
"""Asks for the coloured drawing of the sign before it: "❤️", "1️⃣"."""
_KEYCAP = "\u20e3"
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20e2\u20e4-\u20ff\ufe20-\ufe2f"
)
_STYLED = "\uff01-\uff5e\U0001d400-\U0001d7ff"
"""Full-width and mathematical letters, digits and signs."""
_FOREIGN = "\u0370-\u04ff"
"""Greek and Cyrillic."""
_LATIN = "A-Za-z\u00c0-\u024f"
_LONGEST_RUN = 16
"""Of the 19,341 rows that the shipped adapter learnt from and was measured on, one has more."""

_RUN = re.compile(rf"(\W{{1,8}}?)\1{{{_LONGEST_RUN},}}")
_HIDDEN = re.compile(f"[{_UNSEEN}]")
_MARKED = re.compile(f"([^{_MARKS}]?)([{_MARKS}]+)")
_OTHER_FONT = re.compile(f"[{_STYLED}]+")
_WORD = re.compile(r"\w+")
_BOTH = re.compile(f"[{_LATIN}][{_FOREIGN}]|[{_FOREIGN}][{_LATIN}]")
_SUSPECT = re.compile(f"[{_UNSEEN}{_MARKS}{_STYLED}{_FOREIGN}]")
_EACH = 4
_SUSPECT_RUN = re.compile(rf"\W{{{_LONGEST_RUN // _EACH}}}")
"""What a run leaves of each fourth character, which are quicker to search than all."""
_LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕԁһԛԝкмнтвАВЕЗКМНОРСТУХІЈЅԌѵαεοριυνκτχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhqwkmhtbABE3KMHOPCTYXIJSGvaeopiuvktxABEZHIKMNOPTYX",
)


def undisguised(text: str) -> str:
    """The text as people read it, in NFC; most come back as they are. Idempotent."""
    is_plain = not _SUSPECT.search(text) and not _SUSPECT_RUN.search(text[::_EACH])
    return unicodedata.normalize("NFC", text) if is_plain else _stripped(text)


def _stripped(text: str) -> str:
    text = _HIDDEN.sub(_seen, text)
    text = _OTHER_FONT.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = unicodedata.normalize("NFC", _MARKED.sub(_merged, text))
    text = _WORD.sub(_in_one_alphabet, text)
    return _RUN.sub(lambda found: found[1] * _LONGEST_RUN, text)


def _seen(found: re.Match[str]) -> str:
    """A character that shows only in how the one before it is drawn."""
    start, end = found.span()
    before, after = found.string[start - 1 : start], found.string[end : end + 1]
    is_drawing = found[0] == COLOURED and (after == _KEYCAP or is_sign(before))
    return found[0] if is_drawing else ""


def is_sign(char: str) -> bool:
    """Whether a character is seen and may be drawn as an emoji."""
    # Some notes of music are letters and marks once they are in NFC.
    is_seen = not _HIDDEN.match(char) and unicodedata.is_normalized("NFC", char)
    return (
        char > "\xa8"
        and is_seen
        and (char in "‼⁉〰" or unicodedata.category(char) in {"So", "Sm", "Sk"})
    )


def _in_one_alphabet(found: re.Match[str]) -> str:
    return found[0].translate(_LOOK_ALIKE) if _BOTH.search(found[0]) else found[0]


def _merged(found: re.Match[str]) -> str:
    """A letter with the marks that belong to it: those it has a character of its own with."""
    letter = unicodedata.normalize("NFC", found[0])
    return letter if len(letter) == 1 and letter.isalpha() else found[1]
