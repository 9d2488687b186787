"""When confident learning looked at the label of a correction."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; none of the corrections made before was looked at."""
    op.add_column("corrections", sa.Column("screened_at", sa.DateTime(timezone=True)))
