"""Texts that stand in the data more than once: exact duplicates, conflicting labels, near-copies.

Near-copies are found by MinHash (Broder 1997, "On the resemblance and containment of documents")
with banding (Indyk and Motwani 1998), and each candidate is confirmed by its exact Jaccard
similarity, so that chance makes no false pair and hardly misses a true one.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from datasketch import MinHash
from scipy.cluster.hierarchy import DisjointSet

from training.data import Example
from tweetsent.labels import LABELS, Label
from tweetsent.text import MENTION, URL, fold

SHINGLE_CHARACTERS = 5
"""Fewer are shared by chance between short texts; more are all broken by one changed word."""

NEAR_JACCARD = 0.4
"""Above it, pairs of Turkish tweets and reviews read by hand were one sentence reworded; from
0.35 down, different sentences about the same thing come in."""

OPENING_CHARACTERS = 40
"""Texts that open alike are near-copies however they go on: cut-off tweets, and the way in which
the public data sets are split."""

# A pair at the threshold becomes a candidate with probability 1 - (1 - 0.4 ** 3) ** 42 = 0.94, one
# at 0.5 with 0.996; what is wrongly a candidate costs time only.
_BANDS, _ROWS_PER_BAND = 42, 3
_HASH_SEED = 1
# In a bucket each text is compared with so many before it, for time linear in the texts even when
# all of them are made from one template; the chain then links them anyway.
_COMPARED = 50


@dataclass(frozen=True, slots=True)
class Conflict:
    """A text whose rows disagree on the label."""

    text: str
    """As its first row spells it."""
    counts: dict[Label, int]
    """Rows of each label that it has, in label order."""

    @property
    def majority(self) -> Label | None:
        """The label of more than half of the rows."""
        label = max(self.counts, key=lambda label: self.counts[label])
        return label if 2 * self.counts[label] > sum(self.counts.values()) else None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Rows with one label and one row for each text, and what was left out for that."""

    kept: list[Example]
    duplicates: list[Example]
    """Rows that say again what a kept row says."""
    conflicting: list[Example]
    """Rows whose label lost against a strict majority, and all rows of texts without one."""
    conflicts: list[Conflict]


def resolve_duplicates(examples: list[Example]) -> Resolved:
    """Keep one row of each text, the first with the label of more than half of its rows.

    A text without such a strict majority is dropped with all its rows. Texts are compared in
    lower-case ASCII letters and digits only; all lists are in the order of the texts' first rows.
    """
    texts: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        texts[text_key(example.text)].append(example)
    resolved = Resolved([], [], [], [])
    for rows in texts.values():
        counts = Counter(row.label for row in rows)
        conflict = Conflict(rows[0].text, {lb: counts[lb] for lb in LABELS if lb in counts})
        agreeing = [row for row in rows if row.label == conflict.majority]
        resolved.kept.extend(agreeing[:1])
        resolved.duplicates.extend(agreeing[1:])
        resolved.conflicting.extend(row for row in rows if row.label != conflict.majority)
        if len(counts) > 1:
            resolved.conflicts.append(conflict)
    return resolved


def text_key(text: str) -> str:
    """What two spellings of one text have in common."""
    return "".join(char for char in fold(text) if char.isalnum()) or text


def near_duplicate_groups(texts: list[str]) -> list[int]:
    """The group number of each text, counted from 0 in the order of first appearance.

    Two texts are in one group when they are linked by a chain of near-copies: spellings of one
    text, the same first 40 letters and digits, or a Jaccard similarity of their character
    shingles of at least NEAR_JACCARD. Links and mentions don't count, unless a text is nothing
    else. The grouping depends neither on the order of the texts nor on chance: the hashes' seed is
    fixed.
    """
    keys = [(text_key(text), _content_key(text)) for text in texts]
    groups = _near_contents(sorted({content for _, content in keys}))
    by_key: dict[str, str] = {}
    for key, content in keys:
        groups.merge(by_key.setdefault(key, content), content)
    numbers: dict[str, int] = {}
    return [numbers.setdefault(groups[content], len(numbers)) for _, content in keys]


def _content_key(text: str) -> str:
    """A text's key without links and mentions: replies to one account are not near-copies."""
    content = MENTION.sub(" ", URL.sub(" ", text))
    return text_key(content) if content.strip() else text_key(text)


def _near_contents(contents: list[str]) -> DisjointSet:
    """The sets of similar strings among different ones."""
    groups = DisjointSet(contents)
    openings: dict[str, str] = {}
    for content in contents:
        opening = content[:OPENING_CHARACTERS]
        groups.merge(openings.setdefault(opening, content), content)
    shingles = {content: _shingles(content) for content in contents}
    for bucket in _buckets(shingles):
        if len({groups[content] for content in bucket}) == 1:
            continue
        for place, content in enumerate(bucket):
            for other in bucket[max(0, place - _COMPARED) : place]:
                if not groups.connected(content, other) and (
                    _jaccard(shingles[content], shingles[other]) >= NEAR_JACCARD
                ):
                    groups.merge(content, other)
    return groups


def _buckets(shingles: dict[str, set[bytes]]) -> Iterator[list[str]]:
    """Strings that agree in all MinHashes of some band, in their order."""
    hashes = MinHash.generator(
        shingles.values(), num_perm=_BANDS * _ROWS_PER_BAND, seed=_HASH_SEED, hashfunc=zlib.crc32
    )
    signatures = [signature.hashvalues for signature in hashes]
    for start in range(0, _BANDS * _ROWS_PER_BAND, _ROWS_PER_BAND):
        buckets: dict[bytes, list[str]] = defaultdict(list)
        for content, signature in zip(shingles, signatures, strict=True):
            buckets[signature[start : start + _ROWS_PER_BAND].tobytes()].append(content)
        yield from (bucket for bucket in buckets.values() if len(bucket) > 1)


def _shingles(content: str) -> set[bytes]:
    """All runs of SHINGLE_CHARACTERS characters; the whole of a shorter text."""
    count = max(1, len(content) - SHINGLE_CHARACTERS + 1)
    return {content[start : start + SHINGLE_CHARACTERS].encode() for start in range(count)}


def _jaccard(one: set[bytes], other: set[bytes]) -> float:
    return len(one & other) / len(one | other)
