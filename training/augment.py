"""Rewrites a training text the way Turkish users also type it, so that spelling decides nothing."""

import random
import re
from collections.abc import Callable

from tweetsent.text import MENTION, URL, tr_lower

_ASCII = str.maketrans("çğıöşüÇĞİÖŞÜ", "cgiosuCGIOSU")
_LINK = re.compile(f"{URL.pattern}|{MENTION.pattern}", re.IGNORECASE)
_WORD = re.compile(r"\b\w{4,}\b")
_UPPER = str.maketrans("iı", "İI")


def augment(text: str, rng: random.Random) -> str:
    """One of four rewritings: ASCII letters, lower case without punctuation, all capitals, or a
    keyboard slip. Links and mentions stay as they are; the second leaves them out."""
    return rng.choice([_ascii, _bare, _shout, _slip])(text, rng)


def _ascii(text: str, _: random.Random) -> str:
    return _around_links(text, lambda words: words.translate(_ASCII))


def _bare(text: str, _: random.Random) -> str:
    words = _LINK.sub(" ", text)
    return " ".join(re.sub(r"[^\w\s]|\d", " ", tr_lower(words)).split()) or text


def _shout(text: str, _: random.Random) -> str:
    return _around_links(text, lambda words: words.translate(_UPPER).upper())


def _slip(text: str, rng: random.Random) -> str:
    """Two neighbouring letters of a word change places, or one is left out."""
    links = {at for match in _LINK.finditer(text) for at in range(*match.span())}
    words = [
        span for span in (m.span() for m in _WORD.finditer(text)) if links.isdisjoint(range(*span))
    ]
    if not words:
        return text
    start, end = rng.choice(words)
    at = rng.randrange(start + 1, end - 1)
    swapped = text[at + 1] + text[at] if rng.random() < 0.5 else text[at + 1]
    return text[:at] + swapped + text[at + 2 :]


def _around_links(text: str, rewrite: Callable[[str], str]) -> str:
    """Rewrite everything but links and mentions."""
    parts = []
    end = 0
    for link in _LINK.finditer(text):
        parts += [rewrite(text[end : link.start()]), link.group()]
        end = link.end()
    return "".join([*parts, rewrite(text[end:])])
