from pathlib import Path

import pytest

from tweetsent.errors import ConfigError
from tweetsent.settings import Settings, host_and_port

TOKEN = "123456789:AA-not-a-real_token"


@pytest.fixture(autouse=True)
def blank_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


TEXT_KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = Settings.load()
    assert settings.telegram_bot_token is None
    assert settings.tweetsent_train_on_forwards is False
    assert settings.database_url == f"sqlite:///{tmp_path}/data/tweetsent.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_BOT_TOKEN", "secret-but-wrong"),
        ("TELEGRAM_BOT_TOKEN", "123456:şşş"),
        ("TELEGRAM_API_BASE_URL", "ftp://example.org"),
        ("TELEGRAM_API_BASE_URL", "http://a b"),
        ("TELEGRAM_WEBHOOK_URL", "bot.example.org/x"),
        ("TELEGRAM_WEBHOOK_URL", "https://bot.example.org/x?secret=1"),
        ("TELEGRAM_WEBHOOK_URL", "https://x.org/bot123456789:AAabcdefghijklmnopqrstuvwxyz012345"),
        ("TELEGRAM_WEBHOOK_URL", "https://x.org/123456789%3AAAabcdefghijklmnopqrstuvwxyz012345"),
        ("TELEGRAM_WEBHOOK_URL", "https://bot.example.org:8080/x"),
        ("TELEGRAM_WEBHOOK_URL", "https://bot.example.org:port/x"),
        ("TELEGRAM_WEBHOOK_LISTEN", "localhost"),
        ("TELEGRAM_WEBHOOK_LISTEN", "localhost:0"),
        ("TELEGRAM_WEBHOOK_LISTEN", "localhost:65536"),
        ("TELEGRAM_WEBHOOK_SECRET", "with space"),
        ("TELEGRAM_WEBHOOK_SECRET", "x" * 257),
        ("TWEETSENT_HTTP_LISTEN", "http://localhost:8081"),
        ("TWEETSENT_UI_PASSWORD", "eleven-char"),
        ("TWEETSENT_LOG_FORMAT", "xml"),
        ("TWEETSENT_ADMIN_IDS", "12,x"),
        ("TWEETSENT_CHANNELS", "@kanal"),
        ("TWEETSENT_CHANNELS", "5551234"),
        ("TWEETSENT_DATA_DIR", "~nobody-of-this-name/x"),
        ("TWEETSENT_CACHE_DIR", "~nobody-of-this-name/x"),
        ("TWEETSENT_DEVICE", "tpu"),
        ("TWEETSENT_TRAIN_ON_FORWARDS", "belki"),
        ("TWEETSENT_LOG_LEVEL", "loud"),
        ("TWEETSENT_RETRAIN_CRON", "every night"),
        ("TWEETSENT_RETRAIN_MIN_CORRECTIONS", "0"),
        ("TWEETSENT_RETRAIN_FROM", "scratch"),
        ("TWEETSENT_TEST_DATA", "~nobody-of-this-name/x"),
    ],
)
def test_a_wrong_variable_names_itself_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name) as caught:
        Settings.load()
    message = str(caught.value)
    assert "\n" not in message
    assert value not in message


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
        ("bot.internal:80", ("bot.internal", 80)),
        ("[::1]:8080", ("::1", 8080)),
    ],
)
def test_an_address_has_a_host_and_a_port(address: str, parts: tuple[str, int]) -> None:
    assert host_and_port(address) == parts


def test_the_webhook_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_WEBHOOK_URL", "https://10.0.0.1:8443/duygu/")
    monkeypatch.setenv("TELEGRAM_WEBHOOK_SECRET", "A-z_0" * 51)
    settings = Settings.load()

    assert settings.telegram_webhook_url == "https://10.0.0.1:8443/duygu"
    assert "A-z_0" not in repr(settings)


def test_a_server_of_ones_own_may_send_to_any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_WEBHOOK_URL", "https://bot.example.org:8080/x")
    with pytest.raises(ConfigError, match=r"URL must use a port .*: 443, 80, 88 or 8443$"):
        Settings.load()
    monkeypatch.setenv("TELEGRAM_API_BASE_URL", "http://127.0.0.1:8081")
    assert Settings.load().telegram_webhook_url == "https://bot.example.org:8080/x"


