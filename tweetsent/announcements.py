"""Private chats that may be written to, and the announcement that is on its way to them.

A chat is taken up, for good, before it is written to: a crash may cost one chat the message, but
nobody gets it twice. Knows nothing of how messages are sent.
"""

from sqlalchemy import Engine, bindparam, delete, func, select
from sqlalchemy.orm import Session

from tweetsent.errors import NotFoundError
from tweetsent.records import Announcement, AnnouncementState, Outcome
from tweetsent.sessions import insert_new, reading, writing
from tweetsent.tables import AnnouncementRow, PrivateChat

_KNOWN_CHAT = select(PrivateChat.chat_id).where(PrivateChat.chat_id == bindparam("chat_id"))


class Announcements:
    """Those of one database; every call is one short transaction and may raise StoreError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remember_chat(self, chat_id: int) -> bool:
        """Note that a private chat may be written to; whether that is news."""
        with reading(self._engine) as session:
            if session.scalar(_KNOWN_CHAT, {"chat_id": chat_id}) is not None:
                return False
        with writing(self._engine) as session:
            insert_new(session, PrivateChat, chat_id=chat_id)
        return True

    def forget_chat(self, chat_id: int) -> None:
        """Never give this chat as a recipient, until it is remembered again."""
        with writing(self._engine) as session:
            forget_chat(session, chat_id)

    def draft(self, chat_id: int, message_id: int, text: str) -> Announcement:
        """The announcement that a command in an admin's private chat asks for.

        The same command again gives the same one. Earlier ones that the admin did not confirm are
        dropped.
        """
        with writing(self._engine) as session:
            session.execute(
                delete(AnnouncementRow).where(
                    AnnouncementRow.chat_id == chat_id,
                    AnnouncementRow.message_id != message_id,
                    AnnouncementRow.state == AnnouncementState.DRAFT,
                )
            )
            insert_new(
                session,
                AnnouncementRow,
                chat_id=chat_id,
                message_id=message_id,
                text=text,
                recipients=session.scalar(select(func.count()).select_from(PrivateChat)) or 0,
            )
            return _record(
                session.scalars(
                    select(AnnouncementRow).where(
                        AnnouncementRow.chat_id == chat_id, AnnouncementRow.message_id == message_id
                    )
                ).one()
            )

    def asked(self, announcement_id: int, status_message_id: int) -> None:
        """Note which message of the bot asks whether to send it, and will show how far it is."""
        with writing(self._engine) as session:
            row = session.get(AnnouncementRow, announcement_id)
            if row is not None:
                row.status_message_id = status_message_id

    def start(
        self, announcement_id: int, chat_id: int, status_message_id: int
    ) -> Announcement | None:
        """Have it sent; None while another one is.

        NotFoundError for one that is not asked for there, or was cancelled.
        """
        with writing(self._engine) as session:
            row = _asked_row(session, announcement_id, chat_id, status_message_id)
            if row.state is AnnouncementState.CANCELLED:
                raise NotFoundError(f"announcement {announcement_id} was cancelled")
            at_work = _at_work(session)
            if at_work is not None and at_work.id != row.id:
                return None
            row.state = AnnouncementState.RUNNING
            return _record(row)

    def cancel(self, announcement_id: int, chat_id: int, status_message_id: int) -> bool:
        """Drop or end it; whether sending had begun. NotFoundError for one not asked there."""
        with writing(self._engine) as session:
            row = _asked_row(session, announcement_id, chat_id, status_message_id)
            if row.state is AnnouncementState.DRAFT:
                session.delete(row)
                return False
            row.state = AnnouncementState.CANCELLED
            return True

    def at_work(self) -> Announcement | None:
        """The announcement that is to be sent, or was cancelled while it was; None without any."""
        with reading(self._engine) as session:
            row = _at_work(session)
            return None if row is None else _record(row)

    def next_recipient(self, announcement_id: int) -> int | None:
        """The next chat to write to, which counts as taken up from now on; None at the end."""
        with writing(self._engine) as session:
            row = session.get(AnnouncementRow, announcement_id)
            if row is None or row.state is not AnnouncementState.RUNNING:
                return None
            chat_id = session.scalar(
                select(func.min(PrivateChat.chat_id)).where(PrivateChat.chat_id > row.cursor)
            )
            if chat_id is not None:
                row.cursor = chat_id
                row.attempted += 1
            return chat_id

    def note_outcome(self, announcement_id: int, chat_id: int, outcome: Outcome) -> Announcement:
        """Note what came of writing to the chat that was taken up last."""
        with writing(self._engine) as session:
            row = session.get_one(AnnouncementRow, announcement_id)
            match outcome:
                case Outcome.SENT:
                    row.sent += 1
                case Outcome.BLOCKED:
                    row.blocked += 1
                    forget_chat(session, chat_id)
                case Outcome.PUT_OFF:
                    row.cursor = chat_id - 1
                    row.attempted -= 1
            return _record(row)

    def drop(self, announcement_id: int) -> None:
        """Delete it: nothing of what it said stays."""
        with writing(self._engine) as session:
            session.execute(delete(AnnouncementRow).where(AnnouncementRow.id == announcement_id))


def forget_chat(session: Session, chat_id: int) -> None:
    """Delete a private chat, and announcements that wait for a word from it."""
    session.execute(delete(PrivateChat).where(PrivateChat.chat_id == chat_id))
    session.execute(
        delete(AnnouncementRow).where(
            AnnouncementRow.chat_id == chat_id, AnnouncementRow.state == AnnouncementState.DRAFT
        )
    )


def _at_work(session: Session) -> AnnouncementRow | None:
    return session.scalars(
        select(AnnouncementRow)
        .where(AnnouncementRow.state != AnnouncementState.DRAFT)
        .order_by(AnnouncementRow.id)
        .limit(1)
    ).one_or_none()


def _asked_row(
    session: Session, announcement_id: int, chat_id: int, status_message_id: int
) -> AnnouncementRow:
    """The row, locked; SQLite gives ids again, so the message tells which one was meant."""
    row = session.scalars(
        select(AnnouncementRow)
        .where(
            AnnouncementRow.id == announcement_id,
            AnnouncementRow.chat_id == chat_id,
            AnnouncementRow.status_message_id == status_message_id,
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"announcement {announcement_id} is not asked for there")
    return row


def _record(row: AnnouncementRow) -> Announcement:
    return Announcement(
        id=row.id,
        chat_id=row.chat_id,
        status_message_id=row.status_message_id,
        text=row.text,
        state=row.state,
        recipients=row.recipients,
        attempted=row.attempted,
        sent=row.sent,
        blocked=row.blocked,
    )
