"""Pure text functions: Turkish casing, cleaning, and what counts as something to classify.

`str.lower` is wrong for Turkish ("I" is the capital of "ı", "İ" that of "i"), so nothing in this
project calls it on user text.
"""

import re
import unicodedata

from tweetsent.disguise import COLOURED, is_sign, undisguised

URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
MENTION = re.compile(r"(?<![\w@])@\w+")
_ASCII = str.maketrans("çğıöşüâîû", "cgiosuaiu")
_ZERO_WIDTH_JOINER = "\u200d"


def tr_lower(text: str) -> str:
    """Lower case by Turkish rules: "TARAFSIZ" -> "tarafsız", "İYİ" -> "iyi"."""
    lower = unicodedata.normalize("NFC", text).replace("İ", "i").replace("I", "ı").lower()
    return unicodedata.normalize("NFC", lower)  # an accent that no "İ" takes fits an "i"


def fold(text: str) -> str:
    """Lower case in ASCII letters, to compare words however they were typed."""
    return tr_lower(text).translate(_ASCII)


def clean(text: str) -> str:
    """One line of NFC text without control and invisible characters and other disguises.

    Lone surrogates become "?", every run of white space one space, and the zero-width joiner
    stays only where it joins two emoji. Idempotent.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    if not text.isprintable():  # else there is nothing to drop, which is quick to know
        kept = [
            char
            for index, char in enumerate(text)
            if not _is_invisible(char) or _joins_emoji(text, index)
        ]
        text = "".join(kept)
    # Line ends must not hide a run; what is taken off may have stood between two spaces.
    return " ".join(undisguised(" ".join(text.split())).split())


def _is_invisible(char: str) -> bool:
    """Format, control and private characters; white space is none of them.

    Unassigned ones stay: they are emoji newer than this Python.
    """
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co"} and not char.isspace()


def _joins_emoji(text: str, index: int) -> bool:
    if text[index] != _ZERO_WIDTH_JOINER:
        return False
    before = text[max(0, index - 2) : index].removesuffix(COLOURED)[-1:]
    return is_sign(before) and is_sign(text[index + 1 : index + 2])


def mask(text: str) -> str:
    """Links as "http" and mentions as "@user": what they point to says nothing of the sentiment.

    The two tokens are those of TweetEval (Barbieri et al. 2020, arXiv:2010.12421).
    """
    return MENTION.sub("@user", URL.sub("http", text))


def has_words(text: str) -> bool:
    """Whether anything but links, mentions, digits, punctuation and emoji is left to classify."""
    return any(char.isalpha() for char in MENTION.sub("", URL.sub("", text)))
