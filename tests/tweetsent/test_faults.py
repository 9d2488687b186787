"""Faults of the model: each is given out once, and again after it was mended."""

from sqlalchemy import Engine

from tweetsent.faults import Faults
from tweetsent.records import FaultKind, ModelFault


def test_each_fault_is_given_out_once(engine: Engine) -> None:
    faults = Faults(engine)
    faults.note("a-1", FaultKind.LOADING, "damaged")
    faults.note("a-1", FaultKind.LOADING, "still damaged")
    faults.note("a-1", FaultKind.SCORING, "no numbers")
    faults.note("a-2", FaultKind.LOADING, "missing")

    assert faults.reason("a-1", FaultKind.LOADING) == "damaged"
    assert faults.reason("a-2", FaultKind.SCORING) is None

    assert [faults.claim(), Faults(engine).claim(), faults.claim(), faults.claim()] == [
        ModelFault("a-1", FaultKind.LOADING, "damaged"),
        ModelFault("a-1", FaultKind.SCORING, "no numbers"),
        ModelFault("a-2", FaultKind.LOADING, "missing"),
        None,
    ]
    assert faults.reason("a-1", FaultKind.LOADING) == "damaged"
    faults.note("a-1", FaultKind.LOADING, "damaged")
    assert faults.claim() is None


def test_a_mended_fault_that_comes_back_is_news(engine: Engine) -> None:
    faults = Faults(engine)
    for reason in ("damaged", "damaged again"):
        faults.note("a-1", FaultKind.LOADING, reason)
        assert faults.claim() == ModelFault("a-1", FaultKind.LOADING, reason)
        faults.forget("a-1", FaultKind.LOADING)
        assert faults.reason("a-1", FaultKind.LOADING) is None
    faults.note("a-1", FaultKind.SCORING, "no numbers")
    faults.forget("a-1", FaultKind.LOADING)
    assert faults.claim() is not None
