"""How many parts of a message a prediction was made of."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; messages of before were read as a whole."""
    op.add_column("predictions", sa.Column("parts", sa.Integer, nullable=False, server_default="1"))
