"""Decides whether a new adapter may take the place of the one that serves.

Both are measured on the same rows: frozen test sets, which no run ever trains on, and the newest
corrections, which this run held back. The new one must be better on the corrections and must not be
worse anywhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.bootstrap import PairedDifference, paired_bootstrap
from training.evaluation import Evaluation
from tweetsent.errors import ConfigError
from tweetsent.labels import LABELS


@dataclass(frozen=True, slots=True)
class GateRules:
    """How much worse is still no worse."""

    tolerance: float = 0.01
    """Macro-F1 that a frozen set may lose; less is refused too when it is certain (the 95 %
    interval of the paired difference lies below 0)."""
    recall_drop: float = 0.05
    """Recall that a label may lose on a frozen set."""
    calibration_drop: float = 0.03
    """Expected calibration error that a frozen set may gain."""
    fewest_corrections: int = 10
    """Held-back corrections below which nothing can be said of them."""
    fewest_of_a_label: int = 20
    """Rows of a label below which its recall is not looked at."""

    def __post_init__(self) -> None:
        """Raises ConfigError naming a value that can't be."""
        for name, value in asdict(self).items():
            if not value >= 0:
                raise ConfigError(f"gate: {name} must be 0 or more")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The new adapter beside the one that serves, on one set of rows."""

    name: str
    rows: int
    champion: float
    """Macro-F1 of the one that serves."""
    challenger: float
    """Macro-F1 of the new one."""
    difference: PairedDifference
    """Challenger minus champion."""
    champion_confusion: list[list[int]]
    """(3, 3) counts: rows = truth, in label order."""
    challenger_confusion: list[list[int]]
    objections: tuple[str, ...]
    """Why the new one may not serve, as far as this set goes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate said, with all that it said it by."""

    frozen: list[Comparison]
    corrections: Comparison | None
    """None when too few were held back to say anything."""
    objections: tuple[str, ...]
    """None: promoted."""
    rules: GateRules

    @property
    def is_promoted(self) -> bool:
        """Whether the new adapter may serve."""
        return not self.objections

    def as_dict(self) -> dict[str, Any]:
        """For the database: JSON values only."""
        return {"promoted": self.is_promoted} | asdict(self)

    def lines(self) -> list[str]:
        """For a person, in English."""
        compared = [*self.frozen, *([self.corrections] if self.corrections else [])]
        return [
            *(
                f"{item.name}: n {item.rows}, macro-F1 {item.champion:.3f} -> "
                f"{item.challenger:.3f} ({item.difference.difference:+.3f} "
                f"[{item.difference.interval.low:+.3f} {item.difference.interval.high:+.3f}])"
                for item in compared
            ),
            "promoted" if self.is_promoted else f"refused: {'; '.join(self.objections)}",
        ]


def decide(
    champion: Mapping[str, Evaluation],
    challenger: Mapping[str, Evaluation],
    *,
    corrections: tuple[Evaluation, Evaluation] | None,
    rules: GateRules | None = None,
) -> Decision:
    """Compare two adapters' evaluations of the same frozen sets, at least one, by name.

    `corrections` are the champion's and the challenger's of the held-back corrections. Raises
    ValueError when the two were not measured on the same rows.
    """
    rules = rules or GateRules()
    if not champion or champion.keys() != challenger.keys():
        raise ValueError("both must be measured on the same frozen sets, and on one at least")
    frozen = [
        _compare(name, before, challenger[name], _harm(before, challenger[name], rules))
        for name, before in champion.items()
    ]
    objections = [f"{item.name}: {reason}" for item in frozen for reason in item.objections]
    corrected = None
    if corrections is None or corrections[0].metrics.n < rules.fewest_corrections:
        count = corrections[0].metrics.n if corrections else 0
        objections.append(
            f"corrections: {count} held back, too few to say whether it learnt from them"
        )
    else:
        corrected = _compare("corrections", *corrections, _lack_of_gain(*corrections))
        objections += [f"corrections: {reason}" for reason in corrected.objections]
    return Decision(frozen, corrected, tuple(objections), rules)


def _compare(name: str, before: Evaluation, after: Evaluation, objections: list[str]) -> Comparison:
    return Comparison(
        name=name,
        rows=before.metrics.n,
        champion=before.metrics.macro_f1,
        challenger=after.metrics.macro_f1,
        difference=_difference(before, after),
        champion_confusion=before.metrics.confusion_matrix.tolist(),
        challenger_confusion=after.metrics.confusion_matrix.tolist(),
        objections=tuple(objections),
    )


def _difference(before: Evaluation, after: Evaluation) -> PairedDifference:
    if before.truth != after.truth:
        raise ValueError("the two evaluations are not of the same rows")
    return paired_bootstrap(after.predicted, before.predicted, before.truth)


def _harm(before: Evaluation, after: Evaluation, rules: GateRules) -> list[str]:
    """What speaks against the new one on a frozen set."""
    found = []
    difference = _difference(before, after)
    if difference.difference < -rules.tolerance or difference.interval.high < 0:
        found.append(f"macro-F1 falls by {-difference.difference:.3f}")
    for label in LABELS:
        old, new = before.metrics.per_class[label], after.metrics.per_class[label]
        if old.support >= rules.fewest_of_a_label and old.recall - new.recall > rules.recall_drop:
            found.append(f"recall of {label} falls from {old.recall:.3f} to {new.recall:.3f}")
    if after.ece - before.ece > rules.calibration_drop:
        found.append(f"calibration error grows from {before.ece:.3f} to {after.ece:.3f}")
    return found


def _lack_of_gain(before: Evaluation, after: Evaluation) -> list[str]:
    # Most of them are the champion's mistakes, and not all labels may occur: how many are right
    # says more than macro-F1.
    if after.metrics.accuracy > before.metrics.accuracy:
        return []
    return [
        f"no better: {after.metrics.accuracy:.3f} of them right, {before.metrics.accuracy:.3f} "
        "before"
    ]
