"""Updates whose answer may have gone out before a kill."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what waits in an inbox of before is answered as it was then."""
    op.add_column(
        "inbox",
        sa.Column("may_have_sent", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
