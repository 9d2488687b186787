"""What is kept of one user, for that user: to read, to take along and to erase.

Synchronous; every call is one short transaction and raises StoreError when the database fails.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    Engine,
    ScalarSelect,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from tweetsent.announcements import forget_chat
from tweetsent.decisions import lock_corrections, scores_of
from tweetsent.errors import StoreError
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Consent, CorrectionState, FileState
from tweetsent.runs import snapshot_of
from tweetsent.sessions import empty_log, reading, writing
from tweetsent.tables import (
    CorrectionRow,
    FileRow,
    InboxRow,
    PredictionRow,
    PrivateChat,
    RunRow,
    User,
)


@dataclass(frozen=True, slots=True)
class Person:
    """A user as the database knows them, and their word on training."""

    pseudonym: str
    known_since: datetime
    """UTC."""
    consent: Consent
    consent_at: datetime | None
    """When they answered, UTC."""
    consent_version: int | None
    """Which wording of the question they answered."""
    asked_at: datetime | None
    """When the bot asked on its own, UTC."""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that the user sent to be labelled."""

    name: str | None
    """None once it is finished."""
    state: FileState
    created_at: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class Contact:
    """What is kept beside the user's messages."""

    gets_announcements: bool
    """Whether the number of their private chat is kept."""
    files: list[OwnFile]


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """A message of the user and what was made of it."""

    id: int
    """The prediction's."""
    text: str
    """The cleaned text."""
    created_at: datetime
    """UTC."""
    chat: str
    """The chat's pseudonym."""
    message_id: int
    is_forward: bool
    is_group: bool
    scores: Scores
    model_version: str
    prompt_version: str
    latency_ms: float
    answer_message_id: int | None
    """The bot's answer."""
    parts: int
    """Of how many parts the scores are the mean."""
    album: str | None
    edited_at: datetime | None
    own_label: Label | None
    """What the user corrected it to; None where they did not."""


@dataclass(frozen=True, slots=True)
class OwnCorrection:
    """A correction by the user, of a message of theirs or of another's."""

    id: int
    prediction_id: int
    label: Label
    created_at: datetime
    """UTC."""
    superseded_at: datetime | None
    """When the user changed it."""
    state: CorrectionState
    reason: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some messages of the user, the newest first."""

    messages: list[OwnMessage]
    newer: int
    """How many are newer than these."""
    total: int


@dataclass(frozen=True, slots=True)
class OwnNumbers:
    """A user's statistics."""

    known_since: datetime
    """UTC."""
    by_label: dict[Label, int]
    """Messages by the model's label, in label order."""
    corrections: int
    """Labels that the user gave, each message's last."""
    agreeing: int
    """How many of them the model gave too."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """How many rows erasing a user deletes."""

    messages: int
    corrections: int
    """Their own, and everybody's of their messages; changed ones too."""


