"""The gate: what lets a new adapter serve, and each thing that keeps it from it."""

import json

import numpy as np
import pytest

from training.evaluation import Evaluation, summarise
from training.gate import Decision, GateRules, Shortcoming, decide
from tweetsent.errors import ConfigError
from tweetsent.labels import LABELS, Label

TRUTH = [label for label in LABELS for _ in range(200)]


def answers(truth: list[Label], wrong: dict[Label, int], confidence: float = 0.9) -> Evaluation:
    """A model that gives another label to the first so many rows of each label."""
    left = dict(wrong)
    probabilities = np.full((len(truth), 3), (1 - confidence) / 2)
    for row, label in enumerate(truth):
        index = LABELS.index(label)
        if left.get(label, 0):
            left[label] -= 1
            index = (index + 1) % 3
        probabilities[row, index] = confidence
    return summarise(probabilities, truth, 1.0, "m")


def same(count: int) -> dict[Label, int]:
    return dict.fromkeys(LABELS, count)


CHAMPION = answers(TRUTH, same(20))
CORRECTED = TRUTH[::15]  # 40 rows
LEARNT = answers(CORRECTED, same(9)), answers(CORRECTED, same(3))


def decided(challenger: Evaluation, **how: object) -> Decision:
    given = {"corrections": LEARNT} | how
    return decide({"a": CHAMPION}, {"a": challenger}, **given)  # type: ignore[arg-type]


def test_one_that_learnt_and_lost_nothing_is_promoted() -> None:
    decision = decided(answers(TRUTH, same(19)))
    assert decision.is_promoted
    assert decision.objections == ()
    assert decision.lines()[-1] == "promoted"
    (item,) = decision.frozen
    assert item.difference.difference == pytest.approx(item.challenger - item.champion)
    assert item.challenger > item.champion
    assert decision.corrections is not None
    assert decision.corrections.rows == len(CORRECTED)


def test_the_same_answers_are_no_worse() -> None:
    assert decided(CHAMPION).is_promoted


def test_a_loss_within_the_tolerance_is_no_loss() -> None:
    assert decided(answers(TRUTH, same(21))).is_promoted  # 0.005


def test_a_loss_beyond_the_tolerance_is_refused() -> None:
    decision = decided(answers(TRUTH, same(26)))
    assert not decision.is_promoted
    assert decision.reason == "a: macro-F1 falls from 0.900 to 0.870"
    assert decision.lines()[-1] == "refused: a: macro-F1 falls from 0.900 to 0.870"


def test_a_small_loss_that_is_certain_is_refused() -> None:
    # All rows are alike but for a few that only the new one gets wrong.
    truth = [label for label in LABELS for _ in range(3000)]
    before, after = answers(truth, same(20)), answers(truth, same(45))
    decision = decide({"a": before}, {"a": after}, corrections=LEARNT)
    assert -0.01 < decision.frozen[0].difference.difference < 0
    (objection,) = decision.objections
    assert (objection.name, objection.what) == ("a", Shortcoming.MACRO_F1)
    assert objection.before - objection.after == pytest.approx(25 / 3000, abs=1e-4)


def test_many_small_losses_do_not_add_up() -> None:
    slightly_worse = answers(TRUTH, same(21))
    assert decided(slightly_worse).is_promoted
    decision = decide({"a": CHAMPION}, {"a": slightly_worse}, corrections=LEARNT, best={"a": 0.94})
    (objection,) = decision.objections
    assert objection.what is Shortcoming.DRIFT
    assert str(objection) == "a: macro-F1 0.895 is far below the best that served, 0.940"
    other = decide({"a": CHAMPION}, {"a": slightly_worse}, corrections=LEARNT, best={"b": 0.99})
    assert other.is_promoted


def test_one_set_that_loses_is_enough() -> None:
    worse, better = answers(TRUTH, same(26)), answers(TRUTH, same(15))
    decision = decide({"a": CHAMPION, "b": CHAMPION}, {"a": better, "b": worse}, corrections=LEARNT)
    assert decision.reason == "b: macro-F1 falls from 0.900 to 0.870"


def test_a_label_that_is_forgotten_is_refused_even_where_the_mean_holds() -> None:
    shifted = answers(
        TRUTH, {Label.NEGATIVE: 10, Label.NEUTRAL: 34, Label.POSITIVE: 10}, confidence=0.9
    )
    decision = decided(shifted)
    assert shifted.metrics.macro_f1 > CHAMPION.metrics.macro_f1
    assert decision.reason == "a: recall of neutral falls from 0.900 to 0.830"


