"""Signs of life of a retraining run by a clock that nobody sets."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs of before have none."""
    op.add_column("runs", sa.Column("heartbeat", sa.Double()))