class OwnData:
    """Everything that one database holds of each user; users are named by Telegram's ids."""

    def __init__(
        self, engine: Engine, pseudonymise: Pseudonymiser, snapshots: Path | None = None
    ) -> None:
        """`snapshots` is the folder of the data sets of runs, which hold texts as well."""
        self._engine = engine
        self._pseudonymise = pseudonymise
        self._snapshots = snapshots

    def person(self, user_id: int) -> Person | None:
        """What is known of the user alone; None for a stranger."""
        with reading(self._engine) as session:
            user = self._user(session, user_id)
            if user is None:
                return None
            return Person(
                user.pseudonym,
                user.created_at,
                user.consent,
                user.consent_at,
                user.consent_version,
                user.asked_at,
            )

    def contact(self, user_id: int) -> Contact:
        """What is kept beside the user's messages, of a stranger too."""
        owner = self._pseudonymise.user(user_id)
        with reading(self._engine) as session:
            files = session.scalars(select(FileRow).where(FileRow.owner == owner))
            return Contact(
                session.get(PrivateChat, user_id) is not None,
                [
                    OwnFile(row.upload["name"] if row.upload else None, row.state, row.created_at)
                    for row in files
                ],
            )

    def numbers(self, user_id: int) -> OwnNumbers | None:
        """The user's statistics; None for a stranger."""
        with reading(self._engine) as session:
            user = self._user(session, user_id)
            if user is None:
                return None
            by_label = session.execute(
                select(PredictionRow.label, func.count())
                .where(PredictionRow.user_id == user.id)
                .group_by(PredictionRow.label)
            )
            agreeing = func.count().filter(CorrectionRow.label == PredictionRow.label)
            corrections, agreed = session.execute(
                select(func.count(), agreeing)
                .select_from(CorrectionRow)
                .join(PredictionRow, PredictionRow.id == CorrectionRow.prediction_id)
                .where(CorrectionRow.user_id == user.id, CorrectionRow.superseded_at.is_(None))
            ).one()
            return OwnNumbers(
                user.created_at,
                dict.fromkeys(LABELS, 0) | dict(by_label.all()),
                corrections,
                agreed,
            )

    def history(
        self,
        user_id: int,
        size: int,
        *,
        older_than: int | None = None,
        newer_than: int | None = None,
    ) -> HistoryPage:
        """The newest messages, or those on one side of a message, whoever's that is."""
        owner = self._id_of(user_id)
        count = select(func.count()).where(PredictionRow.user_id == owner)
        with reading(self._engine) as session:
            messages = _messages(session, owner, size, older_than, newer_than)
            newer = count.where(PredictionRow.id > messages[0].id) if messages else count
            return HistoryPage(messages, session.scalar(newer) or 0, session.scalar(count) or 0)

    def messages(self, user_id: int, size: int, *, older_than: int | None) -> list[OwnMessage]:
        """The newest messages, or the newest of those before a message."""
        with reading(self._engine) as session:
            return _messages(session, self._id_of(user_id), size, older_than)

    def corrections(
        self, user_id: int, size: int, *, older_than: int | None
    ) -> list[OwnCorrection]:
        """The user's newest corrections, changed ones too, or the newest before one."""
        query = select(CorrectionRow).where(CorrectionRow.user_id == self._id_of(user_id))
        if older_than is not None:
            query = query.where(CorrectionRow.id < older_than)
        with reading(self._engine) as session:
            return [
                OwnCorrection(
                    row.id,
                    row.prediction_id,
                    row.label,
                    row.created_at,
                    row.superseded_at,
                    row.state,
                    row.reason,
                    row.decided_at,
                )
                for row in session.scalars(query.order_by(CorrectionRow.id.desc()).limit(size))
            ]

    def holdings(self, user_id: int) -> Holdings:
        """What erasing the user would delete."""
        owner = self._id_of(user_id)
        messages = select(func.count()).where(PredictionRow.user_id == owner)
        corrections = select(func.count()).where(_of_user(owner))
        with reading(self._engine) as session:
            return Holdings(session.scalar(messages) or 0, session.scalar(corrections) or 0)

    def erase(self, user_id: int) -> list[int]:
        """Delete all that is kept of the user, and the data sets of runs that may hold it.

        What they decided as an admin stays, and nobody knows whose word it was. Returns the ids of
        their files, which may be in work.
        """
        # First, since without the rows nobody would know which data sets these are.
        run_ids = self._runs_that_may_know(user_id)
        self._delete_data_sets(run_ids)
        with writing(self._engine) as session:
            lock_corrections(session)
            user = self._user(session, user_id, lock=True)
            if user is not None:
                _erase(session, user)
            owner = self._pseudonymise.user(user_id)
            files = session.scalars(select(FileRow.id).where(FileRow.owner == owner)).all()
            session.execute(delete(FileRow).where(FileRow.owner == owner))
            forget_chat(session, user_id)  # a private chat has its user's number
            updates = [*_failed_with(session, user_id), *_wish_of(session, user_id)]
            session.execute(delete(InboxRow).where(InboxRow.update_id.in_(updates)))
        empty_log(self._engine)
        self._delete_data_sets(run_ids)  # one may have been written meanwhile
        return list(files)

    def _runs_that_may_know(self, user_id: int) -> list[int]:
        with reading(self._engine) as session:
            user = self._user(session, user_id)
            return _runs_that_may_know(session, user) if user else []

    def _delete_data_sets(self, run_ids: list[int]) -> None:
        if self._snapshots is None:
            return
        for run_id in run_ids:
            folder = snapshot_of(self._snapshots, run_id)
            try:
                if folder.exists():
                    shutil.rmtree(folder)
            except OSError as error:
                raise StoreError(f"can't delete the data set {folder}: {error.strerror}") from error

    def _user(self, session: Session, user_id: int, *, lock: bool = False) -> User | None:
        query = select(User).where(User.pseudonym == self._pseudonymise.user(user_id))
        return session.scalars(query.with_for_update() if lock else query).one_or_none()

    def _id_of(self, user_id: int) -> ScalarSelect[int]:
        pseudonym = self._pseudonymise.user(user_id)
        return select(User.id).where(User.pseudonym == pseudonym).scalar_subquery()


