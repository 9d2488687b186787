"""Rewrites a training text the way Turkish users also type it, so that spelling decides nothing."""

import random
import re

from tweetsent.text import MENTION, URL, tr_lower

_ASCII = str.maketrans("çğıöşüÇĞİÖŞÜ", "cgiosuCGIOSU")
_UPPER = str.maketrans("iı", "İI")


def augment(text: str, rng: random.Random) -> str:
    """One of four rewritings, links and mentions untouched: ASCII letters, lower case without
    punctuation, all capitals, or a keyboard slip."""
    return rng.choice([_ascii, _bare, _shout, _slip])(text, rng)


def _ascii(text: str, _: random.Random) -> str:
    return text.translate(_ASCII)


def _bare(text: str, _: random.Random) -> str:
    words = URL.sub(" ", MENTION.sub(" ", text))
    return " ".join(re.sub(r"[^\w\s]|\d", " ", tr_lower(words)).split()) or text


def _shout(text: str, _: random.Random) -> str:
    return " ".join(
        word if URL.match(word) or MENTION.match(word) else word.translate(_UPPER).upper()
        for word in text.split(" ")
    )


def _slip(text: str, rng: random.Random) -> str:
    """Two neighbouring letters of a word change places, or one is left out."""
    words = [match.span() for match in re.finditer(r"\b\w{4,}\b", text)]
    if not words:
        return text
    start, end = rng.choice(words)
    at = rng.randrange(start + 1, end - 1)
    swapped = text[at + 1] + text[at] if rng.random() < 0.5 else text[at + 1]
    return text[:at] + swapped + text[at + 2 :]
