"""Once a day old predictions become nobody's, unless somebody corrected them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import Engine, select

from tests.tweetsent.conftest import Saver
from tweetsent import retention
from tweetsent import store as store_module
from tweetsent.errors import NotFoundError, StoreError
from tweetsent.labels import Label
from tweetsent.records import Scored
from tweetsent.service import SentimentService
from tweetsent.sessions import reading, writing
from tweetsent.store import Store
from tweetsent.tables import PredictionRow


class NoClassifier:
    version = "none"

    async def classify(self, text: str) -> Scored:
        raise NotImplementedError


def make_older(engine: Engine, days: dict[int, int]) -> None:
    with writing(engine) as session:
        for prediction_id, age in days.items():
            row = session.get_one(PredictionRow, prediction_id)
            row.created_at = datetime.now(UTC) - timedelta(days=age, minutes=1)


def kept(engine: Engine) -> list[int]:
    """Those that are somebody's."""
    query = select(PredictionRow.id).where(PredictionRow.user_id.is_not(None))
    with reading(engine) as session:
        return list(session.scalars(query.order_by(PredictionRow.id)))


async def sweep_until(store: Store, done: Callable[[], bool], *, keep_days: int = 30) -> None:
    service = SentimentService(store, NoClassifier())
    sweep = asyncio.create_task(retention.sweep_daily(service, keep_days))
    while not done():
        await asyncio.sleep(0.01)
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)
    await service.close()


def test_only_what_is_old_and_was_never_corrected_becomes_anonymous(
    store: Store, save: Saver, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_ANONYMISED_AT_ONCE", 2)
    for number in range(1, 8):
        save(number)
    store.correct(1, 4, Label.NEGATIVE)
    store.correct(1, 4, Label.NEUTRAL)
    make_older(engine, {1: 30, 2: 31, 3: 400, 4: 400, 5: 29, 6: 30})

    asyncio.run(sweep_until(store, lambda: len(kept(engine)) <= 3))

    assert kept(engine) == [4, 5, 7]


def test_what_is_anonymous_counts_and_says_nothing_of_anybody(
    store: Store, save: Saver, engine: Engine
) -> None:
    save(1, label=Label.NEGATIVE, latency_ms=7.0, is_group=True)
    save(2)
    save(3, user_id=2)
    make_older(engine, {1: 40, 2: 39})
    before = store.stats(train_on_forwards=True)

    assert store.anonymise_uncorrected(datetime.now(UTC) - timedelta(days=30)) == 2
    assert store.anonymise_uncorrected(datetime.now(UTC) - timedelta(days=30)) == 0

    after = store.stats(train_on_forwards=True)
    assert (after.predictions, after.by_label, after.by_model, after.latency_ms_p50) == (
        before.predictions,
        before.by_label,
        before.by_model,
        before.latency_ms_p50,
    )
    assert after.trend.predictions.tolist() == before.trend.predictions.tolist()
    assert (before.users, after.users) == (2, 1)  # of whom a message is kept
    with reading(engine) as session:
        row = session.get_one(PredictionRow, 1)
        names = [column.name for column in PredictionRow.__table__.columns]
        filled = {name for name in names if getattr(row, name)}
        assert row.created_at == datetime.combine(row.created_at, time(), UTC)
    assert filled == {
        "id",
        "is_group",
        "label",
        "score_negative",
        "score_neutral",
        "score_positive",
        "model_version",
        "prompt_version",
        "latency_ms",
        "parts",
        "created_at",
    }
    assert store.own.history(1, 5).total == 0
    assert store.find_prediction(1, 1) is None
    with pytest.raises(NotFoundError):
        store.get_prediction(1, 1)
    with pytest.raises(NotFoundError):
        store.correct(1, 1, Label.NEGATIVE)
    # The same message again, as after an edit, is a new one.
    assert save(1).id > 3


def test_a_failed_sweep_is_made_up_for_with_the_next(
    store: Store,
    save: Saver,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(retention, "_BETWEEN_SWEEPS", timedelta(seconds=0.01))
    save(1)
    make_older(engine, {1: 30})
    real = store.anonymise_uncorrected
    failures = [StoreError("database x: database is locked: another process is using it")]

    def locked_once(before: datetime) -> int:
        if failures:
            raise failures.pop()
        return real(before)

    monkeypatch.setattr(store, "anonymise_uncorrected", locked_once)

    asyncio.run(sweep_until(store, lambda: not kept(engine)))

    assert "old predictions can't be made anonymous: database x: database is locked" in caplog.text
