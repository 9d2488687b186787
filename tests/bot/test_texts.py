"""The texts that depend on numbers."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from bot import texts
from bot.texts.answers import correction
from training.gate import Shortcoming
from tweetsent.labels import UNSURE_BELOW, Label, Scores
from tweetsent.passages import MAX_PARTS, split
from tweetsent.records import (
    Analysis,
    Correction,
    CorrectionState,
    Prediction,
    Reason,
    ReviewItem,
    Run,
    RunState,
    RunStep,
    Scope,
    Stats,
    Trend,
    Trigger,
)

PREDICTION = Prediction(1, "a", Scores(0.1, 0.2, 0.7), "v", 1.0, datetime.now(UTC), None, 5, False)


def change(old: Label, new: Label) -> Correction:
    return Correction(PREDICTION, old, new, by_author=True, ask_consent=False)


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
        "trend": Trend((date(2026, 11, 27),), False, np.zeros((1, 3)), np.zeros(1), np.zeros(1)),
    }
    return Stats(**(numbers | changes))  # type: ignore[arg-type]


def answer(
    text: str, *scores: Scores, overall: Scores = PREDICTION.scores, is_foreign: bool = False
) -> list[str]:
    """The paragraphs of an answer to a text with parts of these scores."""
    analysis = Analysis(replace(PREDICTION, scores=overall), split(text), scores, is_foreign)
    return texts.answers.answer(analysis).split("\n\n")


RESULT = "😊 Olumlu · %70\n▰▰▰▰▰▰▰▱▱▱\n😞 %10 · 😐 %20 · 😊 %70"
BAD, GOOD = Scores(0.88, 0.1, 0.02), Scores(0.02, 0.05, 0.93)


def test_an_answer_shows_label_bar_and_scores() -> None:
    assert answer("a") == [RESULT, texts.answers.CORRECT_HINT]


def test_under_the_answer_to_a_foreign_text_stands_a_hint() -> None:
    assert answer("a", is_foreign=True) == [
        RESULT,
        texts.answers.FOREIGN,
        texts.answers.CORRECT_HINT,
    ]


def test_the_answer_to_two_short_lines_shows_them() -> None:
    assert answer("güzel\nkötü", GOOD, BAD) == [
        RESULT,
        "😊 %93 güzel\n😞 %88 kötü",
        texts.answers.CORRECT_HINT,
    ]


def test_the_answer_to_a_list_counts_its_labels() -> None:
    assert answer("- güzel\n- kötü\n- güzel", GOOD, BAD, GOOD)[1] == (
        "3 satır: 😞 1 · 😐 0 · 😊 2\n😊 %93 güzel\n😞 %88 kötü\n😊 %93 güzel"
    )


def test_the_answer_to_a_long_text_counts_the_labels_of_its_sentences() -> None:
    sentence = "Bu cümle yalnızca metni uzatmak için burada duruyor. "
    assert answer(sentence * 20, *[GOOD] * 20)[1] == "20 parça: 😞 0 · 😐 0 · 😊 20"
    assert answer("Evet doğru. " * 1087, *[BAD] * MAX_PARTS)[1] == (
        "50 parça: 😞 50 · 😐 0 · 😊 0\n"
        "… ve 1.037 parça daha; bir mesajda en çok 50 parça okuyorum."
    )


def test_the_longest_answer_fits_into_a_message() -> None:
    text = f"a{'😀😁😂😃😄😅😆😇😈' * 22}\n" * 87
    shown = "\n\n".join(answer(text, *[GOOD] * MAX_PARTS, is_foreign=True))
    assert len(shown.encode("utf-16-le")) // 2 <= 4096
    assert shown.count("…\n") == MAX_PARTS
    assert "… ve 37 satır daha; bir mesajda en çok 50 satır okuyorum." in shown


def test_a_text_is_shortened_by_what_telegram_counts() -> None:
    assert texts.wording.shortened("😀😀", 4) == "😀😀"
    assert texts.wording.shortened("😀😀😀", 5) == "😀😀…"
    assert texts.wording.shortened("bir iki", 4) == "bir…"


def test_only_the_whole_is_shown_as_100_percent() -> None:
    shares = [0, 0.004, 0.006, 0.985, 0.994, 0.996, 1 - 1e-12, 1]
    shown = [texts.wording.percent(share) for share in shares]
    assert shown == ["%0", "%0", "%1", "%98", "%99", "%99", "%99", "%100"]


def test_an_answer_is_unsure_below_the_threshold_alone() -> None:
    unsure, sure = UNSURE_BELOW - 0.001, UNSURE_BELOW
    hints = [answer("a", overall=Scores(0, 1 - share, share))[-1] for share in (unsure, sure)]
    assert hints == [texts.answers.UNSURE_HINT, texts.answers.CORRECT_HINT]


def test_a_correction_shows_old_and_new_and_a_confirmation_only_one() -> None:
    assert "😊 Olumlu → 😐 Tarafsız" in correction(change(Label.POSITIVE, Label.NEUTRAL))
    assert correction(change(Label.NEUTRAL, Label.NEUTRAL)) == "✅ Kaydettim: 😐 Tarafsız"


def test_stats_without_corrections() -> None:
    lines = texts.statistics.stats(stats(), Scope()).splitlines()

    assert "💬 Tahmin: 12.345 (son 24 saatte 7)" in lines
    assert "🎯 Henüz düzeltme yok; isabeti ölçmek için önce düzeltme gerekiyor." in lines
    assert not any("⚡" in line for line in lines)
    assert sum("🤖" in line for line in lines) == 3


def test_stats_with_corrections() -> None:
    text = texts.statistics.stats(
        stats(
            accuracy=0.75,
            macro_f1=0.7249,
            latency_ms_p50=52,
            latency_ms_p95=90,
            corrections=4000,
            confusion=np.diag([1000, 1000, 1000]),
        ),
        Scope(30, "v9"),
    )

    assert text.startswith("📊 İstatistikler: Son 30 gün · v9\n")
    assert "\n     doğru bulunan 3.000 · değiştirilen 1.000\n" in text
    assert "🎯 Düzeltmelere göre doğruluk: %75 · Makro-F1: 0,72" in text
    assert "⚡ Süre: ortanca 52 ms, %95'i en çok 90 ms" in text


def test_many_long_versions_fit_into_a_message() -> None:
    text = texts.statistics.unseen_version("y" * 500, [f"{n}" * 60 for n in range(10, 99)])
    assert len(text) <= 4096
    assert text.startswith(f"“{'y' * 59}…” sürümünün hiç yanıtı yok.")


@pytest.mark.parametrize(
    "note",
    [
        texts.guide.ADMINS_ONLY,
        texts.answers.BUTTON_SAVED,
        texts.answers.BUTTON_NOT_YOURS,
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


def test_a_long_message_is_cut_where_duzelt_names_it() -> None:
    assert texts.answers.last_message("x" * 61) == f"Son mesajın: “{'x' * 59}…”\n"


def test_long_words_are_cut() -> None:
    assert "x" * 29 + "…" in texts.answers.unknown_label("x" * 31)
