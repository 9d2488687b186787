"""Predictions, corrections and consent in the database: plain records in, plain records out.

Synchronous; every call is one short transaction and raises StoreError when the database fails.
Telegram's ids become pseudonyms here, before anything is stored.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Row, Select, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from tweetsent.announcements import Announcements
from tweetsent.decisions import (
    accepted_corrections,
    decide_open,
    flag_suspicious,
    lock_corrections,
    messages_of,
    messages_that_wait,
    note_screened,
    scores_of,
    trainable,
)
from tweetsent.errors import NotFoundError
from tweetsent.faults import Faults
from tweetsent.filejobs import FileJobs
from tweetsent.inbox import Inbox
from tweetsent.labels import Label, Scores
from tweetsent.own_data import OwnData
from tweetsent.policy import Policy, select_for_training
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import (
    EVERYTHING,
    OWNER_ID,
    Consent,
    Correction,
    Incoming,
    Prediction,
    Reason,
    ReviewItem,
    Scope,
    Spread,
    Stats,
    TrainingCorrection,
)
from tweetsent.review import rule, unrule, waiting_items
from tweetsent.sessions import (
    bare_table,
    empty_log,
    insert_new,
    insert_of_new,
    reading,
    together,
    transaction,
    writing,
)
from tweetsent.settings import Settings
from tweetsent.statistics import read_spread, read_stats
from tweetsent.tables import CorrectionRow, PredictionRow, User, utc_now

T = TypeVar("T")

CONSENT_VERSION = 2
"""Which wording of the question on training users answer; raise it when its meaning changes."""

_MAX_ID = 2**63 - 1
_ANONYMISED_AT_ONCE = 1000
_NOBODY = dict.fromkeys(
    ("user_id", "chat", "message_id", "text", "answer_message_id", "album", "edited_at")
)
"""What is taken from a prediction that becomes anonymous."""

# What each message needs is built once, and of the bare table where nobody changes the row.
_PREDICTIONS, _USERS = bare_table(PredictionRow), bare_table(User)
_IS_MESSAGE = and_(
    _PREDICTIONS.c.chat == bindparam("chat"),
    or_(
        _PREDICTIONS.c.message_id == bindparam("message_id"),
        _PREDICTIONS.c.album == bindparam("album"),
    ),
)
"""Of a message or another part of its album; no album is equal to none."""
_OF_MESSAGE = select(_PREDICTIONS).where(_IS_MESSAGE)
_ROW_OF_MESSAGE = select(PredictionRow).where(_IS_MESSAGE)
_USER_ID = select(_USERS.c.id).where(_USERS.c.pseudonym == bindparam("pseudonym")).with_for_update()
_SET_ANSWER = (
    update(_PREDICTIONS)
    .where(_PREDICTIONS.c.id == bindparam("prediction_id"))
    .values(answer_message_id=bindparam("answer_message_id"), is_answer_stale=False)
    .returning(_PREDICTIONS.c.id)
)


@cache
def _new_prediction(dialect: str) -> ReturningInsert[Any]:
    return insert_of_new(PredictionRow, dialect).returning(_PREDICTIONS)


class Store:
    """Everything that is kept about messages; `inbox` holds those not handled yet, `files` the
    files that are being labelled, `faults` what is wrong with the model.

    `announcements` knows whom the bot may write to of its own accord. `own` is what concerns one
    user, the data sets of runs in `snapshots` included. Corrections by users of `admin_ids`
    (Telegram's) need no review.
    """

    def __init__(
        self,
        engine: Engine,
        pseudonymise: Pseudonymiser,
        *,
        admin_ids: Iterable[int] = (),
        policy: Policy | None = None,
        snapshots: Path | None = None,
    ) -> None:
        self.inbox = Inbox(engine)
        self.announcements = Announcements(engine)
        self.own = OwnData(engine, pseudonymise, snapshots)
        self.files = FileJobs(engine, pseudonymise)
        self.faults = Faults(engine)
        self.policy = policy or Policy()
        self._engine = engine
        self._pseudonymise = pseudonymise
        self._admins = frozenset(pseudonymise.user(admin_id) for admin_id in admin_ids)

    def ping(self) -> None:
        """Return when the database has answered."""
        with reading(self._engine) as session:
            session.scalar(select(1))

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
        """What each of some calls returned or raised, all of them in one transaction if it can be.

        They are calls of `find_seen`, `save_prediction`, `set_answer`, `inbox.sending` and
        `inbox.done`: what each message needs.
        """
        return together(self._engine, calls)

    def save_prediction(
        self,
        incoming: Incoming,
        scores: Scores,
        *,
        model_version: str,
        prompt_version: str,
        latency_ms: float,
        parts: int = 1,
    ) -> Prediction:
        """Store the scores of a message with a cleaned text, read in so many parts.

        Returns the earlier prediction, unchanged, when the message or its album has one.
        """
        row = {
            "chat": self._pseudonymise.chat(incoming.chat_id),
            "message_id": incoming.message_id,
            "text": incoming.text,
            "is_forward": incoming.is_forward,
            "is_group": incoming.is_group,
            "label": scores.label,
            "score_negative": scores.negative,
            "score_neutral": scores.neutral,
            "score_positive": scores.positive,
            "model_version": model_version,
            "prompt_version": prompt_version,
            "latency_ms": latency_ms,
            "parts": parts,
            "album": incoming.album,
        }
        with transaction(self._engine) as connection:
            row["user_id"] = self._user_id(connection, incoming.user_id)
            stored = connection.execute(_new_prediction(connection.dialect.name), row).one_or_none()
            if stored is None:
                stored = connection.execute(_OF_MESSAGE, self._place(incoming)).one()
            return _record(stored)

    def update_prediction(
        self,
        incoming: Incoming,
        scores: Scores,
        *,
        model_version: str,
        prompt_version: str,
        latency_ms: float,
        parts: int = 1,
    ) -> Prediction:
        """Replace text and scores of a message's prediction: the message was edited.

        Its live corrections are superseded, since they spoke of another text, and an admin's word
        on one of them holds no more. They stay as history; the text they spoke of does not.
        """
        with self._deciding() as session:
            row = session.scalars(_ROW_OF_MESSAGE, self._place(incoming)).one()
            now = utc_now()
            row.text, row.label = incoming.text, scores.label
            row.score_negative, row.score_neutral = scores.negative, scores.neutral
            row.score_positive = scores.positive
            row.model_version, row.prompt_version = model_version, prompt_version
            row.latency_ms, row.parts = latency_ms, parts
            row.edited_at, row.is_answer_stale = now, True
            session.execute(
                update(CorrectionRow)
                .where(CorrectionRow.prediction_id == row.id, CorrectionRow.superseded_at.is_(None))
                .values(superseded_at=now)
            )
            return _record(row)

    def set_answer(self, prediction_id: int, answer_message_id: int) -> None:
        """Note which message of the bot shows a prediction as it is now.

        Raises NotFoundError for an unknown one.
        """
        answer = {"prediction_id": prediction_id, "answer_message_id": answer_message_id}
        with transaction(self._engine) as connection:
            if not _is_id(prediction_id) or connection.scalar(_SET_ANSWER, answer) is None:
                raise _not_found(prediction_id)

    def find_seen(self, incoming: Incoming) -> Prediction | None:
        """The prediction of a message, or of another part of its album."""
        with transaction(self._engine) as connection:
            row = connection.execute(_OF_MESSAGE, self._place(incoming)).one_or_none()
            return None if row is None else _record(row)

    def find_prediction(self, chat_id: int, message_id: int) -> Prediction | None:
        """The prediction of a user's message, or that which the bot's message answers."""
        chat = self._pseudonymise.chat(chat_id)
        with reading(self._engine) as session:
            row = session.scalars(
                select(PredictionRow)
                .where(
                    PredictionRow.chat == chat,
                    or_(
                        PredictionRow.message_id == message_id,
                        PredictionRow.answer_message_id == message_id,
                    ),
                )
                .order_by(PredictionRow.id.desc())
                .limit(1)
            ).one_or_none()
            return None if row is None else _record(row)

    def get_prediction(self, prediction_id: int, chat_id: int) -> Prediction:
        """The prediction with an id; NotFoundError if there is none or it is another chat's."""
        chat = self._pseudonymise.chat(chat_id)
        with reading(self._engine) as session:
            row = _row(session, prediction_id)
            if row.chat != chat:
                raise _not_found(prediction_id)
            return _record(row)

    def last_prediction(self, user_id: int, chat_id: int) -> Prediction | None:
        """The prediction of a user's newest message in a chat that has one."""
        # Message ids rise in a chat, and an index is in their order.
        query = (
            select(PredictionRow)
            .join(User)
            .where(
                PredictionRow.chat == self._pseudonymise.chat(chat_id),
                User.pseudonym == self._pseudonymise.user(user_id),
            )
            .order_by(PredictionRow.message_id.desc())
            .limit(1)
        )
        with reading(self._engine) as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else _record(row)

    def is_author(self, user_id: int, prediction_id: int) -> bool:
        """Whether a user wrote a prediction's message; NotFoundError for an unknown one."""
        with reading(self._engine) as session:
            author = session.get_one(User, _row(session, prediction_id).user_id)
            return author.pseudonym == self._pseudonymise.user(user_id)

    def correct(
        self, user_id: int, prediction_id: int, label: Label, *, is_anonymous: bool = False
    ) -> Correction:
        """Make `label` the user's word on a prediction; NotFoundError for an unknown one.

        Their earlier correction stays as history; the same label again adds nothing. An anonymous
        one is for an admin to decide.
        """
        with self._deciding() as session:
            user = self._user(session, user_id)
            prediction = _row(session, prediction_id)
            ask = user.consent is Consent.UNASKED and user.asked_at is None
            if ask:
                user.asked_at = utc_now()
            old = _correct(session, user, prediction, label, is_anonymous)
            self._decide(session, messages_of(user.id))
            return Correction(
                _record(prediction),
                old=old,
                new=label,
                by_author=prediction.user_id == user.id,
                ask_consent=ask,
            )

    def consent(self, user_id: int) -> Consent:
        """A user's word on training; UNASKED for a stranger."""
        pseudonym = self._pseudonymise.user(user_id)
        with reading(self._engine) as session:
            consent = session.scalar(select(User.consent).where(User.pseudonym == pseudonym))
            return consent or Consent.UNASKED

    def set_consent(self, user_id: int, granted: bool) -> datetime:
        """Store a user's word on training, with the wording they answered; returns its time."""
        now = utc_now()
        with writing(self._engine) as session:
            user = self._user(session, user_id)
            user.consent = Consent.GRANTED if granted else Consent.REFUSED
            user.consent_at = now
            user.consent_version = CONSENT_VERSION
        return now

    def review_queue(self, *, train_on_forwards: bool) -> list[ReviewItem]:
        """The corrections that wait for an admin, oldest first."""
        with self._deciding() as session:
            # Consent may have been given, and corrections stored by an older version.
            self._decide(session, messages_that_wait())
            return waiting_items(session, train_on_forwards=train_on_forwards)

    def review(
        self, admin_id: int, correction_id: int, *, accept: bool, train_on_forwards: bool
    ) -> bool:
        """Accept or reject a correction for good, and with it what others said of the message.

        The same word again changes nothing. False when there is nothing to decide any more:
        another admin was first, or the user changed or withdrew it. The caller has checked that
        this is an admin.
        """
        with self._deciding() as session:
            admin = self._user(session, admin_id)
            ruled = rule(session, admin, correction_id, accept, train_on_forwards=train_on_forwards)
            if ruled is None:
                return False
            self._decide(session, messages_of(ruled.user_id))
            return True

    def take_back_review(self, admin_id: int, item: ReviewItem) -> bool:
        """Undo an admin's own word on what was this item of the queue.

        False when there is nothing to undo any more. The caller has checked that this is an admin.
        """
        with self._deciding() as session:
            waiting = unrule(session, self._user(session, admin_id), item)
            if waiting is None:
                return False
            session.flush()
            self._decide(session, messages_of(waiting.user_id))
            return True

    def screen(self, correction_ids: Iterable[int], *, suspicious: Iterable[int]) -> int:
        """Note that these labels were looked at, and send the improbable ones to the review.

        Returns how many went: those that an admin made or decided stay as they are.
        """
        with self._deciding() as session:
            note_screened(session, correction_ids)
            return flag_suspicious(session, suspicious)

    def training_corrections(self, *, train_on_forwards: bool) -> list[TrainingCorrection]:
        """The corrections of a new training set, oldest first, decided anew and within limits."""
        with self._deciding() as session:
            self._decide(session)
            accepted = accepted_corrections(
                session, self.policy, train_on_forwards=train_on_forwards
            )
        return select_for_training(accepted, self.policy)

    def may_train_with(self, correction_ids: Collection[int], *, train_on_forwards: bool) -> bool:
        """Whether all these corrections may be trained with, as consent stands now."""
        query = trainable(train_on_forwards=train_on_forwards)
        with reading(self._engine) as session:
            allowed = session.scalars(query.with_only_columns(CorrectionRow.id))
            return set(correction_ids) <= set(allowed)

    def anonymise_uncorrected(self, before: datetime) -> int:
        """Make predictions of before a time that nobody corrected nobody's, some at once.

        Only label, scores, versions and the day stay, for the statistics. Returns how many they
        were; it may be called until none is left.
        """
        # Those of a text that was edited since count as well: a data set may hold it.
        corrected = select(CorrectionRow.id).where(CorrectionRow.prediction_id == PredictionRow.id)
        old = (
            select(PredictionRow.id, PredictionRow.created_at)
            .where(
                PredictionRow.user_id.is_not(None),
                PredictionRow.created_at < before,
                ~corrected.exists(),
            )
            .order_by(PredictionRow.created_at)
            .limit(_ANONYMISED_AT_ONCE)
        )
        with self._deciding() as session:
            changes = [
                {"id": row.id, "created_at": datetime.combine(row.created_at, time(), UTC)}
                for row in session.execute(old)
            ]
            if changes:
                session.execute(update(PredictionRow), [_NOBODY | change for change in changes])
        if changes:
            empty_log(self._engine)
        return len(changes)

    def stats(self, scope: Scope = EVERYTHING, *, train_on_forwards: bool) -> Stats:
        """The statistics; UnseenVersionError for a version of which no prediction is."""
        with reading(self._engine) as session:
            return read_stats(session, scope, train_on_forwards=train_on_forwards)

    def spread(self, scope: Scope = EVERYTHING) -> Spread:
        """How sure the model was and how long it took."""
        with reading(self._engine) as session:
            return read_spread(session, scope)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _deciding(self) -> Iterator[Session]:
        """A write transaction in which nobody else changes a correction."""
        with writing(self._engine) as session:
            lock_corrections(session)
            yield session

    def _decide(self, session: Session, messages: Select[int] | None = None) -> None:
        decide_open(session, self.policy, self._admins, messages=messages)

    def _place(self, incoming: Incoming) -> dict[str, object]:
        """Which message it is, as `_OF_MESSAGE` asks for it."""
        chat = self._pseudonymise.chat(incoming.chat_id)
        return {"chat": chat, "message_id": incoming.message_id, "album": incoming.album}

    def _user_id(self, connection: Connection, user_id: int) -> int:
        """The id of the user's row, made and locked as by `_user`, which takes longer."""
        user = {"pseudonym": self._pseudonymise.user(user_id)}
        known = connection.scalar(_USER_ID, user)
        if known is None:
            connection.execute(insert_of_new(User, connection.dialect.name), user)
            known = connection.scalar(_USER_ID, user)
        return cast(int, known)

    def _user(self, session: Session, user_id: int) -> User:
        """The user's row, made if need be, and locked: one user's changes follow each other."""
        pseudonym = self._pseudonymise.user(user_id)
        query = select(User).where(User.pseudonym == pseudonym).with_for_update()
        user = session.scalars(query).one_or_none()
        if user is None:
            insert_new(session, User, pseudonym=pseudonym)
            user = session.scalars(query).one()
        return user


def open_store(settings: Settings, engine: Engine) -> Store:
    """The store in a database, whose admins these settings name; errors as `load_key`."""
    return Store(
        engine,
        Pseudonymiser(load_key(settings)),
        admin_ids=settings.tweetsent_admin_ids | {OWNER_ID},
        snapshots=settings.snapshots,
    )


def _correct(
    session: Session, user: User, prediction: PredictionRow, label: Label, is_anonymous: bool
) -> Label:
    """Store a correction that changes something; returns the label this user saw before."""
    live = session.scalars(
        select(CorrectionRow).where(
            CorrectionRow.prediction_id == prediction.id,
            CorrectionRow.user_id == user.id,
            CorrectionRow.superseded_at.is_(None),
        )
    ).one_or_none()
    if live is None or live.label is not label:
        now = utc_now()
        if live is not None:
            live.superseded_at = now
            # The index allows one live row: the old one must go before the new one comes.
            session.flush()
        session.add(
            CorrectionRow(
                prediction_id=prediction.id,
                user_id=user.id,
                label=label,
                created_at=now,
                reason=Reason.ANONYMOUS if is_anonymous else None,
            )
        )
    return live.label if live is not None else prediction.label


def _row(session: Session, prediction_id: int) -> PredictionRow:
    row = session.get(PredictionRow, prediction_id) if _is_id(prediction_id) else None
    if row is None or row.user_id is None:
        raise _not_found(prediction_id)
    return row


def _is_id(number: int) -> bool:
    # It may come from a forged button, and the database takes only 64 bits.
    return 0 < number <= _MAX_ID


def _not_found(prediction_id: int) -> NotFoundError:
    return NotFoundError(f"there is no prediction {prediction_id} here")


def _record(row: PredictionRow | Row[Any]) -> Prediction:
    return Prediction(
        id=row.id,
        text=row.text,
        scores=scores_of(row),
        model_version=row.model_version,
        latency_ms=row.latency_ms,
        created_at=row.created_at,
        answer_message_id=row.answer_message_id,
        message_id=row.message_id,
        is_answer_stale=row.is_answer_stale,
    )
