"""Applies the policy to the stored corrections and finds those that may be trained with.

Every function works in the caller's session. Consent is looked up each time and never copied, so
that taking it back is in force at once.
"""

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from tweetsent.labels import Label, Scores
from tweetsent.policy import Case, Decision, Policy, TrackRecord, Voice, decide
from tweetsent.records import Consent, CorrectionState, Reason, TrainingCorrection
from tweetsent.tables import CorrectionRow, PredictionRow, User, utc_now

_Row = Row[*tuple[Any, ...]]

WAITING = (CorrectionState.PENDING, CorrectionState.DISPUTED)
"""The states of corrections that an admin may still decide."""

_FOR_AN_ADMIN = frozenset({Reason.SUSPICIOUS_LABEL, Reason.ANONYMOUS})
"""What the policy leaves to an admin."""

# `decided_by` does not say it: the admin may have been erased since.
_REVIEWED = func.coalesce(CorrectionRow.reason, "") == Reason.REVIEWED

_COLUMNS = (
    CorrectionRow.id,
    CorrectionRow.prediction_id,
    CorrectionRow.user_id,
    CorrectionRow.label,
    CorrectionRow.superseded_at,
    CorrectionRow.state,
    CorrectionRow.reason,
    CorrectionRow.decided_at,
    User.pseudonym,
    User.consent,
    PredictionRow.user_id.label("sender_id"),
    PredictionRow.score_negative,
    PredictionRow.score_neutral,
    PredictionRow.score_positive,
)


def trainable(*, train_on_forwards: bool) -> Select[CorrectionRow, PredictionRow]:
    """Live corrections whose corrector and whose text's author both consented, in any state.

    In a group the two may be different people, and Telegram asks for the consent of each. One label
    for a message that was read in parts, such as a list, teaches nothing.
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
            PredictionRow.parts == 1,
        )
    )
    if not train_on_forwards:
        query = query.where(~PredictionRow.is_forward, ~PredictionRow.is_group)
    return query


def lock_corrections(session: Session) -> None:
    """Wait until no other transaction changes corrections, until this one ends.

    A decision rests on other rows than the one it is of, which must not change meanwhile. SQLite
    has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE corrections IN SHARE ROW EXCLUSIVE MODE"))


def messages_of(user_id: int) -> Select[int]:
    """The predictions that a user corrected: what a new correction of theirs may change."""
    return select(CorrectionRow.prediction_id).where(CorrectionRow.user_id == user_id)


def messages_that_wait() -> Select[int]:
    """The predictions with a correction that nobody accepted or rejected."""
    return select(CorrectionRow.prediction_id).where(
        CorrectionRow.superseded_at.is_(None), CorrectionRow.state.in_(WAITING)
    )


def decide_open(
    session: Session,
    policy: Policy,
    admins: Collection[str],
    *,
    messages: Select[int] | None = None,
) -> None:
    """Decide every live correction of consenting users that no admin decided.

    What is for an admin waits until one decides it or another one of its message; what an admin
    decided before the message was edited says nothing of its text now. `admins` are
    pseudonyms; `messages` are the ids of the only predictions to look at.
    """
    spoke_of_this_text = or_(
        PredictionRow.edited_at.is_(None), CorrectionRow.superseded_at > PredictionRow.edited_at
    )
    is_ruling = and_(_REVIEWED, spoke_of_this_text)
    query = (
        # Columns, which come several times as fast as objects.
        select(*_COLUMNS)
        .select_from(CorrectionRow)
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .join(User, User.id == CorrectionRow.user_id)
        .where(or_(CorrectionRow.superseded_at.is_(None), is_ruling))
        .order_by(CorrectionRow.prediction_id, CorrectionRow.id)
    )
    if messages is not None:
        query = query.where(CorrectionRow.prediction_id.in_(messages))
    records = _track_records(session, policy)
    changes = []
    for _, rows_of_one in groupby(session.execute(query), key=lambda row: row.prediction_id):
        rows = list(rows_of_one)
        decisions = decide(_case(rows, admins, records), policy)
        for row in rows:
            decision = decisions.get(row.id)
            if decision and _may_become(row, decision):
                changes.append(_change(row, decision))
    if changes:
        session.execute(update(CorrectionRow), changes)


def note_screened(session: Session, correction_ids: Iterable[int]) -> None:
    """Note that the labels of these corrections were looked at."""
    numbers = [{"number": correction_id} for correction_id in correction_ids]
    if numbers:
        session.connection().execute(
            update(CorrectionRow)
            .where(CorrectionRow.id == bindparam("number"))
            .values(screened_at=utc_now()),
            numbers,
        )


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
                CorrectionRow.reason.not_in([Reason.REVIEWED, Reason.ADMIN]),
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
            is_vouched=correction.reason in {Reason.REVIEWED, Reason.ADMIN},
            is_proven=records[correction.user_id].is_proven,
            is_screened=correction.screened_at is not None,
        )
        for correction, prediction in session.execute(query.order_by(CorrectionRow.id))
    ]


def scores_of(row: PredictionRow | _Row) -> Scores:
    """The scores of a prediction, or of a row with its three columns."""
    return Scores(row.score_negative, row.score_neutral, row.score_positive)


def _track_records(session: Session, policy: Policy) -> dict[int, TrackRecord]:
    refused = and_(_REVIEWED, CorrectionRow.state == CorrectionState.REJECTED)
    changes = and_(
        CorrectionRow.superseded_at.is_(None),
        CorrectionRow.label != PredictionRow.label,
        or_(~_REVIEWED, CorrectionRow.state != CorrectionState.ACCEPTED),
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
            *(func.count().filter(what) for what in (_REVIEWED, refused, changes, contrary)),
        )
        .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
        .group_by(CorrectionRow.user_id)
    )
    return {user_id: TrackRecord(*counts) for user_id, *counts in rows}


def _case(rows: list[_Row], admins: Collection[str], records: dict[int, TrackRecord]) -> Case:
    """What is said of one message, from rows of `_COLUMNS`."""
    ruled: dict[CorrectionState, set[Label]] = {state: set() for state in CorrectionState}
    voices = []
    for row in rows:
        if row.reason == Reason.REVIEWED:
            ruled[row.state].add(row.label)
        if row.superseded_at is None and row.consent is Consent.GRANTED:
            voices.append(
                Voice(
                    row.id,
                    row.label,
                    is_sender=row.user_id == row.sender_id,
                    is_admin=row.pseudonym in admins,
                    record=records[row.user_id],
                )
            )
    return Case(
        scores_of(rows[0]),
        voices,
        accepted=frozenset(ruled[CorrectionState.ACCEPTED]),
        refused=frozenset(ruled[CorrectionState.REJECTED]),
    )


def _may_become(row: _Row, decision: Decision) -> bool:
    """Whether a decision changes anything and is the policy's to make."""
    changes = (row.state, row.reason) != (decision.state, decision.reason)
    if row.reason == Reason.REVIEWED or not changes:
        return False
    is_admins_word = decision.reason in {Reason.CONFIRMED, Reason.OVERRULED}
    return row.reason not in _FOR_AN_ADMIN or is_admins_word


def _change(row: _Row, decision: Decision) -> dict[str, object]:
    """The new values of a correction; its time stays while its state does."""
    decided_at = row.decided_at
    if decision.state is not row.state:
        decided_at = None if decision.state is CorrectionState.PENDING else utc_now()
    return {
        "id": row.id,
        "state": decision.state,
        "reason": decision.reason,
        "decided_at": decided_at,
    }
