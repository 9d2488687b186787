"""What the doctor finds, against the loopback Bot API server and a real database."""

import resource
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.bot.botapi import TOKEN, BotApi, Fault
from tests.bot.tiny import settings_for
from tests.corrections import save_corrections
from tests.tweetsent.adapters import damage, make_adapter
from tweetsent import doctor
from tweetsent.database import create_engine_for
from tweetsent.doctor import Finding, Level, examine
from tweetsent.errors import ModelError
from tweetsent.labels import Scores
from tweetsent.records import OWNER_ID, ActivatedBy
from tweetsent.registry import Registry
from tweetsent.settings import Settings
from tweetsent.store import open_store
from tweetsent.text_key import open_database


@pytest.fixture
def api() -> Iterator[BotApi]:
    server = BotApi()
    yield server
    server.close()


@pytest.fixture
def settings(tmp_path: Path, api: BotApi, empty_database: Path) -> Settings:
    """Those of a bot that has all it needs, but data to retrain with."""
    base = settings_for(tmp_path, empty_database, api.base_url, TOKEN)
    return base.model_copy(update={"tweetsent_cache_dir": tmp_path / "cache"})


def found(settings: Settings, check: str, **changes: Any) -> list[Finding]:
    """The findings of one check; none of any may hold the token."""
    findings = list(examine(settings.model_copy(update=changes)))
    assert TOKEN not in repr(findings)
    return [finding for finding in findings if finding.check == check]


def only(settings: Settings, check: str, **changes: Any) -> tuple[str, str]:
    """Level and message of the one finding of a check."""
    (finding,) = found(settings, check, **changes)
    assert finding.level is Level.OK or finding.fix or check == "database"
    return finding.level, finding.message


def test_a_bot_that_has_all_it_needs(settings: Settings) -> None:
    errors = [finding for finding in examine(settings) if finding.level is Level.ERROR]

    assert errors == []
    assert only(settings, "telegram") == ("ok", "@duygu_bot")
    assert only(settings, "webhook") == ("ok", "not set: updates are asked for")
    assert only(settings, "clock") == ("ok", "agrees with Telegram's")
    assert only(settings, "admins") == ("ok", "1")
    assert only(settings, "database")[1].endswith("tweetsent.db, up to date and writable")
    assert only(settings, "gpu", tweetsent_device="cpu")[0] == "ok"


def test_no_token_still_lets_the_terminal_chat_work(settings: Settings) -> None:
    assert only(settings, "telegram", telegram_bot_token=None) == (
        "warning",
        "no token: only `tweetsent chat` works",
    )


def test_a_token_that_telegram_refuses(settings: Settings) -> None:
    wrong = SecretStr("987654321:AAwrong-token-that-must-not-be-shown")
    assert only(settings, "telegram", telegram_bot_token=wrong) == (
        "error",
        "Telegram refuses the token: 401",
    )


