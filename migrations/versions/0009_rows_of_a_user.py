"""What belongs to one user, or to one message, is found without reading all rows."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("ix_predictions_user_id", "predictions", ["user_id"])
    op.create_index("ix_corrections_user_id", "corrections", ["user_id"])
    op.create_index("ix_corrections_prediction_id", "corrections", ["prediction_id"])
