"""Runs the revisions on the connection that `tweetsent.database` hands over, in its transaction."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from tweetsent.tables import Base, UtcDateTime


def render_item(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write the project's own type as the plain one: an old revision must not need new code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=render_item,
    # SQLite can't alter most of a table: it is built anew, filled and renamed.
    render_as_batch=True,
)
context.run_migrations()
