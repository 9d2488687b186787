"""Writes a new revision from the models: `python -m migrations "what changes"`.

Compares the models with a scratch database made by the revisions so far.
"""

import sys
import tempfile

from alembic import command

from tweetsent.database import alembic_config, create_engine_for, head_revision, upgrade


def main(arguments: list[str]) -> int:
    """Write the revision that `arguments`, one message, describes; returns the exit code."""
    if len(arguments) != 1:
        print('usage: python -m migrations "what changes"', file=sys.stderr)  # noqa: T201
        return 2
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/scratch.db"
        upgrade(url)
        engine = create_engine_for(url)
        with engine.connect() as connection:
            command.revision(
                alembic_config(connection),
                message=arguments[0],
                autogenerate=True,
                rev_id=f"{int(head_revision()) + 1:04d}",
            )
        engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
