"""The database fails under a running bot: what is sent meanwhile is answered once after it."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Pool, event

from bot import fetching, inbox
from tests.bot.botapi import TOKEN, BotApi
from tests.bot.conftest import RunningBot
from tests.bot.tiny import settings_for
from tests.postgres import PostgresServer, emptied
from tweetsent.backups import back_up, restore
from tweetsent.settings import Settings
from tweetsent.tables import Base

Fault = Callable[[Settings], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_DELAY_SECONDS", 0.05)
    monkeypatch.setattr(fetching, "LONGEST_DELAY_SECONDS", 0.2)
    monkeypatch.setattr(inbox, "FIRST_DELAY_SECONDS", 0.05)
    monkeypatch.setattr(inbox, "LONGEST_DELAY_SECONDS", 0.2)


def path_of(settings: Settings) -> Path:
    return settings.tweetsent_data_dir / "tweetsent.db"


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Another process writes, for longer than anybody waits."""
    code = f"""
import sqlite3
connection = sqlite3.connect({str(path_of(settings))!r}, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print(flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        other.stdout.readline()
        yield
        other.communicate("\n")


def read_only() -> Iterator[Fault]:
    """SQLite lets no connection write."""
    is_writable = True

    def follow(connection: object, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute(f"PRAGMA query_only={'OFF' if is_writable else 'ON'}")

    @contextmanager
    def forbidden(_settings: Settings) -> Iterator[None]:
        nonlocal is_writable
        is_writable = False
        yield
        is_writable = True

    event.listen(Pool, "checkout", follow)
    yield forbidden
    event.remove(Pool, "checkout", follow)


def stopped(server: PostgresServer) -> Fault:
    """The server is gone, at once, and comes back."""

    @contextmanager
    def fault(_settings: Settings) -> Iterator[None]:
        server.stop()
        try:
            yield
        finally:
            server.start()

    return fault


@contextmanager
def full(settings: Settings) -> Iterator[None]:
    """A file takes up all that is free on the disk."""
    filler = settings.tweetsent_data_dir / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(params=["locked", "read-only", "full", "PostgreSQL stopped"])
def fault(request: pytest.FixtureRequest) -> Iterator[Fault]:
    """What goes wrong."""
    match request.param:
        case "locked":
            yield locked
        case "full":
            yield full
        case "read-only":
            yield from read_only()
        case _:
            yield stopped(request.getfixturevalue("postgres"))


@pytest.fixture
def settings(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    api: BotApi,
    empty_database: Path,
    free_address: str,
) -> Settings:
    """Those of a bot that is looked after, on a database for the fault."""
    callspec = getattr(request.node, "callspec", None)
    kind = callspec and callspec.params.get("fault")
    folder = request.getfixturevalue("small_disk") if kind == "full" else tmp_path
    changes: dict[str, object] = {"tweetsent_http_listen": free_address}
    if kind == "PostgreSQL stopped":
        url = request.getfixturevalue("migrated_postgres")
        changes["tweetsent_database_url"] = emptied(url, [*Base.metadata.tables])
    base = settings_for(folder, empty_database, api.base_url, TOKEN)
    return base.model_copy(update=changes)


def test_what_is_sent_while_the_database_fails_is_answered_once_after_it(
    bot: RunningBot, api: BotApi, settings: Settings, fault: Fault
) -> None:
    client = httpx.Client(base_url=f"http://{settings.tweetsent_http_listen}", timeout=30)

    def problems() -> list[str] | None:
        with suppress(httpx.ConnectError):
            return list(client.get("/health").json()["problems"])
        return None

    bot.start()
    api.send("harika")
    api.wait(lambda: api.sent(7))
    api.send("bekle harika", user=8)
    api.wait(lambda: bot.classifier.waiting)
    with fault(settings):
        bot.classifier.release.set()  # the one is being answered, the other can't be taken in
        api.send("berbat")
        # The pages are on the event loop: it goes on while the database makes others wait.
        api.wait(lambda: "updates can't be stored" in (problems() or ()))
        assert (len(api.sent(7)), len(api.sent(8))) == (1, 0)

    api.wait(lambda: len(api.sent(7)) == 2 and api.sent(8))
    api.send("olur", user=8)
    api.wait(lambda: len(api.sent(8)) == 2)
    assert [answer["text"][0] for answer in api.sent(7) + api.sent(8)] == ["😊", "😞", "😊", "😐"]
    assert problems() == []


def test_after_a_damaged_database_was_restored_what_telegram_kept_is_answered(
    bot: RunningBot, api: BotApi, settings: Settings, redacted_log: Callable[[], str]
) -> None:
    path, backup = path_of(settings), settings.tweetsent_data_dir / "backup"
    back_up(settings.database_url, backup)
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'inbox'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek(size * (page - 1))
        file.write(b"\xff" * size)
    bot.start()
    api.send("harika")
    api.wait(lambda: "restore it from a backup" in redacted_log() or bot.error)
    bot.stop()
    assert api.sent() == []

    restore(settings.database_url, backup)
    bot.start()
    api.wait(api.sent)
