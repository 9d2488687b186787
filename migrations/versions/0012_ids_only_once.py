"""Ids of deleted messages and corrections are never given again: buttons may still name them."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the tables anew on SQLite; PostgreSQL's sequences never go back."""
    if op.get_bind().dialect.name == "sqlite":
        for table in ("predictions", "corrections"):
            with op.batch_alter_table(
                table, recreate="always", table_kwargs={"sqlite_autoincrement": True}
            ):
                pass
