from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update

from tests.tweetsent.conftest import Saver
from tweetsent.errors import UnseenVersionError
from tweetsent.labels import LABELS, Label
from tweetsent.records import Scope
from tweetsent.sessions import writing
from tweetsent.store import Store
from tweetsent.tables import PredictionRow, utc_now

NEG, NEU, POS = LABELS
NOON = utc_now().replace(hour=12, minute=0, second=0, microsecond=0)

Dated = Callable[..., int]


def test_an_empty_database_has_no_rates(store: Store) -> None:
    stats = store.stats(train_on_forwards=False)
    assert (stats.users, stats.predictions, stats.corrections) == (0, 0, 0)
    assert stats.by_label == {NEG: 0, NEU: 0, POS: 0}
    assert stats.by_model == {}
    assert stats.confusion.tolist() == [[0, 0, 0]] * 3
    rates = (stats.accuracy, stats.macro_f1, stats.latency_ms_p50, stats.latency_ms_p95)
    assert rates == (None, None, None, None)


def test_counts_by_label_and_model(store: Store, save: Saver) -> None:
    save(1, label=NEG, user_id=1, model_version="old")
    save(2, label=POS, user_id=2, model_version="new")
    save(3, label=POS, user_id=2, model_version="old")
    stats = store.stats(train_on_forwards=False)
    assert (stats.users, stats.predictions) == (2, 3)
    assert list(stats.by_label.items()) == [(NEG, 1), (NEU, 0), (POS, 2)]
    assert list(stats.by_model.items()) == [("new", 1), ("old", 2)]


def test_the_last_day_is_24_hours(store: Store, save: Saver, engine: Engine) -> None:
    save(1)
    for message_id, hours in ((2, 23), (3, 25)):
        row = save(message_id)
        with writing(engine) as session:
            session.execute(
                update(PredictionRow)
                .where(PredictionRow.id == row.id)
                .values(created_at=utc_now() - timedelta(hours=hours))
            )
    assert store.stats(train_on_forwards=False).predictions_last_day == 2


