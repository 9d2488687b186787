"""Applies the policy to the stored corrections and finds those that may be trained with.

Every function works in the caller's session. Consent is looked up each time and never copied, so
that taking it back is in force at once.
"""

from collections.abc import Collection, Iterable
from itertools import groupby

from sqlalchemy import Row, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from tweetsent.labels import Label, Scores
from tweetsent.policy import Case, Decision, Policy, TrackRecord, Voice, decide
from tweetsent.records import Consent, CorrectionState, Reason, TrainingCorrection
from tweetsent.tables import CorrectionRow, PredictionRow, User, utc_now


def trainable(*, train_on_forwards: bool) -> Select[CorrectionRow, PredictionRow]:
    """Live corrections whose corrector and whose text's author both consented, in any state.

    In a group the two may be different people, and Telegram asks for the consent of each.
    """
    corrector, author = aliased(User), aliased(User)
    query = (
        select(CorrectionRow, PredictionRow)
        .select_from(CorrectionRow)
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .join(corrector, corrector.id == CorrectionRow.user_id)
        .join(author, author.id == PredictionRow.user_id)
        .where(
            CorrectionRow.superseded_at.is_(None),
            corrector.consent == Consent.GRANTED,
            author.consent == Consent.GRANTED,
        )
    )
    if not train_on_forwards:
        query = query.where(~PredictionRow.is_forward, ~PredictionRow.is_group)
    return query


def decide_open(
    session: Session, policy: Policy, admins: Collection[str], *, user_id: int | None = None
) -> None:
    """Decide every live correction of consenting users that no admin decided and nobody flagged.

    `admins` are pseudonyms. With `user_id` only the messages that this user corrected are looked
    at, since a new correction changes what is known of its user and of its message.
    """
    query = (
        select(CorrectionRow, PredictionRow, User)
        .select_from(CorrectionRow)
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .join(User, User.id == CorrectionRow.user_id)
        .where(or_(CorrectionRow.superseded_at.is_(None), CorrectionRow.decided_by.is_not(None)))
        .order_by(CorrectionRow.prediction_id, CorrectionRow.id)
    )
    if user_id is not None:
        messages = select(CorrectionRow.prediction_id).where(CorrectionRow.user_id == user_id)
        query = query.where(CorrectionRow.prediction_id.in_(messages))
    records = _track_records(session, policy)
    found = session.execute(query).all()
    for _, rows_of_one in groupby(found, key=lambda row: row[1].id):
        rows = list(rows_of_one)
        decisions = decide(_case(rows, admins, records), policy)
        for correction, _, _ in rows:
            if correction.id in decisions and _is_open(correction):
                _set(correction, decisions[correction.id])


def flag_suspicious(session: Session, correction_ids: Iterable[int]) -> int:
    """Send accepted corrections back to wait for an admin, unless one made or decided them.

    Returns how many went.
    """
    flagged = 0
    for correction_id in correction_ids:
        result = session.execute(
            update(CorrectionRow)
            .where(
                CorrectionRow.id == correction_id,
                CorrectionRow.superseded_at.is_(None),
                CorrectionRow.state == CorrectionState.ACCEPTED,
                CorrectionRow.decided_by.is_(None),
                CorrectionRow.reason != Reason.ADMIN,
            )
            .values(state=CorrectionState.PENDING, reason=Reason.SUSPICIOUS_LABEL, decided_at=None)
            .returning(CorrectionRow.id)
        )
        flagged += len(result.all())
    return flagged


def accepted_corrections(
    session: Session, policy: Policy, *, train_on_forwards: bool
) -> list[TrainingCorrection]:
    """All accepted corrections that may be trained with, before any limit."""
    records = _track_records(session, policy)
    query = trainable(train_on_forwards=train_on_forwards).where(
        CorrectionRow.state == CorrectionState.ACCEPTED
    )
    return [
        TrainingCorrection(
            id=correction.id,
            user_id=correction.user_id,
            text=prediction.text,
            label=correction.label,
            created_at=correction.created_at,
            is_vouched=correction.decided_by is not None or correction.reason == Reason.ADMIN,
            is_proven=records[correction.user_id].is_proven,
        )
        for correction, prediction in session.execute(query.order_by(CorrectionRow.id))
    ]


def scores_of(prediction: PredictionRow) -> Scores:
    """The stored scores."""
    return Scores(prediction.score_negative, prediction.score_neutral, prediction.score_positive)


def _track_records(session: Session, policy: Policy) -> dict[int, TrackRecord]:
    decided = CorrectionRow.decided_by.is_not(None)
    refused = and_(decided, CorrectionRow.state == CorrectionState.REJECTED)
    changes = and_(
        CorrectionRow.superseded_at.is_(None),
        CorrectionRow.label != PredictionRow.label,
        or_(~decided, CorrectionRow.state != CorrectionState.ACCEPTED),
    )
    contrary = and_(
        changes,
        or_(
            PredictionRow.score_negative >= policy.sure_confidence,
            PredictionRow.score_neutral >= policy.sure_confidence,
            PredictionRow.score_positive >= policy.sure_confidence,
        ),
    )
    rows = session.execute(
        select(
            CorrectionRow.user_id,
            *(func.count().filter(what) for what in (decided, refused, changes, contrary)),
        )
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .group_by(CorrectionRow.user_id)
    )
    return {user_id: TrackRecord(*counts) for user_id, *counts in rows}


def _case(
    rows: list[Row[CorrectionRow, PredictionRow, User]],
    admins: Collection[str],
    records: dict[int, TrackRecord],
) -> Case:
    """What is said of one message."""
    prediction = rows[0][1]
    ruled: dict[CorrectionState, set[Label]] = {state: set() for state in CorrectionState}
    voices = []
    for correction, _, user in rows:
        if correction.decided_by is not None:
            ruled[correction.state].add(correction.label)
        if correction.superseded_at is None and user.consent is Consent.GRANTED:
            voices.append(
                Voice(
                    correction.id,
                    correction.label,
                    is_sender=user.id == prediction.user_id,
                    is_admin=user.pseudonym in admins,
                    record=records[user.id],
                )
            )
    return Case(
        scores_of(prediction),
        voices,
        accepted=frozenset(ruled[CorrectionState.ACCEPTED]),
        refused=frozenset(ruled[CorrectionState.REJECTED]),
    )


def _is_open(correction: CorrectionRow) -> bool:
    return correction.decided_by is None and correction.reason != Reason.SUSPICIOUS_LABEL


def _set(correction: CorrectionRow, decision: Decision) -> None:
    if correction.state is not decision.state:
        is_pending = decision.state is CorrectionState.PENDING
        correction.decided_at = None if is_pending else utc_now()
    correction.state, correction.reason = decision.state, decision.reason
