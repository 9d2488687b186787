"""No secret gets into a log, whoever logs and whatever went wrong."""

import ast
import io
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from tweetsent.redaction import SecretFilter, install_redaction, log_uncaught, redact
from tweetsent.settings import Settings

ROOT = Path(__file__).parents[2]
TOKEN = "123456789:AAsecret-token-that-must-never-be-logged_1"
KEY = "anahtar kelime/9"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a handler of the root logger writes, redacted."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    install_redaction([TOKEN, "1:short", TOKEN.partition(":")[2], KEY])
    yield stream
    logging.getLogger().removeHandler(handler)


def test_secrets_are_taken_out_of_message_arguments_and_traceback(written: io.StringIO) -> None:
    try:
        raise ValueError(f"https://api.telegram.org/bot{TOKEN}/getMe")
    except ValueError:
        logging.getLogger("anything").exception("token 1:short, %s and %s", TOKEN, KEY)

    text = written.getvalue()
    assert "bot<token>/getMe" in text
    assert "token <token>, <token> and <token>\n" in text
    for secret in (TOKEN, "1:short", KEY):
        assert secret not in text


@pytest.mark.parametrize("form", [TOKEN, quote(TOKEN), TOKEN.partition(":")[2], quote(KEY, "")])
def test_every_form_of_a_secret_is_one(written: io.StringIO, form: str) -> None:
    logging.getLogger("anything").error("see %s!", form)
    assert written.getvalue() == "see <token>!\n"
    assert redact(f"see {form}!") == "see <token>!"


def test_other_tokens_and_passwords_of_urls_are_hidden_too() -> None:
    hidden = SecretFilter(()).redact
    other = "987654321:" + "A" * 35
    assert hidden(f"{other} {quote(other)}") == "<token> <token>"
    assert hidden("at postgresql://bot:parola@db/bot") == "at postgresql://<password>@db/bot"
    assert hidden("http://u:p@proxy:3128/ gives nothing") == (
        "http://<password>@proxy:3128/ gives nothing"
    )


@pytest.mark.parametrize(
    "text", ["3 updates at 12:30", "http://127.0.0.1:8081/health", "https://t.me/@ada a:b @c"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert SecretFilter(()).redact(text) == text


def test_what_nobody_caught_is_logged_without_secrets(
    written: io.StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    log_uncaught()

    def fail() -> None:
        raise ValueError(TOKEN)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)

    assert written.getvalue().count("nobody caught this\nTraceback") == 2
    assert TOKEN not in written.getvalue() + "".join(capsys.readouterr())


def test_the_http_libraries_log_no_urls(written: io.StringIO) -> None:
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore").isEnabledFor(logging.INFO)


def test_the_settings_name_their_secrets() -> None:
    settings = Settings(
        _env_file=None,
        telegram_bot_token=SecretStr(TOKEN),
        telegram_webhook_secret=SecretStr("webhook-secret"),
        tweetsent_pseudonym_key=SecretStr("a key of the pseudonyms"),
        tweetsent_text_key=SecretStr(f"{'A' * 43}=,{'B' * 43}="),
        tweetsent_ui_password=SecretStr("the pages' password"),
        tweetsent_database_url="postgresql://bot:gizli%2Fparola@db/bot",
    )
    kinds = Settings.model_fields.values()
    named = [field for field in kinds if "SecretStr" in str(field.annotation)]
    assert len(named) == 5, "a new secret belongs into `secrets`"
    assert settings.secrets == [
        TOKEN,
        "webhook-secret",
        "a key of the pseudonyms",
        "the pages' password",
        TOKEN.partition(":")[2],
        f"{'A' * 43}=",
        f"{'B' * 43}=",
        "gizli/parola",
    ]
    for secret in settings.secrets:
        assert secret not in repr(settings)
    assert Settings(_env_file=None).secrets == []


def test_nothing_writes_past_the_redacted_handlers() -> None:
    """Handlers are made, and stderr is written to, where the redaction is set up."""
    allowed = {"tweetsent/cli/console.py", "migrations/__main__.py"}  # a developer's tool
    found = set()
    for package in ("bot", "tweetsent", "training", "migrations"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
                own = {"addHandler", "basicConfig", "StreamHandler", "propagate"}
                if name == "sys.stderr" or name.rpartition(".")[2] in own:
                    found.add(path.relative_to(ROOT).as_posix())
    assert found <= allowed, found - allowed
