"""That the shipped version served before the first promotion is nobody's doing."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_WAYS = "\"by\" IN ('gate', 'admin', 'cli', 'shipped')"


def upgrade() -> None:
    """Allow the word, and give it to the activations whose reason says so."""
    with op.batch_alter_table("activations") as batch:
        batch.drop_constraint("by", type_="check")
        batch.create_check_constraint("by", _WAYS)
    rows = sa.table("activations", sa.column("by"), sa.column("reason"))
    is_shipped = rows.c.reason == "served before the first promotion"
    op.execute(rows.update().where(is_shipped).values(by="shipped", reason=""))
