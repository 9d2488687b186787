"""Whether a text is in another language than Turkish.

py3langid ships its model, needs numpy alone and was the only one of four that knew Kurdish.
"""

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from tweetsent.text import MENTION, URL

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_MIN_WORDS = 4
_MIN_CONFIDENCE = 0.9
_VARIANTS = {"ary", "arz", "pcm"}
"""Spoken variants of Arabic and English, which would only share the probability of these."""
_LAST_LATIN = "\u024f"
"""What Turkish is written in comes before; Cyrillic, Arabic, Japanese and the like after."""
_loading = Lock()


def prepare() -> None:
    """Load the model, a second and 80 MB, so that no message has to wait for it."""
    _identifier()


def is_foreign(text: str) -> bool:
    """Whether a text is surely not Turkish; False for a short or doubtful one."""
    words = _words(text)
    letters = [char for word in words for char in word if char.isalpha()]
    if sum(char > _LAST_LATIN for char in letters) > len(letters) / 2:
        return True
    if len(words) < _MIN_WORDS:
        return False
    language, confidence = _identifier().classify(" ".join(words))
    return bool(language != "tr" and confidence >= _MIN_CONFIDENCE)


def _words(text: str) -> list[str]:
    """The words of a text without links, mentions, digits and signs."""
    bare = MENTION.sub("", URL.sub("", text))
    kept = "".join(char if char.isalpha() or char in "'’" else " " for char in bare)
    return kept.split()


def _identifier() -> "LanguageIdentifier":
    with _loading:  # the cache alone would let several threads load at once
        return _load()


@cache
def _load() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(set(identifier.labels) - _VARIANTS)
    return identifier
