"""Retraining runs: one at a time, each with what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "runs",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("trigger", _words("trigger", "schedule", "admin", "cli"), nullable=False),
        sa.Column(
            "state",
            _words("state", "running", "promoted", "refused", "failed"),
            nullable=False,
        ),
        sa.Column(
            "step",
            _words("step", "export", "training", "evaluation", "promotion"),
            nullable=False,
        ),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.Column("lease_until", _TIME, nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("process", sa.Integer(), nullable=False),
        sa.Column("corrections", sa.Integer()),
        sa.Column("snapshot", sa.String(64)),
        sa.Column("model_version", sa.String(128)),
        sa.Column("decision", sa.JSON()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reported_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    running = sa.text("state = 'running'")
    op.create_index(
        "uq_runs_running",
        "runs",
        ["state"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
