"""A real process of the bot through good and bad: its secrets are in nothing that it leaves."""

import os
import re
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.bot.botapi import RESET, TOKEN, BotApi, Fault
from tweetsent.settings import Settings

ROOT = Path(__file__).parents[2]
WEBHOOK_SECRET, KEY = "a-secret-of-the-webhook", "a-key-of-the-pseudonyms"
PROXY_PASSWORD = "password-of-the-proxy"


@pytest.fixture
def home(
    tmp_path: Path,
    api: BotApi,
    tiny_folder: Path,
    free_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with the `.env` of a bot that has secrets and logs all it can."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setenv("https_proxy", f"http://user:{PROXY_PASSWORD}@127.0.0.1:1")
    lines = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_BASE_URL": api.base_url,
        "TELEGRAM_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "TWEETSENT_PSEUDONYM_KEY": KEY,
        "TWEETSENT_BASE_MODEL": tiny_folder,
        "TWEETSENT_CACHE_DIR": tmp_path / "cache",
        "TWEETSENT_DEVICE": "cpu",
        "TWEETSENT_ADMIN_IDS": 42,
        "TWEETSENT_HTTP_LISTEN": free_address,
        "TWEETSENT_LOG_LEVEL": "DEBUG",
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    (tmp_path / ".env").chmod(0o644)
    return tmp_path


@pytest.fixture
def no_secret(home: Path) -> Iterator[list[str]]:
    """What is put into it, and every file but `.env`, must hold no secret."""
    seen: list[str] = []
    yield seen
    for path in home.rglob("*"):
        if path.is_file() and path.name != ".env" and "cache" not in path.parts:
            seen.append(path.read_bytes().decode("latin-1"))
    secrets = TOKEN, TOKEN.partition(":")[2], WEBHOOK_SECRET, KEY, PROXY_PASSWORD
    for text in seen:
        for secret in secrets:
            assert secret not in text
            assert quote(secret, safe="") not in text


def tweetsent(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tweetsent", *arguments],
        cwd=home,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_bots_life(
    home: Path, api: BotApi, free_address: str, no_secret: list[str], log_format: str
) -> None:
    output = home / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tweetsent", "run"],
            cwd=home,
            env=os.environ | {"TWEETSENT_LOG_FORMAT": log_format, "COLUMNS": "500"},
            stdout=file,
            stderr=file,
        )
        try:
            api.wait(lambda: "is listening" in output.read_text("utf-8"), 200)
            api.send("bugün harika bir gün")
            api.wait_sent(1)
            document = api.upload("metinler.csv", "metin\nçok güzel\nçok kötü\n".encode())
            api.push({"message": api.message(None, document=document)})
            api.wait_calls("getFile")
            api.send("/saglik", user=42)
            no_secret.append(api.wait_sent(1, 42)[0]["text"])
            api.faults["getUpdates"] += [RESET, Fault(502), Fault(200, b"no JSON")]
            api.faults["sendMessage"].append(Fault(200, b'{"ok": true, "result": {"chat": 1}}'))
            api.send("bu yanıt çökertir")
            api.wait(lambda: re.search(r"update \d+ failed", output.read_text("utf-8")), 60)
            for page in ("health", "metrics"):
                with urllib.request.urlopen(f"http://{free_address}/{page}") as answer:
                    no_secret.append(answer.read().decode())
            no_secret.append(Path(f"/proc/{process.pid}/cmdline").read_text("utf-8"))
            # The last thing that it hears: Telegram does not know the token any more.
            api.faults["getUpdates"].append(Fault.of(401, "Unauthorized"))
            api.wait(lambda: not api.faults["getUpdates"], 60)
        finally:
            process.terminate()
            process.wait(60)
    kept = [home / "data", *(home / "data").rglob("*")]
    assert {path.name for path in kept} >= {"data", "tweetsent.db"}
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in kept} == {0}
    assert "other users of this machine can read .env: chmod 600 .env" in output.read_text("utf-8")


def test_a_refused_token_and_the_doctor(home: Path, api: BotApi, no_secret: list[str]) -> None:
    api.faults["getMe"] += [Fault.of(404, "Not Found")] * 2
    refused = tweetsent(home, "run")
    assert "Telegram refuses TELEGRAM_BOT_TOKEN" in refused.stderr
    api.faults.clear()
    examined = tweetsent(home, "doctor")
    assert "@duygu_bot" in examined.stdout
    nowhere = tweetsent(
        home, "doctor", TELEGRAM_API_BASE_URL=f"http://user:{PROXY_PASSWORD}@127.0.0.1:1"
    )
    assert "gives no answer" in nowhere.stdout
    no_secret += [done.stdout + done.stderr for done in (refused, examined, nowhere)]


def test_an_error_that_nobody_foresaw_at_the_end(home: Path, no_secret: list[str]) -> None:
    script = (
        "import sys; from tweetsent import database; from tweetsent.cli import main\n"
        "from tweetsent.settings import Settings\n"
        "def fail(url): raise RuntimeError(Settings.load().telegram_bot_token.get_secret_value())\n"
        "database.upgrade = fail\n"
        "sys.argv[1:] = ['run']\n"
        "try: main()\n"
        "except SystemExit: fail('')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=home,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "unexpected RuntimeError: <token>" in done.stderr
    assert "nobody caught this" in done.stderr
    no_secret.append(done.stdout + done.stderr)
