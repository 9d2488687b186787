"""The inbox: updates are stored before Telegram is told that they arrived, and leave when done.

Knows nothing of what an update says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from tweetsent.sessions import bare_table, insert_of_new, reading, transaction, writing
from tweetsent.tables import HandledUpdate, InboxRow, utc_now
from tweetsent.text import clean

# Telegram keeps an undelivered update for 24 hours (core.telegram.org/bots/api#getting-updates).
# Remembering only the highest id would not do: webhooks deliver out of order, and after a quiet
# week Telegram goes on from a random number.
HANDLED_KEPT = timedelta(days=2)
FAILED_KEPT = timedelta(days=7)
_MAX_ERROR_CHARS = 500
_INBOX = bare_table(InboxRow)
_DELETE = delete(_INBOX).where(_INBOX.c.update_id == bindparam("done_id"))
_SENDING = (
    update(_INBOX)
    .where(_INBOX.c.update_id == bindparam("noted_id"))
    .values(may_have_sent=bindparam("noted"))
)

_EMPTY = (
    update(_INBOX)
    .where(_INBOX.c.update_id == bindparam("empty_id"))
    .values(chat_id=None, payload="{}")
)


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """An update to handle."""

    update_id: int
    chat_id: int | None
    payload: str
    """JSON."""
    received_at: datetime
    """UTC."""
    attempts: int
    """How often handling it failed."""
    may_have_sent: bool = False
    """Whether its user may have got a message."""


class Inbox:
    """The inbox of one database; every call is one short transaction and may raise StoreError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, updates: Sequence[tuple[int, int | None, str]]) -> list[PendingUpdate]:
        """Store (update id, chat id, JSON) triples; returns those of them that are to be handled.

        One that was stored before stays as it is, and one that was handled is ignored.
        """
        # Telegram forgets what it is told has arrived.
        with writing(self._engine, durable=True) as session:
            _forget_old(session)
            ids = [update_id for update_id, _, _ in updates]
            handled = set(
                session.scalars(
                    select(HandledUpdate.update_id).where(HandledUpdate.update_id.in_(ids))
                )
            )
            new = [
                {"update_id": update_id, "chat_id": chat_id, "payload": payload}
                for update_id, chat_id, payload in updates
                if update_id not in handled
            ]
            if new:
                session.execute(insert_of_new(InboxRow, session.get_bind().dialect.name), new)
            rows = session.execute(
                select(_INBOX)
                .where(_INBOX.c.update_id.in_(ids), _INBOX.c.failed_at.is_(None))
                .order_by(_INBOX.c.update_id)
            )
            return [_pending(row) for row in rows]

    def pending(self, per_chat: int) -> list[PendingUpdate]:
        """What is neither done nor failed, in Telegram's order: of each chat the first few."""
        place = func.row_number().over(partition_by=InboxRow.chat_id, order_by=InboxRow.update_id)
        waiting = (
            select(InboxRow.update_id, place.label("place"))
            .where(InboxRow.failed_at.is_(None))
            .subquery()
        )
        with reading(self._engine) as session:
            rows = session.scalars(
                select(InboxRow)
                .join(waiting, waiting.c.update_id == InboxRow.update_id)
                .where(waiting.c.place <= per_chat)
                .order_by(InboxRow.update_id)
            )
            return [_pending(row) for row in rows]

    def sending(self, update_id: int, may_have_sent: bool) -> None:
        """Note whether the update's user may have got a message; one that is done stays done."""
        with transaction(self._engine) as connection:
            connection.execute(_SENDING, {"noted_id": update_id, "noted": may_have_sent})

    def done(self, update_id: int) -> None:
        """Delete an update that was handled; of what it said nothing stays."""
        with transaction(self._engine) as connection:
            connection.execute(_DELETE, {"done_id": update_id})
            handled = insert_of_new(HandledUpdate, connection.dialect.name)
            connection.execute(handled, {"update_id": update_id})

    def put_off(self, update_id: int, error: str) -> None:
        """Note a failed try; the update stays pending."""
        with writing(self._engine) as session:
            _note_failure(session, update_id, error, failed_at=None)

    def failed(self, update_id: int, error: str, *, is_answered: bool = False) -> None:
        """Give an update up: it is pending no more, and kept for some days to be looked at.

        Of one that was answered, as far as anybody knows, nothing stays that says whose it was.
        """
        with writing(self._engine) as session:
            _note_failure(session, update_id, error, failed_at=utc_now())
            if is_answered:
                session.execute(_EMPTY, {"empty_id": update_id})

    def give_up_all(self, error: str) -> int:
        """Give up whatever is pending; returns how many updates that were."""
        given_up = (
            update(InboxRow)
            .where(InboxRow.failed_at.is_(None))
            .values(failed_at=utc_now(), error=error)
            .returning(InboxRow.update_id)
        )
        with writing(self._engine) as session:
            return len(session.scalars(given_up).all())


def _pending(row: InboxRow | Row[Any]) -> PendingUpdate:
    return PendingUpdate(
        row.update_id,
        row.chat_id,
        row.payload,
        row.received_at,
        row.attempts,
        row.may_have_sent,
    )


def _note_failure(session: Session, update_id: int, error: str, failed_at: datetime | None) -> None:
    session.execute(
        update(InboxRow)
        .where(InboxRow.update_id == update_id)
        .values(
            attempts=InboxRow.attempts + 1,
            failed_at=failed_at,
            error=clean(error)[:_MAX_ERROR_CHARS],
        )
    )


def _forget_old(session: Session) -> None:
    now = utc_now()
    session.execute(delete(HandledUpdate).where(HandledUpdate.handled_at < now - HANDLED_KEPT))
    session.execute(delete(InboxRow).where(InboxRow.failed_at < now - FAILED_KEPT))
