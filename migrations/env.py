"""Runs the revisions on the connection that `tweetsent.database` hands over, in its transaction."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from tweetsent.encryption import EncryptedJson, EncryptedText
from tweetsent.tables import Base, UtcDateTime

_PLAIN = {
    UtcDateTime: "sa.DateTime(timezone=True)",
    EncryptedText: "sa.Text()",
    EncryptedJson: "sa.JSON()",
}


def render_item(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write the project's own types as plain ones: an old revision must not need new code."""
    return _PLAIN.get(type(item), False) if kind == "type" else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=render_item,
    # SQLite can't alter most of a table: it is built anew, filled and renamed.
    render_as_batch=True,
)
context.run_migrations()
