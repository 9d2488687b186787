"""The texts that depend on numbers."""

from datetime import UTC, datetime

import numpy as np
import pytest

from bot import texts
from bot.texts.answers import correction
from training.gate import Shortcoming
from tweetsent.labels import Label, Scores
from tweetsent.records import (
    Correction,
    CorrectionState,
    Prediction,
    Reason,
    ReviewItem,
    Run,
    RunState,
    RunStep,
    Stats,
    Trigger,
)

PREDICTION = Prediction(1, "a", Scores(0.1, 0.2, 0.7), "v", 1.0, datetime.now(UTC), None, 5, False)


def change(old: Label, new: Label) -> Correction:
    return Correction(PREDICTION, old, new, False)


def stats(**changes: object) -> Stats:
    numbers: dict[str, object] = {
        "users": 3,
        "predictions": 12345,
        "predictions_last_day": 7,
        "by_label": {Label.NEGATIVE: 5, Label.NEUTRAL: 0, Label.POSITIVE: 12340},
        "by_model": {f"v{number}": number for number in range(9, 0, -1)},
        "corrections": 0,
        "trainable_corrections": 0,
        "accuracy": None,
        "macro_f1": None,
        "confusion": np.zeros((3, 3), dtype=int),
        "latency_ms_p50": None,
        "latency_ms_p95": None,
    }
    return Stats(**(numbers | changes))  # type: ignore[arg-type]


def test_an_answer_shows_label_bar_and_scores() -> None:
    assert texts.answers.answer(PREDICTION.scores).splitlines() == [
        "😊 Olumlu · %70",
        "▰▰▰▰▰▰▰▱▱▱",
        "😞 %10 · 😐 %20 · 😊 %70",
        "",
        texts.answers.CORRECT_HINT,
    ]


def test_a_correction_shows_old_and_new_and_a_confirmation_only_one() -> None:
    assert "😊 Olumlu → 😐 Tarafsız" in correction(change(Label.POSITIVE, Label.NEUTRAL))
    assert correction(change(Label.NEUTRAL, Label.NEUTRAL)) == "✅ Kaydettim: 😐 Tarafsız"


def test_stats_without_corrections() -> None:
    lines = texts.statistics.stats(stats()).splitlines()

    assert "💬 Tahmin: 12.345 (son 24 saatte 7)" in lines
    assert "🎯 Henüz düzeltme yok; isabeti ölçmek için önce düzeltme gerekiyor." in lines
    assert not any("⚡" in line for line in lines)
    assert sum("🤖" in line for line in lines) == 3


def test_stats_with_corrections() -> None:
    text = texts.statistics.stats(
        stats(accuracy=0.75, macro_f1=0.7249, latency_ms_p50=52, latency_ms_p95=90)
    )

    assert "🎯 Düzeltmelere göre doğruluk: %75 · Makro-F1: 0,72" in text
    assert "⚡ Süre: ortanca 52 ms, %95'i en çok 90 ms" in text


@pytest.mark.parametrize(
    "note",
    [
        texts.guide.ADMINS_ONLY,
        texts.answers.BUTTON_SAVED,
        texts.answers.BUTTON_UNKNOWN,
        texts.answers.NOT_FOUND,
        texts.privacy.CONSENT_NOT_YOURS,
        texts.review.TOO_LATE,
    ],
)
def test_notes_on_buttons_fit_telegram(note: str) -> None:
    assert len(note) <= 200


@pytest.mark.parametrize("reason", Reason)
def test_a_correction_to_review_fits_into_a_message(reason: Reason) -> None:
    item = ReviewItem(
        correction_id=1,
        text="😀" * 4096,
        scores=PREDICTION.scores,
        label=Label.NEGATIVE,
        others={Label.NEUTRAL: 2, Label.POSITIVE: 1},
        state=CorrectionState.DISPUTED,
        reason=reason,
    )
    text = texts.review.item(item, left=1234)
    assert len(text.encode("utf-16-le")) // 2 <= 4096
    assert "kalan: 1.234" in text
    assert "👥 Başkaları: 😐 Tarafsız ×2 · 😊 Olumlu ×1" in text


def refused(what: str) -> str:
    """The line that says why a run's model does not serve."""
    now = datetime.now(UTC)
    objection = {"name": "corrections", "what": what, "before": 0.5, "after": 0.25}
    objection["label"] = Label.NEGATIVE
    decision = {"frozen": [], "corrections": None, "objections": [objection]}
    run = Run(
        id=1,
        trigger=Trigger.CLI,
        state=RunState.REFUSED,
        step=RunStep.PROMOTION,
        done=0,
        total=0,
        started_at=now,
        finished_at=now,
        corrections=None,
        snapshot=None,
        model_version=None,
        decision=decision,
        reason="",
    )
    (line,) = (line for line in texts.retraining.report(run).splitlines() if line.startswith("•"))
    return line


def test_an_unknown_objection_is_told_in_general_words_and_each_known_one_in_its_own() -> None:
    unknown = refused("speed")
    assert unknown == "• son düzeltmeler: ölçütü karşılamadı (0,50 → 0,25)"
    known = {refused(what) for what in Shortcoming}
    assert len(known - {unknown}) == len(Shortcoming)


def test_long_words_are_cut() -> None:
    assert "x" * 30 + "…" in texts.answers.unknown_label("x" * 31)
