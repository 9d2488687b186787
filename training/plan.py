"""What a run will train on and be measured on, and why the rest of the rows was left out."""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

from training.data import Example, LabelledData
from training.duplicates import Conflict, resolve_duplicates, text_key
from training.splits import hold_out, without_near
from tweetsent.adapter import Dataset
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Label

HELD_OUT = "held-out"
"""The name of the validation part where no file was given."""

HELD_OUT_SHARE = 0.1
_HELD_OUT_SEED = 0  # always the same rows, so that runs on the same data can be compared

MINIMUM_ROWS = 3
"""One row to hold out and two to learn from: when no label has so many, no label can be learnt."""

FEW_ROWS = 20
_FEW_IN_ALL = 500
"""A label with fewer rows is hardly learnt, and a measurement of it says little."""

_SHOWN_CONFLICTS = 3
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """Where the rows of one file went; `rows` is the sum of those below it."""

    name: str
    unlabelled: int
    """Rows without a text or a label."""
    rows: int
    """Rows with both."""
    duplicates: int
    """Rows that repeat another one, of this file or of one before it."""
    conflicting: int
    """Rows of texts whose rows disagree on the label."""
    near_copies: int
    """Rows too similar to a validation row."""
    held_out: int
    training: dict[Label, int]
    """Rows to train on, by label in label order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a run; no training row is a near-copy of an unmarked validation row."""

    data: list[LabelledData]
    """The files that the rows come from."""
    examples: list[Example]
    """Rows to train on, each with its source's name."""
    valid: list[LabelledData]
    """The validation files with all their rows, or the one part held out."""
    sources: list[SourceCounts]
    conflicts: list[Conflict]

    @property
    def labels(self) -> dict[Label, int]:
        """Rows to train on, by label in label order."""
        return _by_label(self.examples)

    def as_dict(self) -> dict[str, Any]:
        """The plan in numbers, for a program."""
        return {
            "training_rows": len(self.examples),
            "labels": {label.value: count for label, count in self.labels.items()},
            "sources": [asdict(counts) for counts in self.sources],
            "conflicts": len(self.conflicts),
            "validation_rows": {part.dataset.name: len(part.examples) for part in self.valid},
        }

    def lines(self) -> list[str]:
        """The plan in English, a line for each source, validation part and thing to know."""
        return [
            *(_source_line(counts) for counts in self.sources),
            f"{len(self.examples):,} rows to train on: {_balance(self.labels)}",
            *self._conflict_lines(),
            *(_valid_line(part) for part in self.valid),
            *self._warnings(),
        ]

    def _conflict_lines(self) -> list[str]:
        if not self.conflicts:
            return []
        decided = sum(conflict.majority is not None for conflict in self.conflicts)
        return [
            f"texts whose rows disagree on the label: {len(self.conflicts):,}; kept with the label "
            f"of more than half of their rows: {decided:,}; dropped, since there is no such label: "
            f"{len(self.conflicts) - decided:,}; such as:",
            *(
                f"  {_shortened(conflict.text)}: {_counts(conflict.counts)}"
                for conflict in self.conflicts[:_SHOWN_CONFLICTS]
            ),
        ]

    def _warnings(self) -> list[str]:
        lines = []
        if len(self.examples) < _FEW_IN_ALL:
            lines.append(
                f"warning: {_rows(len(self.examples))} are few to train on: below some hundred "
                "expect a model worse than the shipped one"
            )
        for label, count in self.labels.items():
            if not count:
                lines.append(f"warning: no row to train on is labelled {label}: it can't be learnt")
            elif count < FEW_ROWS:
                lines.append(
                    f"warning: {_rows(count)} to train on {'is' if count == 1 else 'are'} labelled "
                    f"{label}; a label with fewer than {FEW_ROWS} is hardly learnt"
                )
        for part in self.valid:
            counts = _by_label(part.examples)
            missing = [label for label, count in counts.items() if not count]
            if missing:
                lines.append(
                    f"warning: {part.dataset.name} has no row labelled {' or '.join(missing)}: "
                    "how well that is recognised is not measured there"
                )
        return lines


