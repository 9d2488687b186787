"""Decides whether a new adapter may take the place of the one that serves.

Both are measured on the same rows: frozen test sets, which no run ever trains on, and the newest
corrections, which this run held back. The new one must be better on the corrections, and nothing
may show it to be worse anywhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from training.bootstrap import PairedDifference, paired_bootstrap
from training.evaluation import Evaluation
from tweetsent.errors import ConfigError
from tweetsent.labels import LABELS, Label

CORRECTIONS = "corrections"
"""The name of the held-back corrections among the sets."""


class Shortcoming(StrEnum):
    """What can speak against a new adapter."""

    MACRO_F1 = "macro_f1"
    """Of a frozen set; it falls."""
    DRIFT = "drift"
    """Macro-F1 of a frozen set; it is far below that of the best that served."""
    RECALL = "recall"
    """Of a label on a frozen set; it falls."""
    CALIBRATION = "calibration"
    """Expected calibration error on a frozen set; it grows."""
    NO_GAIN = "no_gain"
    """The share of the held-back corrections that it gets right; it does not grow."""
    TOO_FEW = "too_few"
    """Held-back corrections; `after` is how many."""


_WORDS = {
    Shortcoming.MACRO_F1: "macro-F1 falls from {before:.3f} to {after:.3f}",
    Shortcoming.DRIFT: "macro-F1 {after:.3f} is far below the best that served, {before:.3f}",
    Shortcoming.RECALL: "recall of {label} falls from {before:.3f} to {after:.3f}",
    Shortcoming.CALIBRATION: "calibration error grows from {before:.3f} to {after:.3f}",
    Shortcoming.NO_GAIN: "no better: {after:.3f} of them right, {before:.3f} before",
    Shortcoming.TOO_FEW: "{after:.0f} held back, too few to say whether it learnt from them",
}


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason why a new adapter may not serve."""

    name: str
    """The set of rows."""
    what: Shortcoming
    before: float
    """The champion's."""
    after: float
    """The challenger's."""
    label: Label | None = None

    def __str__(self) -> str:
        words = _WORDS[self.what]
        return f"{self.name}: " + words.format(
            label=self.label, before=self.before, after=self.after
        )


@dataclass(frozen=True, slots=True)
class GateRules:
    """How much worse is still no worse."""

    tolerance: float = 0.01
    """Macro-F1 that a frozen set may lose; less is refused too when the 95 % interval of the paired
    difference lies below 0."""
    certainty: float = 0.8
    """A loss beyond `tolerance` counts only if at least this share of bootstrap resamples is beyond
    it too: of few rows a loss is often chance, and a gate that refuses by chance keeps the worse
    model."""
    drift: float = 0.03
    """Macro-F1 that a frozen set may lose to the best that ever served, so that many small losses
    don't add up; chance is no excuse here."""
    recall_drop: float = 0.05
    """Recall that a label may lose on a frozen set; chance is no excuse here either."""
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
        if self.certainty > 1:
            raise ConfigError("gate: certainty must be at most 1")


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


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate said, with all that it said it by."""

    frozen: list[Comparison]
    corrections: Comparison | None
    """None when too few were held back to say anything."""
    objections: tuple[Objection, ...]
    """None: promoted."""
    rules: GateRules

    @property
    def is_promoted(self) -> bool:
        """Whether the new adapter may serve."""
        return not self.objections

    @property
    def reason(self) -> str:
        """Why it is refused, in one line; empty when it isn't."""
        return "; ".join(map(str, self.objections))

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
            "promoted" if self.is_promoted else f"refused: {self.reason}",
        ]


def decide(
    champion: Mapping[str, Evaluation],
    challenger: Mapping[str, Evaluation],
    *,
    corrections: tuple[Evaluation, Evaluation] | None,
    rules: GateRules | None = None,
    best: Mapping[str, float] | None = None,
) -> Decision:
    """Compare two adapters' evaluations of the same frozen sets, at least one, by name.

    `corrections` are the champion's and the challenger's of the held-back corrections: most are
    rows that the champion got wrong, so a gain there is easy and the frozen sets are what protects.
    `best` is the macro-F1 of the best that served, by frozen set, where it is known. Raises
    ValueError when the two were not measured on the same rows.
    """
    rules = rules or GateRules()
    if not champion or champion.keys() != challenger.keys():
        raise ValueError("both must be measured on the same frozen sets, and on one at least")
    frozen = [_compare(name, before, challenger[name], rules) for name, before in champion.items()]
    objections = [
        objection
        for item in frozen
        for objection in _harm(item, champion[item.name], challenger[item.name], rules)
    ]
    objections += _drift(frozen, best or {}, rules)
    corrected = None
    if corrections is None or corrections[0].metrics.n < rules.fewest_corrections:
        count = corrections[0].metrics.n if corrections else 0
        objections.append(Objection(CORRECTIONS, Shortcoming.TOO_FEW, before=0, after=count))
    else:
        corrected = _compare(CORRECTIONS, *corrections, rules)
        objections += _lack_of_gain(*corrections)
    return Decision(frozen, corrected, tuple(objections), rules)


def _compare(name: str, before: Evaluation, after: Evaluation, rules: GateRules) -> Comparison:
    if before.truth != after.truth:
        raise ValueError("the two evaluations are not of the same rows")
    return Comparison(
        name=name,
        rows=before.metrics.n,
        champion=before.metrics.macro_f1,
        challenger=after.metrics.macro_f1,
        difference=paired_bootstrap(
            after.predicted, before.predicted, before.truth, tolerance=rules.tolerance
        ),
        champion_confusion=before.metrics.confusion_matrix.tolist(),
        challenger_confusion=after.metrics.confusion_matrix.tolist(),
    )


def _harm(
    item: Comparison, before: Evaluation, after: Evaluation, rules: GateRules
) -> list[Objection]:
    """What speaks against the new one on a frozen set."""
    found = []
    change = item.difference
    is_certain = change.interval.high < 0
    is_large = change.difference < -rules.tolerance and change.share_worse >= rules.certainty
    if is_certain or is_large:
        found.append(
            Objection(item.name, Shortcoming.MACRO_F1, before=item.champion, after=item.challenger)
        )
    for label in LABELS:
        old, new = before.metrics.per_class[label], after.metrics.per_class[label]
        is_known = old.support >= rules.fewest_of_a_label
        if is_known and old.recall - new.recall > rules.recall_drop:
            found.append(
                Objection(item.name, Shortcoming.RECALL, old.recall, new.recall, label=label)
            )
    if after.ece - before.ece > rules.calibration_drop:
        found.append(Objection(item.name, Shortcoming.CALIBRATION, before.ece, after.ece))
    return found


def _drift(
    frozen: list[Comparison], best: Mapping[str, float], rules: GateRules
) -> list[Objection]:
    """What speaks against the new one beside the best that served, and not only the last."""
    return [
        Objection(item.name, Shortcoming.DRIFT, before=best[item.name], after=item.challenger)
        for item in frozen
        if best.get(item.name, 0.0) - item.challenger > rules.drift
    ]


def _lack_of_gain(before: Evaluation, after: Evaluation) -> list[Objection]:
    # Most of them are the champion's mistakes, and not all labels may occur: how many are right
    # says more than macro-F1.
    old, new = before.metrics.accuracy, after.metrics.accuracy
    if new > old:
        return []
    return [Objection(CORRECTIONS, Shortcoming.NO_GAIN, old, new)]
