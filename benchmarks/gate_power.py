"""How often the gate's rules for frozen sets let a better adapter pass, and a worse one.

    python -m benchmarks.gate_power

Two simulated models answer the same rows, and on a fifth of them one alone is right; both are
calibrated, and the old one is the best that served so far. The new one is by so much better or
worse. Writes gate_power.json beside this file: the share of 150 pairs that no frozen-set rule
refuses, under the rules as they are and under the same with no regard to chance (certainty 0).
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.evaluation import Evaluation, summarise
from training.gate import CORRECTIONS, GateRules, decide
from tweetsent.labels import LABELS

PAIRS = 150
ROWS = (270, 1500)
ACCURACY = 0.72
DISAGREEMENT = 0.2
CHANGES = (-0.10, -0.05, -0.02, 0.0, 0.02, 0.05)
RULES = {"as they are": GateRules(), "certainty 0": replace(GateRules(), certainty=0.0)}


def main() -> None:
    """Simulate, and write the JSON."""
    rng = np.random.default_rng(0)
    result: dict[str, dict[str, dict[str, float]]] = {}
    for rows in ROWS:
        for change in CHANGES:
            pairs = [_pair(rows, change, rng) for _ in range(PAIRS)]
            for name, rules in RULES.items():
                passed = sum(_passes(*pair, rules) for pair in pairs) / PAIRS
                result.setdefault(f"{rows} rows", {}).setdefault(name, {})[f"{change:+}"] = passed
                sys.stdout.write(f"{rows} rows, {change:+}, {name}: {passed:.2f}\n")
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _pair(rows: int, change: float, rng: np.random.Generator) -> tuple[Evaluation, Evaluation]:
    """The old and the new model's answers; `change` is what the new one's accuracy gains."""
    truth = rng.integers(len(LABELS), size=rows)
    # Rows that the old one alone gets right, and that the new one alone does.
    lost, gained = (DISAGREEMENT - change) / 2, (DISAGREEMENT + change) / 2
    both = ACCURACY - lost
    drawn = rng.random(rows)
    old_right = drawn < both + lost
    new_right = (drawn < both) | ((drawn >= both + lost) & (drawn < both + lost + gained))
    return (
        _answers(truth, old_right, ACCURACY, rng),
        _answers(truth, new_right, ACCURACY + change, rng),
    )


def _answers(
    truth: np.ndarray, right: np.ndarray, confidence: float, rng: np.random.Generator
) -> Evaluation:
    other = (truth + rng.integers(1, len(LABELS), size=len(truth))) % len(LABELS)
    given = np.where(right, truth, other)
    probabilities = np.full((len(truth), len(LABELS)), (1 - confidence) / 2)
    probabilities[np.arange(len(truth)), given] = confidence
    return summarise(probabilities, [LABELS[index] for index in truth], 1.0, "simulated")


def _passes(old: Evaluation, new: Evaluation, rules: GateRules) -> bool:
    """Whether nothing speaks against the new one but, perhaps, the corrections."""
    best = {"frozen": old.metrics.macro_f1}
    decision = decide({"frozen": old}, {"frozen": new}, corrections=None, rules=rules, best=best)
    return all(objection.name == CORRECTIONS for objection in decision.objections)


if __name__ == "__main__":
    main()
