"""Kills an upgrade in each of its revisions: `python -m tests.tweetsent.killed_upgrades URL`.

Prints how many were killed. A process of its own, since it forks.
"""

import os
import signal
import sys

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, inspect, text

from tweetsent.database import alembic_config, create_engine_for, upgrade

USER = """INSERT INTO users (id, pseudonym, created_at, consent)
    VALUES (1, 'u', '2025-01-01', 'unasked')"""


def main(url: str) -> None:
    """From blank to head, with a killed try before each step."""
    killed = 0
    for revision in revisions(url):
        before = state(url)
        child = os.fork()
        if child == 0:
            die_in(revision)
            upgrade(url)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"{revision} was never written"
        assert state(url) == before, revision
        step(url, revision)
        killed += 1
    upgrade(url)
    print(killed)


def revisions(url: str) -> list[str]:
    """Those of the code, oldest first."""
    engine = create_engine_for(url)
    with engine.connect() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
        found = [script.revision for script in scripts.walk_revisions()]
    engine.dispose()
    return found[::-1]


def die_in(revision: str) -> None:
    """Kill this process when all that a revision changes is changed, and not yet written down."""

    @event.listens_for(Engine, "before_cursor_execute")
    def watch(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "alembic_version" in statement and f"'{revision}'" in statement:
            os.kill(os.getpid(), signal.SIGKILL)


def step(url: str, revision: str) -> None:
    engine = create_engine_for(url, foreign_keys=False)
    with engine.connect() as connection, connection.begin():
        command.upgrade(alembic_config(connection), revision)
        if revision == "0001":
            connection.execute(text(USER))
    engine.dispose()


def state(url: str) -> dict[str, object]:
    """The columns of each table, the revision and the number of users."""
    engine = create_engine_for(url)
    with engine.connect() as connection:
        found = inspect(connection)
        tables: dict[str, object] = {
            table: sorted(column["name"] for column in found.get_columns(table))
            for table in found.get_table_names()
        }
        for table, what in (("alembic_version", "max(version_num)"), ("users", "count(*)")):
            if table in tables:
                tables[what] = connection.scalar(text(f"SELECT {what} FROM {table}"))
    engine.dispose()
    return tables


if __name__ == "__main__":
    main(sys.argv[1])
