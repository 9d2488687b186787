"""First tables: users, predictions, corrections, and the inbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_LABEL = sa.Enum(
    "negative",
    "neutral",
    "positive",
    name="label",
    native_enum=False,
    create_constraint=True,
    length=16,
)
_CONSENT = sa.Enum(
    "unasked",
    "granted",
    "refused",
    name="consent",
    native_enum=False,
    create_constraint=True,
    length=16,
)


def upgrade() -> None:
    """Make the tables."""
    _users()
    _predictions()
    _corrections()
    _inbox()


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("pseudonym", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("consent", _CONSENT, nullable=False),
        sa.Column("consent_at", _TIME),
        sa.Column("consent_version", sa.Integer()),
        sa.Column("asked_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("pseudonym", name="uq_users_pseudonym"),
    )


def _predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("chat", sa.String(64), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_forward", sa.Boolean(), nullable=False),
        sa.Column("is_group", sa.Boolean(), nullable=False),
        sa.Column("label", _LABEL, nullable=False),
        sa.Column("score_negative", sa.Double(), nullable=False),
        sa.Column("score_neutral", sa.Double(), nullable=False),
        sa.Column("score_positive", sa.Double(), nullable=False),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("prompt_version", sa.String(64), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("answer_message_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_predictions_user_id"),
        sa.UniqueConstraint("chat", "message_id", name="uq_predictions_chat_message_id"),
    )
    op.create_index(
        "ix_predictions_chat_answer_message_id", "predictions", ["chat", "answer_message_id"]
    )
    op.create_index("ix_predictions_created_at", "predictions", ["created_at"])


def _corrections() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("prediction_id", _KEY, nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("label", _LABEL, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("superseded_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_corrections_prediction_id"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_corrections_user_id"),
    )
    live = sa.text("superseded_at IS NULL")
    op.create_index(
        "uq_corrections_live",
        "corrections",
        ["prediction_id", "user_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("update_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chat_id", sa.BigInteger()),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", _TIME),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("update_id", name="pk_inbox"),
    )
    op.create_index("ix_inbox_failed_at", "inbox", ["failed_at"])
    op.create_table(
        "handled_updates",
        sa.Column("update_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("handled_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("update_id", name="pk_handled_updates"),
    )
    op.create_index("ix_handled_updates_handled_at", "handled_updates", ["handled_at"])
