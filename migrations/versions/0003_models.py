"""Versions of the model, and the history of what served."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_VERSION = sa.String(128)
_STATE = sa.Enum(
    "candidate",
    "active",
    "retired",
    "refused",
    name="state",
    native_enum=False,
    create_constraint=True,
    length=16,
)
_BY = sa.Enum(
    "gate", "admin", "cli", name="by", native_enum=False, create_constraint=True, length=16
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "models",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("version", _VERSION, nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("base_revision", sa.Text(), nullable=False),
        sa.Column("weights_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("parent_version", _VERSION),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("state", _STATE, nullable=False),
        sa.Column("decided_at", _TIME),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("deleted_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("version", name="uq_models_version"),
    )
    active = sa.text("state = 'active'")
    op.create_index(
        "uq_models_active",
        "models",
        ["state"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )
    op.create_table(
        "activations",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("version", _VERSION, nullable=False),
        sa.Column("previous_id", _KEY),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", _BY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activations"),
        sa.ForeignKeyConstraint(["version"], ["models.version"], name="fk_activations_version"),
        sa.ForeignKeyConstraint(
            ["previous_id"], ["activations.id"], name="fk_activations_previous_id"
        ),
    )
