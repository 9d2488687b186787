"""What is wrong with versions of the model, and whether the admins were told of it.

Kept in the database, so that neither the next try nor the next start says it again. Synchronous;
every call may raise StoreError.
"""

from sqlalchemy import Engine, delete, select

from tweetsent.records import FaultKind, ModelFault
from tweetsent.sessions import insert_new, reading, writing
from tweetsent.tables import FaultRow, utc_now


class Faults:
    """The faults of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, version: str, kind: FaultKind, reason: str) -> None:
        """Have the admins told of a fault, unless it is known."""
        if self.reason(version, kind) is not None:
            return
        with writing(self._engine) as session:
            insert_new(session, FaultRow, version=version, kind=kind, reason=reason)

    def reason(self, version: str, kind: FaultKind) -> str | None:
        """What a fault was noted with, whether or not anybody was told of it; None without one."""
        noted = select(FaultRow.reason).where(FaultRow.version == version, FaultRow.kind == kind)
        with reading(self._engine) as session:
            return session.scalar(noted)

    def forget(self, version: str, kind: FaultKind) -> None:
        """Note that a fault is mended: when it comes back it is news."""
        with writing(self._engine) as session:
            session.execute(
                delete(FaultRow).where(FaultRow.version == version, FaultRow.kind == kind)
            )

    def claim(self) -> ModelFault | None:
        """The oldest fault that nobody told the admins of, which the caller must do now.

        Each is given out once, to one of several processes.
        """
        untold = select(FaultRow).where(FaultRow.reported_at.is_(None)).order_by(FaultRow.id)
        with writing(self._engine) as session:
            row = session.scalars(untold.limit(1).with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            row.reported_at = utc_now()
            return ModelFault(row.version, row.kind, row.reason)
