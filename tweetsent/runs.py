"""Retraining runs in the database: one at a time over all processes, each with its end.

A run holds a lease that its process renews. When the lease runs out, or the process is seen to be
gone, the next run takes its place and the old one is written down as failed. Should that one be
alive, or should an admin have stopped it, its next sign of life is refused and it must stop. On the
run's own machine the lease is measured by a clock that nobody sets: one may put the wall clock
forwards or back. Synchronous; every call is one transaction and may raise StoreError.
"""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from tweetsent.errors import RunError
from tweetsent.records import Run, RunState, RunStep, Trigger
from tweetsent.sessions import reading, writing
from tweetsent.tables import RunRow, utc_now

LEASE = timedelta(seconds=120)
"""How long a run counts as alive after a sign of life; several times what lies between two."""


def snapshot_of(snapshots: Path, run_id: int) -> Path:
    """Where a run's data set lies, in the folder of them all."""
    return snapshots / f"{run_id:06d}"


class Lease:
    """What the process of a running run writes through; every method is a sign of life.

    Each raises RunError when another run has taken the place of this one.
    """

    def __init__(self, engine: Engine, run_id: int, token: str) -> None:
        self._engine = engine
        self.run_id = run_id
        self._token = token

    def renew(self) -> None:
        """Nothing but a sign of life."""
        with writing(self._engine) as session:
            self._row(session)

    def progress(self, step: RunStep, done: int = 0, total: int = 0) -> None:
        """Say where the run stands."""
        with writing(self._engine) as session:
            row = self._row(session)
            row.step, row.done, row.total = step, done, total

    def exported(self, snapshot: str, corrections: int) -> None:
        """Note the data set, by its hash, and how many corrections are trained on."""
        with writing(self._engine) as session:
            row = self._row(session)
            row.snapshot, row.corrections = snapshot, corrections

    def made(self, model_version: str) -> None:
        """Note the adapter that came out."""
        with writing(self._engine) as session:
            self._row(session).model_version = model_version

    def finish(
        self, state: RunState, reason: str = "", decision: dict[str, Any] | None = None
    ) -> None:
        """Write the run's end; afterwards the lease is worth nothing."""
        with writing(self._engine) as session:
            self.finish_with(session, state, reason, decision)

    def finish_with(
        self,
        session: Session,
        state: RunState,
        reason: str = "",
        decision: dict[str, Any] | None = None,
    ) -> None:
        """As `finish`, in the transaction of what the run's end brings about."""
        row = self._row(session)
        row.state, row.reason, row.decision = state, reason, decision
        row.finished_at = utc_now()

    def _row(self, session: Session) -> RunRow:
        row = session.get(RunRow, self.run_id, with_for_update=True)
        if row is None or row.state is not RunState.RUNNING or row.token != self._token:
            raise RunError(
                f"run {self.run_id} gave no sign of life for too long and another may have taken "
                "its place, or an admin stopped it: it stops here, and the model that serves stays"
            )
        row.lease_until, row.heartbeat = utc_now() + LEASE, time.monotonic()
        return row


class Runs:
    """All runs of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start(self, trigger: Trigger) -> Lease:
        """Begin a run; RunError while another one is alive."""
        token = uuid.uuid4().hex
        with writing(self._engine) as session:
            if session.get_bind().dialect.name == "postgresql":
                # SQLite's write transactions follow each other as they are.
                session.execute(text("LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE"))
            other = session.scalars(
                select(RunRow).where(RunRow.state == RunState.RUNNING)
            ).one_or_none()
            if other is not None:
                if _is_alive(other):
                    raise RunError(
                        f"run {other.id} is at work since {other.started_at:%Y-%m-%d %H:%M} UTC "
                        f"({other.step}); only one runs at a time"
                    )
                _fail(other, _vanished(other))
                session.flush()  # the index allows one running row
            row = RunRow(
                trigger=trigger,
                token=token,
                host=socket.gethostname(),
                process=os.getpid(),
                lease_until=utc_now() + LEASE,
                heartbeat=time.monotonic(),
            )
            session.add(row)
            session.flush()
            return Lease(self._engine, row.id, token)

    def sweep(self) -> None:
        """Write down as failed a run whose process is gone."""
        with writing(self._engine) as session:
            running = select(RunRow).where(RunRow.state == RunState.RUNNING).with_for_update()
            for row in session.scalars(running):
                if not _is_alive(row):
                    _fail(row, _vanished(row))

    def stop(self, run_id: int) -> bool:
        """End a run on an admin's word, wherever its process is; False when it had ended.

        The process itself stops when its next sign of life is refused.
        """
        with writing(self._engine) as session:
            row = session.get(RunRow, run_id, with_for_update=True)
            if row is None or row.state is not RunState.RUNNING:
                return False
            row.state, row.finished_at = RunState.STOPPED, utc_now()
            return True

    def list(self, count: int = 20) -> Sequence[Run]:
        """The last so many runs, the newest first."""
        with reading(self._engine) as session:
            rows = session.scalars(select(RunRow).order_by(RunRow.id.desc()).limit(count))
            return [_record(row) for row in rows]

    def get(self, run_id: int) -> Run | None:
        """One run."""
        with reading(self._engine) as session:
            row = session.get(RunRow, run_id)
            return None if row is None else _record(row)

    def that_made(self, model_version: str) -> Run | None:
        """The run that a version came out of; None where it came from elsewhere."""
        query = select(RunRow).where(RunRow.model_version == model_version)
        with reading(self._engine) as session:
            row = session.scalars(query.order_by(RunRow.id.desc()).limit(1)).one_or_none()
            return None if row is None else _record(row)

    def claim_report(self) -> Run | None:
        """The oldest ended run that nobody told the admins of, which the caller must do now.

        Each run is given out once, to one of several processes.
        """
        with writing(self._engine) as session:
            row = session.scalars(
                select(RunRow)
                .where(RunRow.state != RunState.RUNNING, RunRow.reported_at.is_(None))
                .order_by(RunRow.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return None
            row.reported_at = utc_now()
            return _record(row)


def _is_alive(row: RunRow) -> bool:
    if row.host != socket.gethostname() or row.heartbeat is None:
        return utc_now() <= row.lease_until
    # The id of a process that is gone may be another's by now, so that it alone proves nothing;
    # after a restart of the machine the clock begins anew, and the sign of life lies ahead of it.
    if not 0 <= time.monotonic() - row.heartbeat <= LEASE.total_seconds():
        return False
    try:
        os.kill(row.process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _vanished(row: RunRow) -> str:
    return f"its process ended without a word during {row.step}"


def _fail(row: RunRow, reason: str) -> None:
    row.state, row.finished_at, row.reason = RunState.FAILED, utc_now(), reason


def _record(row: RunRow) -> Run:
    return Run(
        id=row.id,
        trigger=row.trigger,
        state=row.state,
        step=row.step,
        done=row.done,
        total=row.total,
        started_at=row.started_at,
        finished_at=row.finished_at,
        corrections=row.corrections,
        snapshot=row.snapshot,
        model_version=row.model_version,
        decision=row.decision,
        reason=row.reason,
    )
