"""Reads what `/stats` shows from the database."""

from datetime import timedelta

import numpy as np
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from tweetsent.decisions import trainable
from tweetsent.labels import LABELS, Label
from tweetsent.metrics import compute_metrics
from tweetsent.records import Stats
from tweetsent.tables import CorrectionRow, PredictionRow, User, utc_now


def read_stats(session: Session, *, train_on_forwards: bool) -> Stats:
    """The statistics of everything stored, read in one transaction."""
    truth, predicted = _judged_pairs(session)
    metrics = compute_metrics(truth, predicted) if truth else None
    return Stats(
        users=_count(session, User),
        predictions=_count(session, PredictionRow),
        predictions_last_day=_count(
            session, PredictionRow, PredictionRow.created_at > utc_now() - timedelta(days=1)
        ),
        by_label=_by_label(session),
        by_model=_by_model(session),
        corrections=len(truth),
        trainable_corrections=_trainable(session, train_on_forwards),
        accuracy=metrics.accuracy if metrics else None,
        macro_f1=metrics.macro_f1 if metrics else None,
        confusion=metrics.confusion_matrix if metrics else np.zeros((3, 3), dtype=int),
        latency_ms_p50=_latency_ms(session, 0.50),
        latency_ms_p95=_latency_ms(session, 0.95),
    )


def _count(session: Session, table: type[User | PredictionRow], *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def _by_label(session: Session) -> dict[Label, int]:
    rows = session.execute(select(PredictionRow.label, func.count()).group_by(PredictionRow.label))
    return dict.fromkeys(LABELS, 0) | dict(rows.all())


def _by_model(session: Session) -> dict[str, int]:
    """Predictions by model version; the version that was seen first last comes first."""
    rows = session.execute(
        select(PredictionRow.model_version, func.count())
        .group_by(PredictionRow.model_version)
        .order_by(func.min(PredictionRow.id).desc())
    )
    return dict(rows.all())


def _judged_pairs(session: Session) -> tuple[list[Label], list[Label]]:
    """The users' labels and the model's, one pair for each live correction."""
    rows = session.execute(
        select(CorrectionRow.label, PredictionRow.label, func.count())
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .where(CorrectionRow.superseded_at.is_(None))
        .group_by(CorrectionRow.label, PredictionRow.label)
    ).all()
    truth = [label for label, _, count in rows for _ in range(count)]
    predicted = [label for _, label, count in rows for _ in range(count)]
    return truth, predicted


def _trainable(session: Session, train_on_forwards: bool) -> int:
    query = trainable(train_on_forwards=train_on_forwards).with_only_columns(func.count())
    return session.scalar(query) or 0


def _latency_ms(session: Session, share: float) -> float | None:
    """The smallest latency that at least `share` of the predictions do not exceed."""
    count = _count(session, PredictionRow)
    rank = max(int(np.ceil(share * count)) - 1, 0)
    return session.scalar(
        select(PredictionRow.latency_ms).order_by(PredictionRow.latency_ms).offset(rank).limit(1)
    )
