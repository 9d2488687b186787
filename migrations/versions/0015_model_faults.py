"""Faults of versions of the model, which the admins are told of once."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "model_faults",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "loading",
                "scoring",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_model_faults"),
        sa.UniqueConstraint("version", "kind", name="uq_model_faults_version_kind"),
    )
