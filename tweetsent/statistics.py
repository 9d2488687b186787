"""Reads what `/stats` shows from the database."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from sqlalchemy import ColumnElement, String, case, func, select
from sqlalchemy.orm import Session

from tweetsent.decisions import trainable
from tweetsent.errors import UnseenVersionError
from tweetsent.labels import LABELS, Label
from tweetsent.metrics import compute_metrics, reliability
from tweetsent.records import LATENCY_PERCENTILES, Scope, Spread, Stats, Trend
from tweetsent.tables import CorrectionRow, PredictionRow, utc_now

_LONGEST_BY_DAY = 35
"""Days of a trend that are shown one by one; more are shown by week."""

_CONFIDENCE_BINS = 20
_SCORES = (
    PredictionRow.score_negative,
    PredictionRow.score_neutral,
    PredictionRow.score_positive,
)
_CONFIDENCE = case(
    *((PredictionRow.label == label, score) for label, score in zip(LABELS, _SCORES, strict=True))
)
_Where = Sequence[ColumnElement[bool]]


def read_stats(session: Session, scope: Scope, *, train_on_forwards: bool) -> Stats:
    """The statistics of the scope's predictions, read in one transaction.

    Raises UnseenVersionError for a version of which no prediction is.
    """
    where = _where(scope)
    if scope.model is not None:
        seen = _by_model(session, ())
        if scope.model not in seen:
            raise UnseenVersionError(scope.model, list(seen))
    truth, predicted = _judged_pairs(session, where)
    metrics = compute_metrics(truth, predicted) if truth else None
    return Stats(
        users=session.scalar(select(func.count(PredictionRow.user_id.distinct())).where(*where))
        or 0,
        predictions=_count(session, where),
        predictions_last_day=_count(
            session, [*where, PredictionRow.created_at > utc_now() - timedelta(days=1)]
        ),
        by_label=_by_label(session, where),
        by_model=_by_model(session, where),
        corrections=len(truth),
        trainable_corrections=_trainable(session, where, train_on_forwards),
        accuracy=metrics.accuracy if metrics else None,
        macro_f1=metrics.macro_f1 if metrics else None,
        confusion=metrics.confusion_matrix if metrics else np.zeros((3, 3), dtype=int),
        latency_ms_p50=_latency_ms(session, where, 0.50),
        latency_ms_p95=_latency_ms(session, where, 0.95),
        trend=_trend(session, where),
    )


def read_spread(session: Session, scope: Scope) -> Spread:
    """How sure the model was and how long it took, of the scope's predictions."""
    where = _where(scope)
    counts = np.zeros(_CONFIDENCE_BINS, dtype=int)
    # Rounding so is rounding down; only functions that both databases have.
    place = func.round(_CONFIDENCE * _CONFIDENCE_BINS - 0.5)
    for index, count in session.execute(
        select(place, func.count()).where(*where).group_by(place)
    ).all():
        counts[min(max(int(index), 0), _CONFIDENCE_BINS - 1)] += count
    judged = session.execute(
        select(CorrectionRow.label, *_SCORES)
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .where(CorrectionRow.superseded_at.is_(None), *where)
    ).all()
    latencies = {
        percentile: latency
        for percentile in LATENCY_PERCENTILES
        if (latency := _latency_ms(session, where, percentile / 100)) is not None
    }
    return Spread(
        confidences=counts,
        reliability=reliability(
            np.array([scores for _, *scores in judged]), [label for label, *_ in judged]
        )
        if judged
        else None,
        latency_ms=latencies,
    )


def _where(scope: Scope) -> _Where:
    where: list[ColumnElement[bool]] = []
    if scope.days is not None:
        first = utc_now().date() - timedelta(days=scope.days - 1)
        where.append(PredictionRow.created_at >= datetime.combine(first, time(), UTC))
    if scope.model is not None:
        where.append(PredictionRow.model_version == scope.model)
    return where


