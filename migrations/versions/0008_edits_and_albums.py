"""Edited messages and albums."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no message of before counts as edited or as part of an album."""
    op.add_column("predictions", sa.Column("album", sa.String(64)))
    op.add_column("predictions", sa.Column("edited_at", sa.DateTime(timezone=True)))
    op.add_column(
        "predictions",
        sa.Column("is_answer_stale", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index("uq_predictions_chat_album", "predictions", ["chat", "album"], unique=True)
