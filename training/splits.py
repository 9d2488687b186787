"""Parts of the data that share no near-copies: a model must not be measured on what it has read."""

import hashlib
import math
import warnings
from collections import Counter, defaultdict

from sklearn.model_selection import StratifiedGroupKFold

from training.data import Example
from training.duplicates import near_duplicate_groups, text_key
from tweetsent.errors import DataError
from tweetsent.labels import LABELS


def without_near(examples: list[Example], unseen: list[Example]) -> list[Example]:
    """The examples that are in no near-duplicate group of an unseen one, in their order."""
    groups = near_duplicate_groups([row.text for row in [*examples, *unseen]])
    taken = set(groups[len(examples) :])
    return [row for row, group in zip(examples, groups, strict=False) if group not in taken]


def hold_out(
    examples: list[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """The rows to train on and the rows held out, each in their order; no group is in both.

    Of each label the share is held out, rounded up so that small data is measured on all labels,
    in whole near-duplicate groups. The last training row of a label stays where it is; nothing is
    held out when no group can be spared. The same rows in another order are split alike.
    """
    numbers = near_duplicate_groups([row.text for row in examples])
    groups: dict[int, list[Example]] = defaultdict(list)
    for number, row in zip(numbers, examples, strict=True):
        groups[number].append(row)
    counts = {number: Counter(row.label for row in rows) for number, rows in groups.items()}
    order = sorted(groups, key=lambda number: _draw(groups[number], seed))
    left = Counter(row.label for row in examples)
    taken: set[int] = set()

    def take(number: int) -> None:
        taken.add(number)
        left.subtract(counts[number])

    def can_go(number: int) -> bool:
        return number not in taken and all(left[lb] > n for lb, n in counts[number].items())

    for label in LABELS:
        total = sum(count[label] for count in counts.values())
        keep = total - math.ceil(share * total)
        mine = [number for number in order if counts[number][label]]
        for number in mine:
            if can_go(number) and left[label] - len(groups[number]) >= keep:
                take(number)
        # Rather more than the share than nothing to measure this label on.
        if taken.isdisjoint(mine):
            spare = [number for number in mine if can_go(number)]
            for number in sorted(spare, key=lambda number: len(groups[number]))[:1]:
                take(number)
    training = [row for row, n in zip(examples, numbers, strict=True) if n not in taken]
    return training, [row for row, n in zip(examples, numbers, strict=True) if n in taken]


def _draw(rows: list[Example], seed: int) -> bytes:
    """A place in a random order that doesn't depend on the order of the rows."""
    name = min(text_key(row.text) for row in rows)
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def folds(
    examples: list[Example], count: int, seed: int
) -> list[tuple[list[Example], list[Example]]]:
    """`count` pairs of rows to train on and rows to measure on, for cross-validation.

    Each row is measured on once, near-duplicate groups stay together, and the labels are spread as
    evenly as the groups let them (scikit-learn's StratifiedGroupKFold). Raises DataError when
    there are too few groups for so many folds.
    """
    groups = near_duplicate_groups([row.text for row in examples])
    labels = [row.label.value for row in examples]
    too_few = DataError(
        f"{len(set(groups)):,} groups of near-duplicates, {len(examples):,} rows in all, are too "
        f"few for {count} folds"
    )
    if count < 2 or len(set(groups)) < count or max(Counter(labels).values()) < count:
        raise too_few
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # That a label has fewer rows than there are folds: the plan's lines say which are rare.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(splitter.split(labels, labels, groups))
    if not all(len(unseen) for _, unseen in parts):
        raise too_few
    return [([examples[i] for i in seen], [examples[i] for i in unseen]) for seen, unseen in parts]