def _messages(
    session: Session,
    owner: ScalarSelect[int],
    size: int,
    older_than: int | None,
    newer_than: int | None = None,
) -> list[OwnMessage]:
    own = and_(
        CorrectionRow.prediction_id == PredictionRow.id,
        CorrectionRow.user_id == owner,
        CorrectionRow.superseded_at.is_(None),
    )
    query = (
        select(PredictionRow, CorrectionRow.label)
        .outerjoin(CorrectionRow, own)
        .where(PredictionRow.user_id == owner)
        .order_by(PredictionRow.id if newer_than is not None else PredictionRow.id.desc())
        .limit(size)
    )
    if older_than is not None:
        query = query.where(PredictionRow.id < older_than)
    if newer_than is not None:
        query = query.where(PredictionRow.id > newer_than)
    messages = [
        OwnMessage(
            id=row.id,
            text=row.text,
            created_at=row.created_at,
            chat=row.chat,
            message_id=row.message_id,
            is_forward=row.is_forward,
            is_group=row.is_group,
            scores=scores_of(row),
            model_version=row.model_version,
            prompt_version=row.prompt_version,
            latency_ms=row.latency_ms,
            answer_message_id=row.answer_message_id,
            parts=row.parts,
            album=row.album,
            edited_at=row.edited_at,
            own_label=own_label,
        )
        for row, own_label in session.execute(query)
    ]
    return sorted(messages, key=lambda message: -message.id)


def _of_user(user_id: ScalarSelect[int] | int) -> ColumnElement[bool]:
    """The corrections that the user made, and those of messages that they sent."""
    sent = select(PredictionRow.id).where(PredictionRow.user_id == user_id)
    return or_(CorrectionRow.user_id == user_id, CorrectionRow.prediction_id.in_(sent))


def _erase(session: Session, user: User) -> None:
    session.execute(delete(CorrectionRow).where(_of_user(user.id)))
    decided = update(CorrectionRow).where(CorrectionRow.decided_by == user.id)
    session.execute(decided.values(decided_by=None))
    session.execute(delete(PredictionRow).where(PredictionRow.user_id == user.id))
    session.delete(user)


def _failed_with(session: Session, user_id: int) -> list[int]:
    """Updates that were given up and name the user anywhere: as sender, chat, or replied to."""
    # As `json.dumps` writes it; in a text the quotes would be escaped.
    named = re.compile(rf'"id": {user_id}[,}}]')
    query = select(InboxRow.update_id, InboxRow.payload).where(InboxRow.failed_at.is_not(None))
    return [update_id for update_id, payload in session.execute(query) if named.search(payload)]


def _wish_of(session: Session, user_id: int) -> list[int]:
    """The update by which the user wishes to be erased, where the wish came as one.

    It is the first that waits in their chat; the others came after it and stay.
    """
    query = select(func.min(InboxRow.update_id)).where(
        InboxRow.chat_id == user_id, InboxRow.failed_at.is_(None)
    )
    return [update_id for update_id in session.scalars(query) if update_id is not None]


def _runs_that_may_know(session: Session, user: User) -> list[int]:
    """The runs whose data sets may hold a text or a correction of the user.

    A set names nobody. But nothing of a user is in one that was made before their first
    correction, nor in any if they were never asked for consent.
    """
    if user.consent_at is None:
        return []
    first = session.scalar(select(func.min(CorrectionRow.created_at)).where(_of_user(user.id)))
    if first is None:
        return []
    ended_later = or_(RunRow.finished_at.is_(None), RunRow.finished_at >= first)
    return list(session.scalars(select(RunRow.id).where(ended_later)))