def make_plan(
    data: list[LabelledData], valid: list[LabelledData], *, keep_near_copies: bool = False
) -> Plan:
    """Choose the rows to train on and to measure on; holds out a tenth where `valid` is empty.

    Duplicates and conflicts are resolved over all of `data`, then what is a near-copy of a
    validation row is dropped; with `keep_near_copies` only what is the same text, and the
    validation rows that have a near-copy to train on are marked, for they flatter. The validation
    files keep all of their rows. Raises DataError when
    a file is empty, when the rows have fewer than two labels or fewer than MINIMUM_ROWS of each,
    and when none can be held out.
    """
    _require_rows(data, valid)
    data = _named_apart(data)
    resolved = resolve_duplicates([row for part in data for row in part.examples])
    _require_labels(resolved.kept, "without duplicates and conflicting labels")
    near: list[Example] = []
    held_out: list[Example] = []
    if valid:
        unseen = [row for part in valid for row in part.examples]
        if keep_near_copies:
            keys = {text_key(row.text) for row in unseen}
            examples = [row for row in resolved.kept if text_key(row.text) not in keys]
            valid = [_marked(part, examples) for part in valid]
        else:
            examples = without_near(resolved.kept, unseen)
        near = _difference(resolved.kept, examples)
        _require_labels(examples, f"without {_rows(len(near))} like those of the validation files")
    else:
        examples, held_out = hold_out(resolved.kept, HELD_OUT_SHARE, _HELD_OUT_SEED)
        if not held_out:
            raise DataError(
                f"none of {_rows(len(examples))} can be held out, for they are too few or too much "
                "alike: name a file to measure on with --valid"
            )
        valid = [_held_out_part(data, held_out)]
    duplicates, conflicting, near_copies, held = (
        Counter(row.source for row in rows)
        for rows in (resolved.duplicates, resolved.conflicting, near, held_out)
    )
    sources = [
        SourceCounts(
            name=part.dataset.name,
            unlabelled=part.left_out,
            rows=len(part.examples),
            duplicates=duplicates[part.dataset.name],
            conflicting=conflicting[part.dataset.name],
            near_copies=near_copies[part.dataset.name],
            held_out=held[part.dataset.name],
            training=_by_label([row for row in examples if row.source == part.dataset.name]),
        )
        for part in data
    ]
    return Plan(data, examples, valid, sources, resolved.conflicts)


def _require_rows(data: list[LabelledData], valid: list[LabelledData]) -> None:
    if not data:
        raise DataError("there is nothing to train on: name a file with --data")
    empty = [part.dataset.name for part in [*data, *valid] if not part.examples]
    if empty:
        raise DataError(f"{', '.join(empty)}: there is no labelled text in it")


def _require_labels(examples: list[Example], circumstances: str) -> None:
    if not examples:
        raise DataError(f"no row is left to train on, {circumstances}")
    present = {label: count for label, count in _by_label(examples).items() if count}
    if len(present) == 1:
        raise DataError(
            f"{_rows(len(examples))} left to train on, {circumstances}, and all are labelled "
            f"{next(iter(present))}: at least two different labels are needed"
        )
    if max(present.values()) < MINIMUM_ROWS:
        raise DataError(
            f"no label has the {MINIMUM_ROWS} rows that it takes to learn one, {circumstances}: "
            f"{_counts(present)}"
        )


def _named_apart(data: list[LabelledData]) -> list[LabelledData]:
    """The parts with their names in their rows; a name that is there twice gets a number."""
    seen: Counter[str] = Counter()
    result = []
    for part in data:
        name = part.dataset.name
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        dataset = part.dataset.model_copy(update={"name": name})
        rows = [replace(row, source=name) for row in part.examples]
        result.append(LabelledData(dataset, rows, part.left_out))
    return result


def _marked(part: LabelledData, examples: list[Example]) -> LabelledData:
    """The part, with the rows marked that have a near-copy among the examples."""
    apart = {row.text for row in without_near(part.examples, examples)}
    rows = [replace(row, near_copy=row.text not in apart) for row in part.examples]
    return replace(part, examples=rows)


def _held_out_part(data: list[LabelledData], rows: list[Example]) -> LabelledData:
    """The held-out rows as a file of its own, known by the hashes of those that it came from."""
    sums = "".join(part.dataset.sha256 for part in data)
    sha256 = hashlib.sha256(sums.encode()).hexdigest()
    return LabelledData(Dataset(name=HELD_OUT, sha256=sha256, rows=len(rows)), rows)


def _difference(rows: list[Example], kept: list[Example]) -> list[Example]:
    texts = {row.text for row in kept}
    return [row for row in rows if row.text not in texts]


def _by_label(examples: list[Example]) -> dict[Label, int]:
    counts = Counter(row.label for row in examples)
    return {label: counts[label] for label in LABELS}


def _source_line(counts: SourceCounts) -> str:
    left_out = [
        f"{number:,} {one if number == 1 else many}"
        for number, one, many in (
            (counts.unlabelled, "without a text or a label", "without a text or a label"),
            (counts.duplicates, "duplicate", "duplicates"),
            (counts.conflicting, "with conflicting labels", "with conflicting labels"),
            (counts.near_copies, "near-copy of validation rows", "near-copies of validation rows"),
            (counts.held_out, "held out", "held out"),
        )
        if number
    ]
    return (
        f"{counts.name}: {_rows(counts.rows + counts.unlabelled)}"
        f"{'; left out: ' if left_out else ''}{', '.join(left_out)}; "
        f"{sum(counts.training.values()):,} to train on: {_balance(counts.training)}"
    )


def _valid_line(part: LabelledData) -> str:
    name = "held out" if part.dataset.name == HELD_OUT else part.dataset.name
    counts = _by_label(part.examples)
    line = f"{_rows(len(part.examples))} to measure on ({name}): {_balance(counts)}"
    marked = sum(row.near_copy for row in part.examples)
    return line + (f"; {marked:,} have a near-copy among those to train on" if marked else "")


def _balance(counts: dict[Label, int]) -> str:
    total = max(1, sum(counts.values()))
    return ", ".join(f"{label} {count:,} ({count / total:.0%})" for label, count in counts.items())


def _counts(counts: dict[Label, int]) -> str:
    return ", ".join(f"{label} {count:,}" for label, count in counts.items())


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _shortened(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…")