def test_a_loss_of_macro_f1_that_may_be_chance_is_no_loss() -> None:
    # Of 60 negative rows the new one gets 8 right that the old one got wrong, and 12 wrong that it
    # got right; all else is the same.
    def changed(times: int) -> Decision:
        truth = [label for label in LABELS for _ in range(60 * times)]
        before, after = np.array(truth), np.array(truth)
        before[: 15 * times] = Label.NEUTRAL
        after[8 * times : 27 * times] = Label.NEUTRAL
        champion, challenger = (given_by(labels, truth) for labels in (before, after))
        rules = GateRules(recall_drop=0.1)
        return decide({"a": champion}, {"a": challenger}, corrections=LEARNT, rules=rules)

    few, many = changed(1), changed(20)
    assert few.frozen[0].difference.difference < -0.01
    assert few.is_promoted
    assert many.reason == (
        f"a: macro-F1 falls from {few.frozen[0].champion:.3f} to {few.frozen[0].challenger:.3f}"
    )


def given_by(labels: np.ndarray, truth: list[Label]) -> Evaluation:
    probabilities = np.full((len(truth), 3), 0.05)
    for row, label in enumerate(labels):
        probabilities[row, LABELS.index(label)] = 0.9
    return summarise(probabilities, truth, 1.0, "m")


def test_a_label_of_few_rows_has_no_say() -> None:
    truth = [*TRUTH[:400], *[Label.POSITIVE] * 19]
    before, after = answers(truth, same(0)), answers(truth, {Label.POSITIVE: 2})
    rules = GateRules(tolerance=0.5)
    decision = decide({"a": before}, {"a": after}, corrections=LEARNT, rules=rules)
    assert decision.is_promoted
    strict = GateRules(tolerance=0.5, fewest_of_a_label=19)
    assert not decide({"a": before}, {"a": after}, corrections=LEARNT, rules=strict).is_promoted


def test_one_that_is_too_sure_of_itself_is_refused() -> None:
    decision = decided(answers(TRUTH, same(20), confidence=0.999))
    assert decision.reason == "a: calibration error grows from 0.000 to 0.099"


def test_one_that_did_not_learn_from_the_corrections_is_refused() -> None:
    better = answers(TRUTH, same(15))
    unmoved = LEARNT[0], LEARNT[0]
    reason = "corrections: no better: 0.325 of them right, 0.325 before"
    assert decided(better, corrections=unmoved).reason == reason
    assert not decided(better, corrections=(LEARNT[1], LEARNT[0])).is_promoted


@pytest.mark.parametrize("count", [0, 9])
def test_too_few_corrections_decide_nothing(count: int) -> None:
    few = [Label.NEGATIVE] * count
    pair = (answers(few, same(9)), answers(few, {})) if count else None
    decision = decided(answers(TRUTH, same(15)), corrections=pair)
    assert decision.corrections is None
    assert decision.reason == (
        f"corrections: {count} held back, too few to say whether it learnt from them"
    )


def test_the_decision_is_kept_with_its_numbers() -> None:
    decision = decided(answers(TRUTH, same(26)))
    kept = json.loads(json.dumps(decision.as_dict()))
    assert kept["promoted"] is False
    (objection,) = kept["objections"]
    assert objection == pytest.approx(
        {"name": "a", "what": "macro_f1", "before": 0.9, "after": 0.87, "label": None}, abs=1e-4
    )
    assert kept["rules"]["tolerance"] == 0.01
    frozen = kept["frozen"][0]
    assert frozen["champion_confusion"][0] == [180, 20, 0]
    assert frozen["challenger_confusion"][0] == [174, 26, 0]
    assert frozen["difference"]["interval"][0] < frozen["difference"]["difference"] < 0


def test_other_rows_or_sets_can_not_be_compared() -> None:
    with pytest.raises(ValueError, match="same rows"):
        decide({"a": CHAMPION}, {"a": answers(TRUTH[::-1], same(15))}, corrections=LEARNT)
    for champion, challenger in (({}, {}), ({"a": CHAMPION}, {"b": CHAMPION})):
        with pytest.raises(ValueError, match="same frozen sets"):
            decide(champion, challenger, corrections=LEARNT)


def test_rules_below_zero_are_refused() -> None:
    with pytest.raises(ConfigError, match="gate: tolerance must be 0 or more"):
        GateRules(tolerance=-0.1)
    with pytest.raises(ConfigError, match="gate: recall_drop"):
        GateRules(recall_drop=float("nan"))
    with pytest.raises(ConfigError, match="gate: certainty must be at most 1"):
        GateRules(certainty=1.1)
