"""State of a correction: whether it may become training data, why, since when and by whom."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_STATE = sa.Enum(
    "pending",
    "accepted",
    "rejected",
    "disputed",
    name="state",
    native_enum=False,
    create_constraint=True,
    length=16,
)


def upgrade() -> None:
    """Add the columns; corrections made before are pending."""
    with op.batch_alter_table("corrections") as batch:
        batch.add_column(sa.Column("state", _STATE, nullable=False, server_default="pending"))
        batch.add_column(sa.Column("reason", sa.String(32)))
        batch.add_column(sa.Column("decided_at", sa.DateTime(timezone=True)))
        batch.add_column(sa.Column("decided_by", _KEY))
        batch.create_foreign_key("fk_corrections_decided_by", "users", ["decided_by"], ["id"])
    # Needed for the rows that were there, and no more.
    with op.batch_alter_table("corrections") as batch:
        batch.alter_column("state", server_default=None)
