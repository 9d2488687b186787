"""Help, exit codes and one-line errors; the commands that need no model."""

import json
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.main import get_command

from tests.cli.conftest import Failing, Running
from tweetsent import __version__
from tweetsent.cli.app import app

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]


def test_these_are_the_commands() -> None:
    words = (
        "average bot chat db doctor evaluate export models predict retrain review run stats train "
        "ui"
    )
    assert words.split() == COMMANDS


@pytest.mark.parametrize(
    "command",
    [*([name] for name in COMMANDS), ["db", "upgrade"], ["db", "backup"], ["db", "restore"], []],
)
def test_every_command_explains_itself(tweetsent: Running, command: list[str]) -> None:
    result = tweetsent(*command, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"Usage: {' '.join(['tweetsent', *command])}" in result.out


@pytest.mark.parametrize(
    "command", ["predict", "evaluate", "train", "stats", "review", "export", "doctor"]
)
def test_every_command_with_results_offers_json(tweetsent: Running, command: str) -> None:
    assert "--json" in tweetsent(command, "--help").out


def test_the_version_is_shown(tweetsent: Running) -> None:
    result = tweetsent("--version")
    assert (result.code, result.out, result.err) == (0, f"tweetsent {__version__}\n", "")


@pytest.mark.parametrize("group", [[], ["db"]])
def test_no_command_shows_the_help_but_is_bad_usage(tweetsent: Running, group: list[str]) -> None:
    result = tweetsent(*group)
    assert result.code == 2
    assert "Usage: tweetsent" in result.out
    assert result.err == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["predit"], "'predit'"),
        (["db", "downgrade"], "'downgrade'"),
        (["stats", "--jsn"], "--jsn"),
        (["stats", "extra"], "extra"),
        (["train", "--data", "x.csv"], "'--output'"),
        (["train", "--output", "x"], "'--data'"),
        (["train", "--data", "x.csv", "--output", "y", "--epochs", "üç"], "'--epochs'"),
        (["evaluate"], "'--data'"),
        (["evaluate", "--data"], "'--data'"),
    ],
)
def test_bad_usage_is_one_line_that_says_what_and_where_to_look(
    failing: Failing, arguments: list[str], named: str
) -> None:
    line = failing(*arguments)
    assert named in line
    assert "--help)" in line


@pytest.mark.parametrize("command", [["stats"], ["db", "upgrade"], ["chat"], ["bot"], ["run"]])
@pytest.mark.parametrize(
    ("name", "value"),
    [("TWEETSENT_LOG_LEVEL", "loud"), ("TELEGRAM_BOT_TOKEN", "wrong"), ("TWEETSENT_DEVICE", "tpu")],
)
def test_a_wrong_setting_stops_the_start_and_is_named(
    failing: Failing,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    name: str,
    value: str,
    empty_home: Path,
) -> None:
    monkeypatch.setenv(name, value)
    assert name in failing(*command)
    assert list(empty_home.iterdir()) == []


def test_a_dotenv_file_is_read(failing: Failing, empty_home: Path) -> None:
    (empty_home / ".env").write_text("TWEETSENT_ADMIN_IDS=12,x\n")
    assert "TWEETSENT_ADMIN_IDS" in failing("stats")


def test_the_bot_without_a_token_says_where_to_put_one(failing: Failing) -> None:
    line = failing("bot")
    assert "TELEGRAM_BOT_TOKEN is not set" in line
    assert "tweetsent chat" in line


def test_the_pages_for_others_need_a_password(failing: Failing) -> None:
    line = failing("ui", "--host", "0.0.0.0")
    assert "TWEETSENT_UI_PASSWORD is not set" in line