def _count(session: Session, where: _Where) -> int:
    return session.scalar(select(func.count()).select_from(PredictionRow).where(*where)) or 0


def _by_label(session: Session, where: _Where) -> dict[Label, int]:
    rows = session.execute(
        select(PredictionRow.label, func.count()).where(*where).group_by(PredictionRow.label)
    )
    return dict.fromkeys(LABELS, 0) | dict(rows.all())


def _by_model(session: Session, where: _Where) -> dict[str, int]:
    """Predictions by model version; the version that was seen first last comes first."""
    rows = session.execute(
        select(PredictionRow.model_version, func.count())
        .where(*where)
        .group_by(PredictionRow.model_version)
        .order_by(func.min(PredictionRow.id).desc())
    )
    return dict(rows.all())


def _judged_pairs(session: Session, where: _Where) -> tuple[list[Label], list[Label]]:
    """The users' labels and the model's, one pair for each live correction."""
    rows = session.execute(
        select(CorrectionRow.label, PredictionRow.label, func.count())
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .where(CorrectionRow.superseded_at.is_(None), *where)
        .group_by(CorrectionRow.label, PredictionRow.label)
    ).all()
    truth = [label for label, _, count in rows for _ in range(count)]
    predicted = [label for _, label, count in rows for _ in range(count)]
    return truth, predicted


def _trainable(session: Session, where: _Where, train_on_forwards: bool) -> int:
    query = trainable(train_on_forwards=train_on_forwards).where(*where)
    return session.scalar(query.with_only_columns(func.count())) or 0


def _latency_ms(session: Session, where: _Where, share: float) -> float | None:
    """The smallest latency that at least `share` of the predictions do not exceed."""
    count = _count(session, where)
    rank = max(int(np.ceil(share * count)) - 1, 0)
    return session.scalar(
        select(PredictionRow.latency_ms)
        .where(*where)
        .order_by(PredictionRow.latency_ms)
        .offset(rank)
        .limit(1)
    )


def _trend(session: Session, where: _Where) -> Trend:
    """From the first day with a prediction until today."""
    day = _utc_day(session)
    made = session.execute(
        select(day, PredictionRow.label, func.count())
        .where(*where)
        .group_by(day, PredictionRow.label)
    ).all()
    judged = session.execute(
        select(day, CorrectionRow.label == PredictionRow.label, func.count())
        .select_from(CorrectionRow)
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .where(CorrectionRow.superseded_at.is_(None), *where)
        .group_by(day, CorrectionRow.label == PredictionRow.label)
    ).all()
    today = utc_now().date()
    first = min((date.fromisoformat(text) for text, _, _ in made), default=today)
    is_weekly = (today - first).days >= _LONGEST_BY_DAY
    width = 7 if is_weekly else 1
    if is_weekly:
        first -= timedelta(days=first.weekday())
    # One that a clock of tomorrow dated counts as today's.
    periods = max((today - first).days, 0) // width + 1

    def period(text: str) -> int:
        return min((date.fromisoformat(text) - first).days // width, periods - 1)

    predictions = np.zeros((periods, len(LABELS)), dtype=int)
    corrections, confirmations = np.zeros((2, periods), dtype=int)
    for text, label, count in made:
        predictions[period(text), LABELS.index(label)] += count
    for text, is_confirmed, count in judged:
        corrections[period(text)] += count
        confirmations[period(text)] += count if is_confirmed else 0
    return Trend(
        starts=tuple(first + timedelta(days=width * number) for number in range(periods)),
        is_weekly=is_weekly,
        predictions=predictions,
        corrections=corrections,
        confirmations=confirmations,
    )


def _utc_day(session: Session) -> ColumnElement[str]:
    """The day of a prediction in UTC, as ISO text; SQLite stores UTC times as such text."""
    made = PredictionRow.created_at
    if session.get_bind().dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", made), "YYYY-MM-DD", type_=String)
    return func.date(made, type_=String)