def test_the_live_corrections_judge_the_model(store: Store, save: Saver) -> None:
    for message_id, predicted, words in [
        (1, POS, [NEG]),
        (2, POS, [NEG, POS]),
        (3, NEU, [NEU]),
        (4, NEG, [NEU]),
        (5, NEG, []),
    ]:
        prediction = save(message_id, label=predicted)
        for word in words:
            store.correct(1, prediction.id, word)
    stats = store.stats(train_on_forwards=False)
    assert stats.corrections == 4
    assert stats.confusion.tolist() == [[0, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert stats.accuracy == pytest.approx(0.5)
    # F1: negative 0, neutral 2*1*0.5/1.5, positive 2*0.5*1/1.5.
    assert stats.macro_f1 == pytest.approx((0 + 2 / 3 + 2 / 3) / 3)


def test_latencies_are_nearest_ranks(store: Store, save: Saver) -> None:
    for message_id in range(1, 21):
        save(message_id, latency_ms=float(21 - message_id))
    stats = store.stats(train_on_forwards=False)
    assert (stats.latency_ms_p50, stats.latency_ms_p95) == (10.0, 19.0)


@pytest.mark.parametrize(("answer", "trainable"), [(None, 0), (False, 0), (True, 1)])
def test_only_consent_makes_a_correction_trainable(
    store: Store, save: Saver, answer: bool | None, trainable: int
) -> None:
    store.correct(1, save(1).id, Label.NEGATIVE)
    if answer is not None:
        store.set_consent(1, answer)
    assert store.stats(train_on_forwards=True).trainable_corrections == trainable


def test_withdrawn_consent_and_superseded_corrections_do_not_train(
    store: Store, save: Saver
) -> None:
    prediction = save(1)
    store.set_consent(1, True)
    store.correct(1, prediction.id, NEG)
    store.correct(1, prediction.id, NEU)
    assert store.stats(train_on_forwards=False).trainable_corrections == 1
    store.set_consent(1, False)
    assert store.stats(train_on_forwards=False).trainable_corrections == 0


def test_forwards_and_groups_train_only_when_the_owner_allows_it(store: Store, save: Saver) -> None:
    store.set_consent(1, True)
    store.correct(1, save(1).id, NEG)
    store.correct(1, save(2, is_forward=True).id, NEG)
    store.correct(1, save(3, is_group=True).id, NEG)
    assert store.stats(train_on_forwards=False).trainable_corrections == 1
    assert store.stats(train_on_forwards=True).trainable_corrections == 3


def test_the_author_of_a_text_must_consent_too(store: Store, save: Saver) -> None:
    prediction = save(1, user_id=1, is_group=True)
    store.set_consent(2, True)
    store.correct(2, prediction.id, NEG)
    assert store.stats(train_on_forwards=True).trainable_corrections == 0
    store.set_consent(1, True)
    assert store.stats(train_on_forwards=True).trainable_corrections == 1


@pytest.fixture
def dated(save: Saver, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Dated:
    """Stores a prediction of some time ago; it is noon, in UTC."""
    monkeypatch.setattr("tweetsent.statistics.utc_now", lambda: NOON)

    def dated(message_id: int, ago: timedelta, **of: Any) -> int:
        row = save(message_id, **of)
        with writing(engine) as session:
            session.execute(
                update(PredictionRow)
                .where(PredictionRow.id == row.id)
                .values(created_at=NOON - ago)
            )
        return row.id

    return dated


def test_days_begin_at_midnight_and_today_is_one_of_them(store: Store, dated: Dated) -> None:
    judged = dated(1, timedelta(hours=12), label=NEG, model_version="new")
    store.correct(1, judged, POS)
    late = dated(2, timedelta(hours=12, seconds=1), label=POS, user_id=2)
    store.correct(1, late, POS)
    store.set_consent(1, True)
    today, two, everything = (
        store.stats(Scope(days), train_on_forwards=False) for days in (1, 2, None)
    )
    assert (today.users, today.predictions, today.corrections, today.changes) == (1, 1, 1, 1)
    assert (today.by_model, today.trainable_corrections) == ({"new": 1}, 1)
    assert (two.users, two.predictions, two.corrections, two.confirmations) == (2, 2, 2, 1)
    assert two.confusion.tolist() == everything.confusion.tolist()


def test_one_version_alone(store: Store, dated: Dated) -> None:
    store.correct(1, dated(1, timedelta(), model_version="new", latency_ms=5.0), NEG)
    store.correct(1, dated(2, timedelta(days=40), model_version="old", latency_ms=7.0), POS)
    old = store.stats(Scope(model="old"), train_on_forwards=False)
    assert (old.predictions, old.accuracy, old.latency_ms_p50) == (1, 1.0, 7.0)
    assert store.stats(Scope(7, "old"), train_on_forwards=False).predictions == 0
    with pytest.raises(UnseenVersionError, match=r"'next'.* old, new$") as caught:
        store.stats(Scope(model="next"), train_on_forwards=False)
    assert caught.value.seen == ["old", "new"]


def test_the_trend_is_by_day_of_the_prediction(store: Store, dated: Dated) -> None:
    store.correct(1, dated(1, timedelta(days=2, hours=12), label=NEG), NEG)
    store.correct(1, dated(2, timedelta(days=2), label=POS), NEU)
    dated(3, timedelta(), label=POS)
    trend = store.stats(train_on_forwards=False).trend
    days = [NOON.date() - timedelta(days=back) for back in (2, 1, 0)]
    assert (list(trend.starts), trend.is_weekly) == (days, False)
    assert trend.predictions.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert trend.corrections.tolist() == [2, 0, 0]
    assert trend.confirmations.tolist() == [1, 0, 0]


def test_a_long_trend_is_by_week(store: Store, dated: Dated) -> None:
    dated(1, timedelta(days=40))
    dated(2, timedelta(), label=NEU)
    trend = store.stats(train_on_forwards=False).trend
    assert trend.is_weekly
    assert trend.starts[0] <= NOON.date() - timedelta(days=40)
    assert {start.weekday() for start in trend.starts} == {0}
    assert trend.predictions[0].tolist() == [0, 0, 1]
    assert trend.predictions[-1].tolist() == [0, 1, 0]
    assert trend.predictions.sum() == 2


def test_what_a_fast_clock_dated_counts_as_todays(store: Store, dated: Dated) -> None:
    dated(1, -timedelta(days=2))
    trend = store.stats(train_on_forwards=False).trend
    assert trend.predictions.tolist() == [[0, 0, 1]]


def test_no_message_is_a_trend_of_today(store: Store) -> None:
    trend = store.stats(train_on_forwards=False).trend
    assert trend.starts == (utc_now().date(),)
    assert not trend.predictions.any()


def test_how_sure_the_model_was_and_how_right(store: Store, save: Saver) -> None:
    assert store.spread().reliability is None
    assert store.spread().latency_ms == {}
    for message_id, words in ((1, POS), (2, NEG), (3, None)):
        prediction = save(message_id, label=POS, latency_ms=float(message_id))
        if words:
            store.correct(1, prediction.id, words)
    spread = store.spread()
    confidence = prediction.scores.confidence
    assert spread.confidences.sum() == 3
    assert spread.confidences[int(confidence * len(spread.confidences))] == 3
    assert spread.latency_ms == {50: 2.0, 90: 3.0, 95: 3.0, 99: 3.0}
    assert spread.reliability is not None
    assert spread.reliability.counts.sum() == 2
    assert spread.reliability.ece == pytest.approx(abs(confidence - 0.5))
    assert store.spread(Scope(model="another")).confidences.sum() == 0