def test_the_pages_port_is_taken(failing: Failing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"can't listen on 127.0.0.1:{port}" in failing("ui", "--port", str(port))


@pytest.mark.parametrize(
    "command", [["stats"], ["chat"], ["review", "--json"], ["export", "--output", "set"]]
)
def test_a_missing_database_asks_for_the_upgrade(
    failing: Failing, command: list[str], empty_home: Path
) -> None:
    assert "run `tweetsent db upgrade`" in failing(*command, code=1)
    assert not list(empty_home.rglob("*.db"))


def test_a_database_url_of_another_kind_names_the_variable(
    failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEETSENT_DATABASE_URL", "mysql://bot:password@db/tweets")
    line = failing("stats", code=2)
    assert "TWEETSENT_DATABASE_URL names the unknown database mysql" in line
    assert "password" not in line


def test_an_empty_database_asks_for_the_upgrade(failing: Failing, empty_home: Path) -> None:
    (empty_home / "data").mkdir()
    sqlite3.connect(empty_home / "data" / "tweetsent.db").close()
    assert "run `tweetsent db upgrade`" in failing("stats", code=1)


def test_a_file_that_is_no_database_is_one_line(failing: Failing, empty_home: Path) -> None:
    (empty_home / "data").mkdir()
    (empty_home / "data" / "tweetsent.db").write_bytes(b"this is no database" * 100)
    assert "tweetsent.db" in failing("stats", code=1)


def test_upgrade_makes_the_database_and_may_be_repeated(
    tweetsent: Running, empty_home: Path
) -> None:
    first, second = tweetsent("db", "upgrade"), tweetsent("db", "upgrade")
    assert (first.code, second.code) == (0, 0)
    assert (first.out, first.err) == ("", "the database is up to date\n")
    assert (empty_home / "data" / "tweetsent.db").exists()


def test_a_key_for_texts_that_comes_later_needs_the_upgrade(
    tweetsent: Running, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tweetsent("db", "upgrade")
    monkeypatch.setenv("TWEETSENT_TEXT_KEY", f"{'A' * 43}=")
    assert "stop the bot and run `tweetsent db upgrade`" in failing("stats", code=1)
    assert tweetsent("db", "upgrade").code == tweetsent("stats").code == 0
    monkeypatch.delenv("TWEETSENT_TEXT_KEY")
    assert "are encrypted: set TWEETSENT_TEXT_KEY" in failing("stats", code=2)


def test_a_backup_is_named_on_stdout_and_restored_with_a_word(
    tweetsent: Running, failing: Failing, empty_home: Path
) -> None:
    tweetsent("db", "upgrade")
    assert str(empty_home / "data" / "models") not in tweetsent("db", "backup", "first").err
    (empty_home / "data" / "models").mkdir()
    made = tweetsent("db", "backup")
    assert made.code == 0
    backup = Path(made.out.strip())
    assert backup.parent == empty_home / "data" / "backups"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert "pseudonym.key" in made.err
    assert str(empty_home / "data" / "models") in made.err
    assert "snapshots" not in made.err
    assert "TWEETSENT_TEXT_KEY" not in made.err

    assert "put pseudonym.key back" in failing("db", "restore", str(backup))
    tweetsent("stats")  # which makes a key
    assert "--yes" in failing("db", "restore", str(backup))
    restored = tweetsent("db", "restore", str(backup), "--yes")
    assert (restored.code, restored.out) == (0, "")
    [replaced] = (empty_home / "data").glob("tweetsent.db.replaced.*.bak")
    assert str(replaced) in restored.err
    assert tweetsent("stats").code == 0


def test_what_becomes_of_older_backups_is_said_when_the_key_changes(
    tweetsent: Running, monkeypatch: pytest.MonkeyPatch, empty_home: Path
) -> None:
    old, new = f"{'A' * 43}=", f"{'B' * 42}A="
    tweetsent("db", "upgrade")
    tweetsent("stats")  # which makes a key of the pseudonyms
    with closing(sqlite3.connect(empty_home / "data" / "tweetsent.db")) as database, database:
        database.execute(
            "INSERT INTO inbox (update_id, payload, received_at, attempts) "
            "VALUES (1, '{}', '2026-01-01', 0)"
        )
    tweetsent("db", "backup", "plain")
    monkeypatch.setenv("TWEETSENT_TEXT_KEY", old)
    first = tweetsent("db", "upgrade").err
    assert (
        "1 texts are encrypted now; every older backup still holds them in plain: delete it"
        in first
    )
    tweetsent("db", "backup", "by-old")
    monkeypatch.setenv("TWEETSENT_TEXT_KEY", f"{new},{old}")
    assert "every older backup still needs the old one" in tweetsent("db", "upgrade").err

    restored = tweetsent("db", "restore", "by-old", "--yes").err
    assert "with the new key now; by-old still needs the old one" in restored
    assert "plain still holds them in plain" in tweetsent("db", "restore", "plain", "--yes").err


def test_a_restored_backup_fits_the_key_of_the_texts(
    tweetsent: Running, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{'A' * 43}="
    tweetsent("db", "upgrade")
    tweetsent("stats")  # which makes a key of the pseudonyms
    plain = tweetsent("db", "backup", "plain").out.strip()
    monkeypatch.setenv("TWEETSENT_TEXT_KEY", key)
    assert tweetsent("db", "upgrade").code == 0
    with monkeypatch.context() as patch:
        patch.delenv("TWEETSENT_TEXT_KEY")
        made = tweetsent("db", "backup", "a/folder/encrypted")
    assert "TWEETSENT_TEXT_KEY" in made.err
    assert tweetsent("db", "restore", plain, "--yes").code == 0
    assert tweetsent("stats").code == 0, "the plain texts were encrypted"

    monkeypatch.delenv("TWEETSENT_TEXT_KEY")
    line = failing("db", "restore", "a/folder/encrypted", "--yes", code=2)
    assert "are encrypted: set TWEETSENT_TEXT_KEY" in line


def test_what_can_not_be_backed_up_or_restored_is_one_line(
    tweetsent: Running, failing: Failing, empty_home: Path
) -> None:
    assert "there is no database" in failing("db", "backup", "x", code=1)
    tweetsent("db", "upgrade")
    (empty_home / "notes").write_text("my notes")
    assert "exists already" in failing("db", "backup", "notes")
    assert "can't write to" in failing("db", "backup", "notes/x", code=1)
    assert "notes is no backup of an SQLite database" in failing("db", "restore", "notes")
    with closing(sqlite3.connect("music.db")) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    assert "music.db is no backup of an SQLite database" in failing("db", "restore", "music.db")
    assert "can't read the backup nothing" in failing("db", "restore", "nothing")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write to a folder: root neither, for whom modes don't count."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    if subprocess.run(["mount", "--bind", folder, folder], check=False).returncode != 0:
        pytest.skip("root writes to every folder, and may mount none read-only here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("command", [["db", "upgrade"], ["db", "backup"]])
def test_a_folder_that_can_not_be_written_to_is_one_line(
    tweetsent: Running, failing: Failing, empty_home: Path, command: list[str]
) -> None:
    tweetsent("db", "upgrade")
    with read_only(empty_home / "data"):
        line = failing(*command, code=1)
    assert str(empty_home / "data") in line


@pytest.mark.parametrize("has_log", [False, True])
def test_what_only_reads_works_on_a_read_only_file_system(
    tweetsent: Running, empty_home: Path, has_log: bool
) -> None:
    tweetsent("db", "upgrade")
    tweetsent("stats")  # which makes a key of the pseudonyms
    path = empty_home / "data" / "tweetsent.db"
    with closing(sqlite3.connect(path)) as bot:
        with bot:
            bot.execute("INSERT INTO handled_updates VALUES (1, '2026-01-01')")
        if not has_log:
            bot.close()
        with read_only(empty_home / "data"):
            stats = tweetsent("stats")
            backup = tweetsent("db", "backup", "copy.db")
            listed = tweetsent("models", "list")
    assert (stats.code, backup.code, listed.code) == (0, 0, 0), stats.err + backup.err + listed.err
    with closing(sqlite3.connect("copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM handled_updates").fetchone() == (1,)


def test_stats_of_an_empty_database_in_json(tweetsent: Running) -> None:
    tweetsent("db", "upgrade")
    result = tweetsent("stats", "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {
        "users": 0,
        "predictions": 0,
        "predictions_last_day": 0,
        "by_label": {"negative": 0, "neutral": 0, "positive": 0},
        "by_model": {},
        "corrections": 0,
        "confirmations": 0,
        "changes": 0,
        "trainable_corrections": 0,
        "accuracy": None,
        "macro_f1": None,
        "confusion_matrix": [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
        "latency_ms_p50": None,
        "latency_ms_p95": None,
    }


def test_stats_for_people_have_a_line_for_each_value(tweetsent: Running) -> None:
    tweetsent("db", "upgrade")
    values = json.loads(tweetsent("stats", "--json").out)
    lines = tweetsent("stats").out.splitlines()
    assert len(lines) == len(values)
    assert "accuracy               –" in lines


def test_stats_take_days_and_a_version_and_name_an_unknown_one(
    tweetsent: Running, failing: Failing
) -> None:
    tweetsent("db", "upgrade")
    assert json.loads(tweetsent("stats", "--days", "7", "--json").out)["predictions"] == 0
    assert "'m-9'" in failing("stats", "--model", "m-9")
    assert "--days" in failing("stats", "--days", "0")


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_on_request(
    tweetsent: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: str) -> None:
        raise ZeroDivisionError("first\nsecond")

    monkeypatch.setattr("tweetsent.database.upgrade", broken)
    result = tweetsent("db", "upgrade")
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert "unexpected ZeroDivisionError: first (TWEETSENT_LOG_LEVEL=DEBUG" in result.err
    assert not caplog.records
    monkeypatch.setenv("TWEETSENT_LOG_LEVEL", "DEBUG")
    tweetsent("db", "upgrade")
    assert "Traceback" in caplog.text


def test_control_c_is_130_and_silent(tweetsent: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tweetsent.database.upgrade", interrupted)
    result = tweetsent("db", "upgrade")
    assert (result.code, result.out, result.err) == (130, "", "")


def test_logs_are_json_where_that_is_asked_for(
    process: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEETSENT_LOG_FORMAT", "json")
    code = (
        "import logging; from tweetsent.cli.console import load_settings; load_settings(); "
        "logging.getLogger('bot.x').info('ğ %d', 1); logging.getLogger('other').info('quiet')"
    )
    (line,) = process(start=("-c", code)).err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("INFO", "bot.x", "ğ 1")
