"""The queue of corrections that wait for an admin, and an admin's word on one of them.

Works in the caller's session, on corrections that may be trained with: no other need a decision.
"""

from collections import Counter, defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from tweetsent.decisions import WAITING, messages_that_wait, scores_of, trainable
from tweetsent.labels import LABELS, Label
from tweetsent.records import CorrectionState, Reason, ReviewItem
from tweetsent.tables import CorrectionRow, User, utc_now


def waiting_items(session: Session, *, train_on_forwards: bool) -> list[ReviewItem]:
    """The corrections that wait, oldest first."""
    query = trainable(train_on_forwards=train_on_forwards)
    rows = session.execute(
        query.where(CorrectionRow.state.in_(WAITING)).order_by(CorrectionRow.id)
    ).all()
    # Beside the one that waits any voice is shown, whatever became of it.
    voices = query.where(CorrectionRow.prediction_id.in_(messages_that_wait())).with_only_columns(
        CorrectionRow.prediction_id, CorrectionRow.user_id, CorrectionRow.label
    )
    said: dict[int, list[tuple[int, Label]]] = defaultdict(list)
    for prediction_id, user_id, label in session.execute(voices):
        said[prediction_id].append((user_id, label))
    return [
        ReviewItem(
            correction_id=correction.id,
            text=prediction.text,
            scores=scores_of(prediction),
            label=correction.label,
            others=_count(said[prediction.id], without=correction.user_id),
            state=correction.state,
            reason=Reason(str(correction.reason)),
        )
        for correction, prediction in rows
    ]


def rule(
    session: Session, admin: User, correction_id: int, accept: bool, *, train_on_forwards: bool
) -> CorrectionRow | None:
    """Make an admin's word the last one on a correction; the same word again changes nothing.

    Returns None when there is nothing to decide any more: another admin was first, this one said
    otherwise before, the user changed or withdrew it, or it never existed.
    """
    query = trainable(train_on_forwards=train_on_forwards).with_only_columns(CorrectionRow.id)
    correction = session.scalars(
        select(CorrectionRow).where(CorrectionRow.id == correction_id, CorrectionRow.id.in_(query))
    ).one_or_none()
    state = CorrectionState.ACCEPTED if accept else CorrectionState.REJECTED
    if correction is None:
        return None
    if correction.reason == Reason.REVIEWED:
        same = (correction.decided_by, correction.state) == (admin.id, state)
        return correction if same else None
    correction.state, correction.reason = state, Reason.REVIEWED
    correction.decided_at, correction.decided_by = utc_now(), admin.id
    return correction


def unrule(session: Session, admin: User, item: ReviewItem) -> CorrectionRow | None:
    """Make a correction wait as it did before this admin's own word on it.

    Returns None when that word is not the last one any more. What the word settled of the same
    message is to be decided anew.
    """
    correction = session.scalars(
        select(CorrectionRow).where(
            CorrectionRow.id == item.correction_id,
            CorrectionRow.superseded_at.is_(None),
            CorrectionRow.reason == Reason.REVIEWED,
            CorrectionRow.decided_by == admin.id,
        )
    ).one_or_none()
    if correction is not None:
        correction.state, correction.reason = item.state, item.reason
        correction.decided_at = correction.decided_by = None
    return correction


def _count(said: list[tuple[int, Label]], *, without: int) -> dict[Label, int]:
    counts = Counter(label for user_id, label in said if user_id != without)
    return {label: counts[label] for label in LABELS if label in counts}