@pytest.mark.parametrize(
    ("name", "value", "demand"),
    [
        ("TWEETSENT_KEEP_DAYS", "0", "a whole number, at least 1 and at most 36,500"),
        ("TWEETSENT_KEEP_DAYS", "ten", "a whole number, at least 1 and at most 36,500"),
        ("TWEETSENT_FILE_ROWS", "x", "a whole number, at least 1 and at most 1,000,000"),
        ("TWEETSENT_USER_RATE", "1.5", "a whole number, at least 1"),
        ("TWEETSENT_RETRAIN_MEMORY_GB", "0", "a number, above 0"),
        ("TWEETSENT_CORRECTION_WEIGHT", "x", "a number, above 0 and at most 100"),
        ("TWEETSENT_BUSY_SECONDS", "nan", "a number, at least 1 and at most 120"),
    ],
)
def test_a_wrong_number_is_told_what_it_must_be(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, demand: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert str(caught.value) == f"wrong setting: {name} must be {demand}"


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEETSENT_DEVICE", "tpu")
    monkeypatch.setenv("TWEETSENT_LOG_LEVEL", "loud")
    with pytest.raises(ConfigError, match=r"TWEETSENT_DEVICE.*TWEETSENT_LOG_LEVEL"):
        Settings.load()


def test_repr_hides_every_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("TWEETSENT_PSEUDONYM_KEY", "pseudonym-secret-1")
    monkeypatch.setenv("TWEETSENT_TEXT_KEY", TEXT_KEY)
    monkeypatch.setenv("TWEETSENT_DATABASE_URL", "postgresql://bot:password-2@db/tweets")
    settings = Settings.load()
    for shown in (repr(settings), str(settings)):
        assert not any(
            word in shown for word in (TOKEN, "pseudonym-secret-1", TEXT_KEY, "password-2")
        )
    assert settings.database_url == "postgresql://bot:password-2@db/tweets"


def test_values_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("TELEGRAM_API_BASE_URL", "http://127.0.0.1:8081/")
    monkeypatch.setenv("TWEETSENT_ADMIN_IDS", " 12, 9876543210 ")
    monkeypatch.setenv("TWEETSENT_CHANNELS", "-1001234567890, -1009876543210")
    monkeypatch.setenv("TWEETSENT_DATA_DIR", "~/veri")
    monkeypatch.setenv("TWEETSENT_TEST_DATA", " a.csv, ~/b.csv ,")
    monkeypatch.setenv("TWEETSENT_RETRAIN_CRON", "0 3 * * *")
    settings = Settings.load()
    assert settings.telegram_bot_token is not None
    assert settings.telegram_bot_token.get_secret_value() == TOKEN
    assert settings.telegram_api_base_url == "http://127.0.0.1:8081"
    assert settings.tweetsent_admin_ids == {12, 9876543210}
    assert settings.tweetsent_channels == {-1001234567890, -1009876543210}
    assert settings.tweetsent_data_dir == tmp_path / "veri"
    assert settings.tweetsent_test_data == (Path("a.csv"), tmp_path / "b.csv")
    assert settings.tweetsent_retrain_cron == "0 3 * * *"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "")
    assert Settings.load().telegram_bot_token is None


def test_dotenv_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("TWEETSENT_DEVICE=cpu\nTWEETSENT_LOG_LEVEL=DEBUG\nOTHER=1\n")
    monkeypatch.setenv("TWEETSENT_LOG_LEVEL", "ERROR")
    settings = Settings.load()
    assert (settings.tweetsent_device, settings.tweetsent_log_level) == ("cpu", "ERROR")


def test_a_dotenv_of_another_encoding_is_one_readable_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("TWEETSENT_DATA_DIR=çöp".encode("cp1254"))
    with pytest.raises(ConfigError, match=r"\.env is not UTF-8"):
        Settings.load()


def test_settings_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().tweetsent_device = "cuda"


def test_data_folder_may_have_any_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sqlalchemy import make_url

    folder = tmp_path / "soru? %20 işareti"
    monkeypatch.setenv("TWEETSENT_DATA_DIR", str(folder))
    assert make_url(Settings.load().database_url).database == str(folder / "tweetsent.db")


def test_an_adapter_that_is_no_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEETSENT_ADAPTER", "no/such/folder")
    with pytest.raises(ConfigError, match="TWEETSENT_ADAPTER names no folder: no/such/folder"):
        Settings.load()
