"""Texts that stand in the data more than once: exact duplicates and conflicting labels."""

from collections import defaultdict

from training.data import Example
from tweetsent.text import fold


def resolve_duplicates(examples: list[Example]) -> tuple[list[Example], int, int]:
    """Keep one row of each text; drop a text whose rows disagree on the label.

    Texts are compared in lower-case ASCII letters and digits only. Returns the kept rows in their
    order, the number of duplicate rows left out and the number of rows dropped as conflicting.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[text_key(example.text)].append(example)
    kept = [rows[0] for rows in groups.values() if len({row.label for row in rows}) == 1]
    conflicting = sum(len(rows) for rows in groups.values() if len({r.label for r in rows}) > 1)
    return kept, len(examples) - len(kept) - conflicting, conflicting


def text_key(text: str) -> str:
    """What two spellings of one text have in common."""
    return "".join(char for char in fold(text) if char.isalnum()) or text