def test_a_telegram_that_is_not_there(settings: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    level, message = only(settings, "telegram", telegram_api_base_url=url)

    assert (level, message) == ("error", f"{url} gives no answer: ConnectError")


def test_an_answer_that_nobody_understands(settings: Settings, api: BotApi) -> None:
    api.faults["getMe"].append(Fault(502))
    level, message = only(settings, "telegram")

    assert (level, message) == ("error", f"{api.base_url} gives no answer: JSONDecodeError")


def test_the_webhook_of_another_program(settings: Settings, api: BotApi) -> None:
    api.webhook = {"url": "https://other.example.org/x"}
    assert only(settings, "webhook")[0] == "warning"
    url = "https://bot.example.org/x"
    assert "another address" in only(settings, "webhook", telegram_webhook_url=url)[1]


def test_a_webhook_that_telegram_can_not_reach(settings: Settings, api: BotApi) -> None:
    url = "https://bot.example.org"
    api.webhook = {"url": f"{url}/telegram"}
    assert only(settings, "webhook", telegram_webhook_url=url) == ("ok", "set")
    api.webhook_error = {"last_error_date": 0, "last_error_message": "Connection refused"}
    level, message = only(settings, "webhook", telegram_webhook_url=url)

    assert level == "warning"
    assert message == "Telegram's last failure, 1970-01-01 00:00 UTC: Connection refused"


def test_many_updates_that_wait(settings: Settings, api: BotApi) -> None:
    for _ in range(101):
        api.send("harika")

    assert found(settings, "webhook")[1].message == "101 updates wait at Telegram"


def test_a_clock_that_is_wrong(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    past = format_datetime(datetime.now(UTC) - timedelta(minutes=5), usegmt=True)
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: past)

    level, message = only(settings, "clock")
    assert level == "warning"
    assert message.startswith("300 s away") or message.startswith("301 s away")


def test_nobody_is_an_admin(settings: Settings) -> None:
    assert only(settings, "admins", tweetsent_admin_ids=frozenset())[0] == "warning"


def test_a_database_that_is_missing(settings: Settings) -> None:
    (settings.tweetsent_data_dir / "tweetsent.db").unlink()
    level, message = only(settings, "database")

    assert level == "error"
    assert "run `tweetsent db upgrade`" in message
    assert found(settings, "retraining")[0].message == "unknown as long as the database fails"


def test_a_database_that_can_not_be_written(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db")) as other:
        other.execute("BEGIN IMMEDIATE")  # others may read all the same
        level, message = only(settings, "database")

    assert level == "error"
    assert "database is locked" in message


def test_a_database_without_room_for_more_is_not_called_writable(settings: Settings) -> None:
    path = settings.tweetsent_data_dir / "tweetsent.db"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(sqlite3.connect(path)) as other:  # whose open log is what grows
        with other:
            other.execute(
                "INSERT INTO inbox (update_id, payload, received_at, attempts) "
                "VALUES (1, zeroblob(200000), '2026-01-01', 0)"
            )
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            level, message = only(settings, "database")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        handled = other.execute("SELECT count(*) FROM handled_updates").fetchone()

    assert level == "error"
    assert str(path) in message
    assert handled == (0,)


def test_the_adapter_that_serves_is_verified(settings: Settings, tmp_path: Path) -> None:
    engine = create_engine_for(settings.database_url)
    registry = Registry.of(settings, engine)
    registry.add(make_adapter(tmp_path / "made", "a-1"))
    registry.promote("a-1", ActivatedBy.CLI)
    engine.dispose()
    assert found(settings, "model")[0].message.startswith("adapter a-1, its hashes fit: ")
    damage(settings.tweetsent_data_dir / "models" / "a-1")
    level, message = found(settings, "model")[0].level, found(settings, "model")[0].message

    assert level is Level.ERROR
    assert "damaged" in message


def test_the_base_model(
    settings: Settings, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def base(**changes: Any) -> tuple[str, str]:
        last = found(settings, "model", **changes)[-1]
        return last.level, last.message

    assert base()[0] == "warning"
    assert "is not converted" in base()[1]
    assert base(tweetsent_base_model=str(tiny_folder))[0] == "ok"
    assert base(tweetsent_base_model="/no/such/model")[0] == "error"
    assert base(tweetsent_base_model="Qwen/Qwen3-0.6B")[0] == "ok"
    monkeypatch.setattr(doctor.embedded, "parts", lambda: ["no_such_package"])
    assert base() == ("error", "missing packages: no_such_package")


def test_a_gpu_that_was_asked_for_and_is_not_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor, "version", lambda _: "2.13.0")
    if not Path("/proc/driver/nvidia").exists():
        assert only(settings, "gpu", tweetsent_device="cuda")[0] == "error"
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert only(settings, "gpu", tweetsent_device="cuda")[0] == "ok"
    monkeypatch.setattr(doctor, "version", lambda _: "2.13.0+cpu")
    assert only(settings, "gpu", tweetsent_device="cuda")[0] == "error"
    assert only(settings, "gpu", tweetsent_device="auto")[0] == "warning"


@pytest.mark.parametrize(
    ("free", "levels"), [(50, "ok ok"), (0.5, "warning warning"), (0, "error error")]
)
def test_disk_space(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: float, levels: str
) -> None:
    usage = type("Usage", (), {"free": free * 10**9})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)

    assert " ".join(finding.level for finding in found(settings, "disk")) == levels


def test_corrections_count_as_in_a_run(settings: Settings, tmp_path: Path) -> None:
    # Those of an admin need no review; who takes him for a stranger decides them anew.
    engine = open_database(settings)
    save_corrections(open_store(settings, engine), OWNER_ID, map(str, range(1000, 1020)))
    engine.dispose()
    data = tmp_path / "base.csv"
    data.touch()
    assert only(settings, "retraining", tweetsent_base_data=data)[0] == "ok"


def test_what_retraining_lacks(settings: Settings) -> None:
    assert only(settings, "retraining")[0] == "warning"
    assert "TWEETSENT_BASE_DATA is not set" in only(settings, "retraining")[1]
    assert only(settings, "retraining", tweetsent_retrain_cron="0 3 * * *")[0] == "error"


def test_a_check_that_fails_itself_ends_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"with {TOKEN}")

    monkeypatch.setattr(doctor.httpx, "post", fail)

    assert found(settings, "telegram")[0].message == "could not be checked: RuntimeError"
    assert found(settings, "database")[0].level is Level.OK


def test_packages_that_are_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["no-such-package>=1", "httpx>=99", "torch>=1", "rich>=1; extra == 'dev'"]
    monkeypatch.setattr(doctor, "requires", lambda _: wanted)
    (finding,) = examine(None)

    assert finding.level is Level.ERROR
    assert finding.message.startswith("no-such-package is missing; httpx is ")


def test_a_deep_look_classifies_with_what_serves(settings: Settings, tmp_path: Path) -> None:
    seen = []

    def classify(given: Settings, text: str) -> Scores:
        seen.append(given.tweetsent_adapter)
        return Scores(0.1, 0.1, 0.8)

    last = list(examine(settings, classify=classify))[-1]
    assert last.level is Level.OK
    assert last.message.startswith("“Bugün harika bir gün.”: positive (80%)")
    assert seen == [str(doctor.choose_adapter(settings)[0])]


def test_a_deep_look_at_a_model_that_fails(settings: Settings) -> None:
    def classify(*_: object) -> Scores:
        raise ModelError("out of memory")

    last = list(examine(settings, classify=classify))[-1]
    assert (last.check, last.level, last.message) == ("answer", Level.ERROR, "out of memory")


def test_what_others_may_read_is_named_with_the_remedy(settings: Settings) -> None:
    settings.tweetsent_data_dir.chmod(0o700)
    assert only(settings, "permissions")[0] == "ok"

    settings.tweetsent_data_dir.chmod(0o755)
    (finding,) = found(settings, "permissions")
    assert finding.level is Level.WARNING
    assert finding.fix == f"chmod 700 {settings.tweetsent_data_dir}"
