"""Turkish texts that some program read in a wrong encoding and stored again.

They can't be told from right ones by their bytes, only by letters that no Turkish text has.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from tweetsent.errors import DataError, Flaw

_ONLY_TURKISH = "ğışĞİŞ"
_RIGHT = re.compile(f"[{_ONLY_TURKISH}]")
# Windows-1254 read as Windows-1252.
_SINGLE = dict(zip("ðýþÐÝÞ", _ONLY_TURKISH, strict=True))
_LOST = "\ufffd"


def _pairs() -> dict[str, str]:
    """What UTF-8 becomes when it is read as a code page of one byte a letter."""
    pairs = {}
    for letter in f"{_ONLY_TURKISH}çöüÇÖÜ":
        for encoding in ("cp1252", "cp1254", "latin-1"):
            try:
                pairs[letter.encode().decode(encoding)] = letter
            except UnicodeDecodeError:
                continue
    return pairs


_MEANT = {**_SINGLE, **_pairs(), _LOST: "another letter"}
_WRONG = re.compile("|".join(map(re.escape, _MEANT)))


def check_letters(texts: Iterable[str], path: Path, say: Callable[[str], None]) -> None:
    """Raise DataError when more texts are misread than right; otherwise say how many are.

    A text with right letters may quote a foreign one.
    """
    right = wrong = 0
    found: dict[str, None] = {}
    example = ""
    for text in texts:
        if text.isascii():
            continue
        letters = _WRONG.findall(text)
        if letters and (any(len(one) > 1 for one in letters) or not _RIGHT.search(text)):
            wrong += 1
            example = example or text
            found.update(dict.fromkeys(letters))
        elif _RIGHT.search(text):
            right += 1
    if not wrong:
        return
    shown = sorted(found)[:4]
    meant = ", ".join(dict.fromkeys(_MEANT[one] for one in shown))
    what = f"has {' '.join(shown)} where Turkish has {meant}"
    if wrong > right:
        raise DataError(
            f"{path}: {what}, as in {example[:40]!r}: a program read it in a wrong encoding and "
            "stored it again; export it anew as UTF-8",
            Flaw.ENCODING,
        )
    say(f"{path}: {what}, in {wrong:,} of its texts, such as {example[:40]!r}")
