"""Old predictions go once a day, unless somebody corrected them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from tests.tweetsent.conftest import Saver
from tweetsent import retention
from tweetsent import store as store_module
from tweetsent.errors import StoreError
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
    with reading(engine) as session:
        return list(session.scalars(select(PredictionRow.id).order_by(PredictionRow.id)))


async def sweep_until(store: Store, done: Callable[[], bool], *, keep_days: int = 30) -> None:
    service = SentimentService(store, NoClassifier())
    sweep = asyncio.create_task(retention.sweep_daily(service, keep_days))
    while not done():
        await asyncio.sleep(0.01)
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)
    await service.close()


def test_only_what_is_old_and_was_never_corrected_is_deleted(
    store: Store, save: Saver, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_DELETED_AT_ONCE", 2)
    for number in range(1, 8):
        save(number)
    store.correct(1, 4, Label.NEGATIVE)
    store.correct(1, 4, Label.NEUTRAL)
    make_older(engine, {1: 30, 2: 31, 3: 400, 4: 400, 5: 29, 6: 30})

    asyncio.run(sweep_until(store, lambda: len(kept(engine)) <= 3))

    assert kept(engine) == [4, 5, 7]


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
    real = store.delete_uncorrected
    failures = [StoreError("database x: database is locked: another process is using it")]

    def locked_once(before: datetime) -> int:
        if failures:
            raise failures.pop()
        return real(before)

    monkeypatch.setattr(store, "delete_uncorrected", locked_once)

    asyncio.run(sweep_until(store, lambda: not kept(engine)))

    assert "old predictions can't be deleted: database x: database is locked" in caplog.text
