"""The database's tables as SQLAlchemy models; knows nothing of connections or of Telegram.

The schema itself is made by the revisions in `migrations/`; a test keeps the two in step.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tweetsent.encryption import EncryptedJson, EncryptedText
from tweetsent.labels import Label
from tweetsent.records import (
    ActivatedBy,
    AnnouncementState,
    Consent,
    CorrectionState,
    FaultKind,
    FileState,
    ModelState,
    RunState,
    RunStep,
    Trigger,
)

# SQLite counts up only a column of its own type INTEGER, which holds 64 bits there anyway.
_Key = BigInteger().with_variant(Integer, "sqlite")
# SQLite gives the id of a deleted last row again, while buttons in chats may still name it.
_NEVER_AGAIN = {"sqlite_autoincrement": True}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also on SQLite, which stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time to store; ValueError for one without a time zone."""
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored time, in UTC."""
        del dialect
        if value is None or value.tzinfo is not None:
            return value and value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def _enum(members: type[StrEnum], name: str) -> Enum:
    """A string column with a CHECK of the members' values, named by the metadata's convention."""
    return Enum(
        members,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda enum: [member.value for member in enum],
    )


class Base(DeclarativeBase):
    """Root of the models; every constraint has a name, so that a migration can change it."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime, str: Text, dict[str, Any]: JSON}


class User(Base):
    """Somebody who wrote to the bot, under a pseudonym, and their word on training."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    consent: Mapped[Consent] = mapped_column(_enum(Consent, "consent"), default=Consent.UNASKED)
    consent_at: Mapped[datetime | None]
    """When the user answered."""
    consent_version: Mapped[int | None]
    """Which wording of the question they answered."""
    asked_at: Mapped[datetime | None]
    """When the bot asked on its own; it does so once."""


class PredictionRow(Base):
    """One classified message; `message_id` is the user's, `answer_message_id` the bot's.

    Once it is anonymous, only what the statistics read is left, and all the rest is NULL; nothing
    but the statistics finds such a row.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("chat", "message_id"),
        Index(None, "chat", "answer_message_id"),
        Index("uq_predictions_chat_album", "chat", "album", unique=True),
        Index(
            "ix_predictions_personal",
            "created_at",
            sqlite_where=text("user_id IS NOT NULL"),
            postgresql_where=text("user_id IS NOT NULL"),
        ),
        _NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True, nullable=True)
    chat: Mapped[str] = mapped_column(String(64), nullable=True)
    """The chat's pseudonym."""
    message_id: Mapped[int] = mapped_column(BigInteger, nullable=True)
    text: Mapped[str] = mapped_column(EncryptedText, nullable=True)
    """The cleaned text."""
    is_forward: Mapped[bool]
    is_group: Mapped[bool]
    label: Mapped[Label] = mapped_column(_enum(Label, "label"))
    score_negative: Mapped[float]
    score_neutral: Mapped[float]
    score_positive: Mapped[float]
    model_version: Mapped[str] = mapped_column(String(128))
    prompt_version: Mapped[str] = mapped_column(String(64))
    latency_ms: Mapped[float]
    parts: Mapped[int] = mapped_column(default=1, server_default="1")
    """How many parts of the message were classified; the scores are their mean."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    answer_message_id: Mapped[int | None] = mapped_column(BigInteger)
    album: Mapped[str | None] = mapped_column(String(64))
    """Telegram's id of the album, of which one part is classified."""
    edited_at: Mapped[datetime | None]
    """When its text became another one; None for the text it was sent with."""
    is_answer_stale: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the bot's answer shows the result of an earlier text."""


