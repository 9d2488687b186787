"""The versions of the model: their folders, what became of each, and which one serves.

A folder is whole under its name or not there; a row is written after its folder, and a folder is
deleted after its row says so. Synchronous; every call may raise StoreError. Loads no model library
unless a folder is verified.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from sqlalchemy import Engine, Select, func, select
from sqlalchemy.orm import Session

from tweetsent.embedded import NAME
from tweetsent.errors import ModelError, VersionError
from tweetsent.records import ActivatedBy, Activation, ModelState, ModelVersion, Serving
from tweetsent.sessions import insert_new, reading, writing
from tweetsent.settings import Settings
from tweetsent.tables import ActivationRow, ModelRow, utc_now

if TYPE_CHECKING:
    from tweetsent.adapter import Manifest

SHIPPED = "shipped"
"""In place of a folder: the adapter that comes with the package."""

# A version becomes a folder's name, and the manifest it stands in may come from anywhere.
_SAFE_VERSION = re.compile(r"\w[\w .+-]{0,127}")
_DRAFT_PREFIX = ".adding-"


class Registry:
    """The registry of one database and its data folder."""

    def __init__(self, engine: Engine, data_dir: Path, *, has_shipped: bool = True) -> None:
        """`has_shipped`: before the first promotion the shipped adapter serves."""
        self._engine = engine
        self._data_dir = data_dir
        self._models = data_dir / "models"
        self._has_shipped = has_shipped

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> "Registry":
        """The registry of these settings."""
        has_shipped = settings.tweetsent_base_model in {"auto", NAME}
        return cls(engine, settings.tweetsent_data_dir, has_shipped=has_shipped)

    def add(self, folder: Path) -> ModelVersion:
        """Copy an adapter's folder and record it as a candidate; a known version stays as it is.

        Raises ModelError when the adapter is damaged, its version can't be a folder's name or is
        that of other weights, or the disk is full.
        """
        from tweetsent.adapter import read_manifest

        manifest = read_manifest(folder)
        version = manifest.version
        if not _SAFE_VERSION.fullmatch(version):
            raise ModelError(f"adapter {folder}: its version {version!r} can't be a folder's name")
        try:
            self._models.mkdir(parents=True, exist_ok=True)
            with FileLock(self._models / ".lock"):
                self._refuse_other_weights(manifest)
                if folder.resolve() != (self._models / version).resolve():
                    self._copy(folder, version)
                return self._record(manifest)
        except OSError as error:
            raise ModelError(f"adapter {folder} can't be copied: {error}") from error

    def list(self) -> Sequence[ModelVersion]:
        """All versions, the newest first."""
        with reading(self._engine) as session:
            return [_model(row) for row in session.scalars(_newest_first())]

    def get(self, version: str) -> ModelVersion:
        """One version; VersionError for an unknown one."""
        with reading(self._engine) as session:
            return _model(_row(session, version))

    def history(self, version: str) -> Sequence[Activation]:
        """When a version began to serve, the last time first."""
        with reading(self._engine) as session:
            rows = session.scalars(
                select(ActivationRow)
                .where(ActivationRow.version == version)
                .order_by(ActivationRow.id.desc())
            )
            return [_activation(session, row) for row in rows.all()]

    def active(self) -> ModelVersion | None:
        """The version that serves; None means the adapter that the settings name."""
        with reading(self._engine) as session:
            row = _active(session)
            return None if row is None else _model(row)

    def last_activation(self) -> int:
        """The id of the last change of what serves; 0 before the first."""
        with reading(self._engine) as session:
            last = _last(session)
            return last.id if last else 0

    def serving(self) -> Serving | None:
        """The version that serves, with its history; None means as in `active`."""
        with reading(self._engine) as session:
            row, last = _active(session), _last(session)
            if row is None or last is None:
                return None
            return Serving(
                model=_model(row),
                activation=_activation(session, last),
                previous=_previous_version(session, last),
                versions=session.scalar(select(func.count()).select_from(ModelRow)) or 0,
            )

    def verified_folder(self, model: ModelVersion) -> Path:
        """The folder of a version, its hashes checked.

        Raises VersionError when it was deleted, ModelError when it is damaged or another's.
        """
        from tweetsent.adapter import WEIGHTS, read_manifest

        if model.deleted_at is not None:
            raise _deleted(model.version)
        folder = self._folder(model)
        manifest = read_manifest(folder)
        if (manifest.version, manifest.files[WEIGHTS]) != (model.version, model.weights_sha256):
            raise ModelError(f"adapter {folder} is {manifest.version} now, not {model.version}")
        return folder

    def pictures(self, version: str) -> dict[str, bytes]:
        """What was drawn of a version's training and measuring: PNG by name; none when it is gone.

        Raises VersionError for an unknown version, ModelError when one can't be read.
        """
        folder = self._folder(self.get(version)) / "evaluation"
        try:
            return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.png"))}
        except OSError as error:
            raise ModelError(f"{folder} can't be read: {error.strerror or error}") from error

    def promote(
        self,
        version: str,
        by: ActivatedBy,
        reason: str = "",
        also: Callable[[Session], None] = lambda _: None,
        *,
        after: int | None = None,
    ) -> ModelVersion:
        """Let a version serve from now on; one that does already stays as it is.

        `also` is done in the same transaction: both come true or neither. `after` is what
        `last_activation` must be still. Raises VersionError when it isn't or the version is unknown
        or deleted, ModelError when its folder is damaged.
        """
        self.verified_folder(self.get(version))
        shipped = self._shipped_values()
        with writing(self._engine) as session:
            _lock(session)
            row = _row(session, version)
            last = _last(session)
            if after is not None and after != (last.id if last else 0):
                raise VersionError("another version was activated in the meantime")
            if last is None and shipped is not None and shipped["version"] != version:
                last = _begin_history(session, shipped)
            if last is None or last.version != version:
                _activate(session, row, by, reason, previous_id=last.id if last else None)
            also(session)
            return _model(row)

    def rollback(
        self, by: ActivatedBy, reason: str = "", *, from_activation: int | None = None
    ) -> ModelVersion:
        """Let that version serve again which the one that serves took the place of.

        Going back twice goes back two promotions. `from_activation` is the id of the activation
        to undo, None the last one. Raises VersionError when there is none before, its folder was
        deleted, or `from_activation` is not the last one any more; ModelError when it is damaged.
        """
        with reading(self._engine) as session:
            last = _last(session)
            if last is None or last.previous_id is None:
                raise VersionError("there is no version to go back to")
            if from_activation not in {None, last.id}:
                raise VersionError(f"{last.version} was activated in the meantime")
            undone, previous = last.id, session.get_one(ActivationRow, last.previous_id)
            target, previous_id = _model(_row(session, previous.version)), previous.previous_id
        self.verified_folder(target)
        with writing(self._engine) as session:
            _lock(session)
            last = _last(session)
            if last is None or last.id != undone:
                raise VersionError("another version was activated in the meantime")
            row = _row(session, target.version)
            _activate(session, row, by, reason, previous_id=previous_id)
            return _model(row)

    def refuse(
        self, version: str, reason: str, also: Callable[[Session], None] = lambda _: None
    ) -> ModelVersion:
        """Note that a version is not good enough; VersionError when it is unknown or serves.

        `also` as in `promote`.
        """
        with writing(self._engine) as session:
            _lock(session)
            row = _row(session, version)
            if row.state is ModelState.ACTIVE:
                raise VersionError(f"version {version} serves: promote another one before")
            _decide(row, ModelState.REFUSED, reason)
            also(session)
            return _model(row)

    def prune(self, keep: int) -> Sequence[str]:
        """Delete the folders of all but the newest `keep` versions; returns the versions.

        The one that serves and the one before it stay, and so do all rows.
        """
        if not self._models.exists():
            return []
        with FileLock(self._models / ".lock"):
            with writing(self._engine) as session:
                _lock(session)
                last = _last(session)
                protected = {last.version, _previous_version(session, last)} if last else set()
                copied = _newest_first().where(ModelRow.folder != SHIPPED)
                there = session.scalars(copied.where(ModelRow.deleted_at.is_(None))).all()
                old = [row for row in there[keep:] if row.version not in protected]
                for row in old:
                    row.deleted_at = utc_now()
                versions = [row.version for row in old]
                # All of them: a process may have been killed before it got to the folders.
                deleted = session.scalars(copied.where(ModelRow.deleted_at.is_not(None)))
                folders = [self._data_dir / row.folder for row in deleted]
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
        return versions

    def _folder(self, model: ModelVersion) -> Path:
        from tweetsent.adapter import shipped_adapter

        return shipped_adapter() if model.folder == SHIPPED else self._data_dir / model.folder

    def _refuse_other_weights(self, manifest: "Manifest") -> None:
        from tweetsent.adapter import WEIGHTS

        with reading(self._engine) as session:
            known = session.scalar(
                select(ModelRow.weights_sha256).where(ModelRow.version == manifest.version)
            )
        if known not in {None, manifest.files[WEIGHTS]}:
            raise ModelError(f"version {manifest.version} is taken by other weights")

    def _copy(self, folder: Path, version: str) -> None:
        """Put an adapter's folder under its version's name; one that is whole there stays."""
        from tweetsent.adapter import read_manifest

        # A process that was killed leaves its draft behind.
        for draft in self._models.glob(f"{_DRAFT_PREFIX}*"):
            shutil.rmtree(draft)
        target = self._models / version
        if target.exists():
            try:
                if read_manifest(target).version == version:
                    return
            except ModelError:
                pass
            shutil.rmtree(target)
        with tempfile.TemporaryDirectory(dir=self._models, prefix=_DRAFT_PREFIX) as scratch:
            draft = Path(scratch) / version
            shutil.copytree(folder, draft)
            read_manifest(draft)
            draft.rename(target)

    def _record(self, manifest: "Manifest") -> ModelVersion:
        shipped = self._shipped_values()
        with writing(self._engine) as session:
            _lock(session)
            active = _active(session)
            champion = active.version if active else shipped and shipped["version"]
            insert_new(
                session,
                ModelRow,
                **_values(manifest, f"models/{manifest.version}"),
                parent_version=champion,
                state=ModelState.CANDIDATE,
                reason="",
            )
            row = _row(session, manifest.version)
            if row.deleted_at is not None:
                row.deleted_at, row.created_at = None, utc_now()
            return _model(row)

    def _shipped_values(self) -> dict[str, Any] | None:
        from tweetsent.adapter import read_manifest, shipped_adapter

        return _values(read_manifest(shipped_adapter()), SHIPPED) if self._has_shipped else None


def _values(manifest: "Manifest", folder: str) -> dict[str, Any]:
    from tweetsent.adapter import WEIGHTS

    return {
        "version": manifest.version,
        "folder": folder,
        "base_model": manifest.base_model,
        "base_revision": manifest.base_revision,
        "weights_sha256": manifest.files[WEIGHTS],
        "metrics": manifest.metrics,
    }


def _lock(session: Session) -> None:
    """Make those who decide about versions follow each other.

    SQLite's write transactions do anyway. Elsewhere two of them share at least the row that was
    added first, and locking in order can't end in a deadlock.
    """
    session.scalars(select(ModelRow.id).order_by(ModelRow.id).with_for_update()).all()


def _begin_history(session: Session, shipped: dict[str, Any]) -> ActivationRow:
    """The shipped adapter as the first that served, so that one can go back to it."""
    insert_new(session, ModelRow, **shipped, state=ModelState.CANDIDATE, reason="")
    row = _row(session, shipped["version"])
    return _activate(session, row, ActivatedBy.SHIPPED, "", previous_id=None)


def _activate(
    session: Session, row: ModelRow, by: ActivatedBy, reason: str, *, previous_id: int | None
) -> ActivationRow:
    if row.deleted_at is not None:
        raise _deleted(row.version)
    active = _active(session)
    if active is not None:
        _decide(active, ModelState.RETIRED, f"{row.version} took its place")
        # The index allows one active row: the old one must go before the new one comes.
        session.flush()
    _decide(row, ModelState.ACTIVE, reason)
    activation = ActivationRow(version=row.version, previous_id=previous_id, by=by, reason=reason)
    session.add(activation)
    session.flush()
    return activation


def _decide(row: ModelRow, state: ModelState, reason: str) -> None:
    row.state, row.reason, row.decided_at = state, reason, utc_now()


def _active(session: Session) -> ModelRow | None:
    return session.scalars(
        select(ModelRow).where(ModelRow.state == ModelState.ACTIVE)
    ).one_or_none()


def _last(session: Session) -> ActivationRow | None:
    return session.scalars(
        select(ActivationRow).order_by(ActivationRow.id.desc()).limit(1)
    ).one_or_none()


def _previous_version(session: Session, last: ActivationRow) -> str | None:
    previous = session.get(ActivationRow, last.previous_id) if last.previous_id else None
    return previous.version if previous else None


def _newest_first() -> Select[ModelRow]:
    return select(ModelRow).order_by(ModelRow.created_at.desc(), ModelRow.id.desc())


def _row(session: Session, version: str) -> ModelRow:
    row = session.scalars(select(ModelRow).where(ModelRow.version == version)).one_or_none()
    if row is None:
        raise VersionError(f"there is no version {version}: `tweetsent models list` shows all")
    return row


def _deleted(version: str) -> VersionError:
    return VersionError(
        f"the folder of version {version} was deleted (TWEETSENT_KEEP_MODELS): "
        "`tweetsent models add` brings it back from a copy"
    )


def _model(row: ModelRow) -> ModelVersion:
    return ModelVersion(**{field.name: getattr(row, field.name) for field in fields(ModelVersion)})


def _activation(session: Session, row: ActivationRow) -> Activation:
    before = session.scalar(select(func.max(ActivationRow.id)).where(ActivationRow.id < row.id))
    return Activation(
        id=row.id,
        version=row.version,
        at=row.at,
        by=row.by,
        reason=row.reason,
        is_rollback=row.previous_id != before,
    )
