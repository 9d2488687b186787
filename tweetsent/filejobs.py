"""The files that users sent to be labelled: one of each user at a time, so many a day.

Knows nothing of what is in a file. Telegram's ids are raw only while a file is not finished.
"""

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from tweetsent.errors import FileBusyError, FileQuotaError, NotFoundError, NotOwnerError
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import FileJob, FileState, Upload
from tweetsent.sessions import insert_new, writing
from tweetsent.tables import FileRow, utc_now

KEPT = timedelta(days=2)
"""How long a file is remembered: while Telegram may deliver its message again, and a day's limit
looks back."""
_DAY = timedelta(days=1)
_UNFINISHED = (FileState.RUNNING, FileState.WAITING, FileState.DELIVERING)


class FileJobs:
    """The files of one database; every call is one short transaction and may raise StoreError."""

    def __init__(self, engine: Engine, pseudonymise: Pseudonymiser) -> None:
        self._engine = engine
        self._pseudonymise = pseudonymise

    def begin(self, user_id: int, upload: Upload, per_day: int) -> FileJob | None:
        """Take a file; None when its message was seen before.

        One that only waits for the user's word gives way. Raises FileBusyError while another one
        is in work, FileQuotaError after `per_day` in 24 hours; failed ones don't count.
        """
        owner = self._pseudonymise.user(user_id)
        message = {
            "chat": self._pseudonymise.chat(upload.chat_id),
            "message_id": upload.message_id,
        }
        with writing(self._engine) as session:
            _forget_old(session)
            if session.scalar(select(FileRow.id).filter_by(**message)) is not None:
                return None
            session.execute(
                update(FileRow)
                .where(FileRow.owner == owner, FileRow.state == FileState.WAITING)
                .values(state=FileState.CANCELLED, upload=None)
            )
            recent = select(func.count()).where(
                FileRow.owner == owner,
                FileRow.created_at > utc_now() - _DAY,
                FileRow.state != FileState.FAILED,
            )
            if (session.scalar(recent) or 0) >= per_day:
                raise FileQuotaError(f"more than {per_day} files in a day")
            insert_new(session, FileRow, owner=owner, upload=asdict(upload), **message)
            row = session.scalars(select(FileRow).filter_by(**message)).one_or_none()
            if row is None:  # the index let no second one in
                raise FileBusyError("another file of this user is in work")
            return _record(row)

    def unfinished(self) -> list[FileJob]:
        """The files that are not finished, oldest first; the old ones are forgotten."""
        with writing(self._engine) as session:
            _forget_old(session)
            query = select(FileRow).where(FileRow.state.in_(_UNFINISHED)).order_by(FileRow.id)
            return [_record(row) for row in session.scalars(query)]

    def begin_try(self, file_id: int) -> FileJob | None:
        """Count a try to label a file; None when it is not to be labelled any more."""
        with writing(self._engine) as session:
            row = _locked(session, file_id)
            if row is None or row.state is not FileState.RUNNING:
                return None
            row.attempts += 1
            return _record(row)

    def shown(self, file_id: int, status_message_id: int) -> None:
        """Note which message of the bot shows where a file stands."""
        with writing(self._engine) as session:
            session.execute(
                update(FileRow)
                .where(FileRow.id == file_id)
                .values(status_message_id=status_message_id)
            )

    def move(self, file_id: int, state: FileState) -> bool:
        """Change the state of a file that is not finished; False when it is, or is cancelled."""
        with writing(self._engine) as session:
            row = _locked(session, file_id)
            return row is not None and _moved(row, state, *_UNFINISHED)

    def choose(self, user_id: int, file_id: int, choice: int) -> FileJob | None:
        """Take the owner's word on the column; None when nobody waits for it any more.

        Raises NotFoundError for an unknown file, NotOwnerError for somebody else's.
        """
        with writing(self._engine) as session:
            row = self._owned(session, user_id, file_id)
            if not _moved(row, FileState.RUNNING, FileState.WAITING):
                return None
            row.choice, row.attempts = choice, 0
            return _record(row)

    def cancel(self, user_id: int, file_id: int) -> bool:
        """End a file on its owner's word; False when it is too late. Raises as `choose`."""
        with writing(self._engine) as session:
            row = self._owned(session, user_id, file_id)
            return _moved(row, FileState.CANCELLED, FileState.RUNNING, FileState.WAITING)

    def _owned(self, session: Session, user_id: int, file_id: int) -> FileRow:
        row = _locked(session, file_id)
        if row is None:
            raise NotFoundError(f"there is no file {file_id}")
        if row.owner != self._pseudonymise.user(user_id):
            raise NotOwnerError(f"file {file_id} is somebody else's")
        return row


def _locked(session: Session, file_id: int) -> FileRow | None:
    return session.get(FileRow, file_id, with_for_update=True)


def _moved(row: FileRow, state: FileState, *before: FileState) -> bool:
    if row.state not in before:
        return False
    row.state = state
    if state not in _UNFINISHED:
        row.upload = None
    return True


def _forget_old(session: Session) -> None:
    session.execute(delete(FileRow).where(FileRow.created_at < utc_now() - KEPT))


def _record(row: FileRow) -> FileJob:
    assert row.upload is not None  # NULL only where a file is finished
    return FileJob(
        id=row.id,
        state=row.state,
        upload=Upload(**row.upload),
        choice=row.choice,
        status_message_id=row.status_message_id,
        attempts=row.attempts,
    )