class CorrectionRow(Base):
    """One correction; rows are only added, and at most one of a user and prediction is live."""

    __tablename__ = "corrections"
    __table_args__ = (
        Index(
            "uq_corrections_live",
            "prediction_id",
            "user_id",
            unique=True,
            sqlite_where=text("superseded_at IS NULL"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        _NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[Label] = mapped_column(_enum(Label, "label"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    superseded_at: Mapped[datetime | None]
    """When the same user corrected the same prediction again, or the message was edited; None while
    live."""
    state: Mapped[CorrectionState] = mapped_column(
        _enum(CorrectionState, "state"), default=CorrectionState.PENDING
    )
    """A superseded correction keeps its last one."""
    reason: Mapped[str | None] = mapped_column(String(32))
    """Why it is in that state; None before the policy saw it."""
    decided_at: Mapped[datetime | None]
    """When it left `pending`."""
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """The admin who reviewed it; None where the policy decided or that admin was erased."""
    screened_at: Mapped[datetime | None]
    """When confident learning looked at its label, which it does once."""


class RunRow(Base):
    """One retraining run; at most one is running, and its process renews the lease."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "uq_runs_running",
            "state",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    trigger: Mapped[Trigger] = mapped_column(_enum(Trigger, "trigger"))
    state: Mapped[RunState] = mapped_column(_enum(RunState, "state"), default=RunState.RUNNING)
    step: Mapped[RunStep] = mapped_column(_enum(RunStep, "step"), default=RunStep.EXPORT)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    lease_until: Mapped[datetime]
    """Until when other machines take the run to be alive without another sign of life."""
    heartbeat: Mapped[float | None]
    """`time.monotonic()` of the last sign of life, which all processes of a machine share."""
    token: Mapped[str] = mapped_column(String(32))
    """Known to the run's own process alone."""
    host: Mapped[str]
    process: Mapped[int]
    corrections: Mapped[int | None]
    snapshot: Mapped[str | None] = mapped_column(String(64))
    model_version: Mapped[str | None] = mapped_column(String(128))
    decision: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reason: Mapped[str] = mapped_column(default="")
    reported_at: Mapped[datetime | None]
    """When the admins were told how it ended."""


class InboxRow(Base):
    """An update that Telegram delivered and no handler has finished.

    `chat_id` and `payload` are raw, because the handlers need them and their order; the row is
    deleted as soon as the update is done, and some days after it failed.
    """

    __tablename__ = "inbox"

    update_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    chat_id: Mapped[int | None] = mapped_column(BigInteger)
    payload: Mapped[str] = mapped_column(EncryptedText)
    """The update as JSON."""
    received_at: Mapped[datetime] = mapped_column(default=utc_now)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often handling it failed."""
    may_have_sent: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether its user may have got a message: a process that was killed can't say more."""
    failed_at: Mapped[datetime | None] = mapped_column(index=True)
    error: Mapped[str | None]


class FileRow(Base):
    """A file that a user sent to be labelled: what is in it is never stored.

    `upload` is raw, as an inbox row is, to go on after a restart, and NULL once the file is
    finished; the row itself is deleted after some days.
    """

    __tablename__ = "files"
    __table_args__ = (
        UniqueConstraint("chat", "message_id"),
        Index(
            "uq_files_unfinished",
            "owner",
            unique=True,
            sqlite_where=text("upload IS NOT NULL"),
            postgresql_where=text("upload IS NOT NULL"),
        ),
        _NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    """The pseudonym of the user who sent it."""
    chat: Mapped[str] = mapped_column(String(64))
    """The chat's pseudonym."""
    message_id: Mapped[int] = mapped_column(BigInteger)
    upload: Mapped[dict[str, Any] | None] = mapped_column(EncryptedJson)
    state: Mapped[FileState] = mapped_column(_enum(FileState, "state"), default=FileState.RUNNING)
    choice: Mapped[int | None]
    """Which of the possible columns of texts the user chose."""
    status_message_id: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class HandledUpdate(Base):
    """The id of a finished update, kept as long as Telegram may deliver it again."""

    __tablename__ = "handled_updates"

    update_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    handled_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class ModelRow(Base):
    """One version of the model: an adapter's folder and what became of it."""

    __tablename__ = "models"
    __table_args__ = (
        Index(
            "uq_models_active",
            "state",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    version: Mapped[str] = mapped_column(String(128), unique=True)
    folder: Mapped[str]
    """Relative to the data folder, or "shipped"."""
    base_model: Mapped[str]
    base_revision: Mapped[str]
    weights_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    """When it was added."""
    parent_version: Mapped[str | None] = mapped_column(String(128))
    """What served when it was added."""
    metrics: Mapped[dict[str, Any]]
    """Evaluation results by validation file."""
    state: Mapped[ModelState] = mapped_column(_enum(ModelState, "state"))
    decided_at: Mapped[datetime | None]
    """When it got its state; None for a candidate."""
    reason: Mapped[str]
    """Why it got its state."""
    deleted_at: Mapped[datetime | None]
    """When its folder was deleted."""


class ActivationRow(Base):
    """One change of what serves; rows are only added, and the last one says what serves."""

    __tablename__ = "activations"

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    version: Mapped[str] = mapped_column(ForeignKey("models.version"))
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("activations.id"))
    """Where going back from here leads."""
    at: Mapped[datetime] = mapped_column(default=utc_now)
    by: Mapped[ActivatedBy] = mapped_column(_enum(ActivatedBy, "by"))
    reason: Mapped[str]


class FaultRow(Base):
    """A fault of a version of the model that was not mended since."""

    __tablename__ = "model_faults"
    __table_args__ = (UniqueConstraint("version", "kind"),)

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    version: Mapped[str]
    """Of the registry or of an adapter that the settings name."""
    kind: Mapped[FaultKind] = mapped_column(_enum(FaultKind, "kind"))
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utc_now)
    reported_at: Mapped[datetime | None]
    """When a process took it upon itself to tell the admins."""


class PrivateChat(Base):
    """A private chat that may be written to, under Telegram's own id, and nothing else of it.

    No other table knows this id, and no time or order here tells which rows of theirs belong to it.
    """

    __tablename__ = "private_chats"

    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class AnnouncementRow(Base):
    """A message to all private chats: waiting for its admin's word or being sent, then deleted.

    `chat_id` is the admin's, `message_id` that of the command, `status_message_id` that of the
    bot's message which asks and then shows how far it is.
    """

    __tablename__ = "announcements"
    __table_args__ = (
        UniqueConstraint("chat_id", "message_id"),
        Index(
            "uq_announcements_running",
            "state",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    status_message_id: Mapped[int | None] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(EncryptedText)
    state: Mapped[AnnouncementState] = mapped_column(
        _enum(AnnouncementState, "state"), default=AnnouncementState.DRAFT
    )
    recipients: Mapped[int]
    """How many chats there were when it was asked for."""
    attempted: Mapped[int] = mapped_column(default=0)
    sent: Mapped[int] = mapped_column(default=0)
    blocked: Mapped[int] = mapped_column(default=0)
    cursor: Mapped[int] = mapped_column(BigInteger, default=0)
    """The last chat that was taken up; they come in the order of their ids, which are positive."""


class TextKeyRow(Base):
    """A known word, encrypted with the key of all texts; no row where they are plain."""

    __tablename__ = "text_key"

    id: Mapped[int] = mapped_column(_Key, primary_key=True)
    sample: Mapped[str]
