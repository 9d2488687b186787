"""Predictions may become anonymous, and texts may be encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_LAST_ID = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'predictions'")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Let a prediction be nobody's; a sample says whether texts are encrypted: they are not yet."""
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    last_id = connection.scalar(_LAST_ID) if is_sqlite else None
    with op.batch_alter_table("predictions", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("user_id", existing_type=sa.BigInteger(), nullable=True)
        batch.alter_column("chat", existing_type=sa.String(64), nullable=True)
        batch.alter_column("message_id", existing_type=sa.BigInteger(), nullable=True)
        batch.alter_column("text", existing_type=sa.Text(), nullable=True)
    if last_id is not None:  # the new table would begin after the rows that are left
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'predictions'"))
        connection.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('predictions', :last)"),
            {"last": last_id},
        )
    personal = sa.text("user_id IS NOT NULL")
    op.create_index(
        "ix_predictions_personal",
        "predictions",
        ["created_at"],
        sqlite_where=personal,
        postgresql_where=personal,
    )
    op.create_table(
        "text_key",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_text_key"),
    )
