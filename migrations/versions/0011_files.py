"""Files that users sent to be labelled."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATES = ("running", "waiting", "delivering", "done", "cancelled", "failed")


def upgrade() -> None:
    """Make the table."""
    state = sa.Enum(*_STATES, name="state", native_enum=False, create_constraint=True, length=16)
    op.create_table(
        "files",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("chat", sa.String(64), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("upload", sa.JSON()),
        sa.Column("state", state, nullable=False),
        sa.Column("choice", sa.Integer()),
        sa.Column("status_message_id", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.UniqueConstraint("chat", "message_id", name="uq_files_chat_message_id"),
        sqlite_autoincrement=True,
    )
    unfinished = sa.text("upload IS NOT NULL")
    op.create_index(
        "uq_files_unfinished",
        "files",
        ["owner"],
        unique=True,
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index("ix_files_created_at", "files", ["created_at"])
