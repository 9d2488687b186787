"""A run that an admin stopped is told from one that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_STATES = "state IN ('running', 'promoted', 'refused', 'failed', 'stopped')"
_REASON = "stopped by an admin during "


def upgrade() -> None:
    """Allow the state, and give it to the runs whose reason says so."""
    with op.batch_alter_table("runs") as batch:
        batch.drop_constraint("state", type_="check")
        batch.create_check_constraint("state", _STATES)
    runs = sa.table("runs", sa.column("state"), sa.column("reason"))
    stopped = runs.c.reason.startswith(_REASON)
    op.execute(runs.update().where(stopped).values(state="stopped", reason=""))
