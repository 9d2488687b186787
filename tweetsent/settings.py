"""Every setting, from the environment or `.env`; nothing else in the project reads either."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tweetsent.errors import ConfigError

_PASSWORD_IN_URL = re.compile(r"://[^/@]*?:([^@]*)@")
ENV_FILE = Path(".env")
"""Where settings may stand, in the folder that a process is started in."""
_SHORTEST_SECRET = 8
_SHORTEST_PASSWORD = 12
_TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)
_TOKEN_IN_TEXT = re.compile(r"\d+:[\w-]{30,}", re.ASCII)
Precision = Literal["auto", "nf4", "bf16"]
_TELEGRAM = "https://api.telegram.org"
_WEBHOOK_PORTS = {None, 443, 80, 88, 8443}
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})", re.ASCII)


class Settings(BaseSettings):
    """The settings of one process, read once and passed on."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    telegram_bot_token: SecretStr | None = None
    """Token from @BotFather; without one `make run` chats in the terminal."""

    telegram_api_base_url: str = _TELEGRAM
    """Bot API server, when you host one yourself."""

    telegram_webhook_url: str | None = None
    """Public https address that Telegram sends updates to; without one the bot asks for them."""

    telegram_webhook_listen: str = "127.0.0.1:8080"
    """`host:port` on which they arrive, behind a proxy that speaks TLS."""

    telegram_webhook_secret: SecretStr | None = None
    """Known to Telegram and the bot alone (A-Z a-z 0-9 _ -); by default made anew at each start."""

    tweetsent_admin_ids: Annotated[frozenset[int], NoDecode] = frozenset()
    """Telegram user ids, separated by commas, of the admins."""

    tweetsent_channels: Annotated[frozenset[int], NoDecode] = frozenset()
    """Ids of the channels, separated by commas, whose posts the bot answers."""

    tweetsent_data_dir: Path = Path("data")
    """Folder of the database and of everything else the bot keeps."""

    tweetsent_cache_dir: Path = Path("~/.cache/tweetsent")
    """Folder of the converted models (up to 2.6 GB); may be deleted at any time."""

    tweetsent_database_url: str | None = Field(default=None, repr=False)
    """SQLAlchemy URL; by default SQLite in the data folder."""

    tweetsent_base_model: str = "auto"
    """`auto` or `embedded` (Gemma 3 270M), a hub id such as Qwen/Qwen3-0.6B, with @ and a commit
    after it to stay with that one, or a path."""

    tweetsent_adapter: str = "auto"
    """`auto` takes the registry's active version, before the first one the shipped adapter where it
    fits the base model; the folder of your own is used whatever the registry says."""

    tweetsent_keep_models: int = Field(default=5, ge=1)
    """How many versions' folders are kept, beside the active one and the one before it."""

    tweetsent_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; `auto` takes the GPU when there is one."""

    tweetsent_serve_precision: Precision = "auto"
    """`auto` computes in bf16 where the device does so natively, else in fp32, with NF4 weights
    unpacked once; `bf16` always, in half the memory of fp32; `nf4` keeps the weights packed, the
    smallest, for adapters that were trained on NF4."""

    tweetsent_pseudonym_key: SecretStr | None = None
    """Key of the pseudonyms of users and chats; by default made once, in the data folder."""

    tweetsent_text_key: SecretStr | None = None
    """Key that encrypts users' words in the database, 32 random bytes in base64; after a comma,
    keys of before. By default they are not encrypted."""

    tweetsent_keep_days: int | None = Field(default=None, ge=1, le=36_500)
    """Days after which of a message that nobody corrected only the numbers stay, without text and
    user; never by default."""

    tweetsent_train_on_forwards: bool = False
    """Whether corrections of forwarded and group messages may enter a training set."""

    tweetsent_base_data: Path | None = None
    """Labelled file or snapshot folder that every training set holds beside the corrections."""

    tweetsent_retrain_from: Literal["base", "champion"] = "base"
    """What a run trains further: the base model, or the adapter that serves, which must be of the
    run's rank and keeps what it learnt from corrections that were taken back since."""

    tweetsent_retrain_cron: str | None = None
    """When the bot retrains by itself, as in a crontab, in UTC: `0 3 * * *`; never by default."""

    tweetsent_retrain_min_corrections: int = Field(default=50, ge=1)
    """Accepted corrections that must have come since the last run for the next one to start."""

    tweetsent_retrain_threads: int | None = Field(default=None, ge=1)
    """CPU threads of a run; by default half of the cores, so that the bot keeps answering."""

    tweetsent_retrain_memory_gb: float | None = Field(default=None, gt=0)
    """Memory above which a run ends instead of taking the machine down; no limit by default."""

    tweetsent_correction_weight: float = Field(default=2.0, gt=0, le=100)
    """How many rows of the base data an accepted correction counts as."""

    tweetsent_test_data: Annotated[tuple[Path, ...], NoDecode] = ()
    """Labelled files, separated by commas, that no run trains on and every new version must not be
    worse on; by default a tenth of the base data."""

    tweetsent_user_rate: int = Field(default=20, ge=1)
    """Messages of one user that are answered in a minute, and as many commands and presses; admins
    have no limit."""

    tweetsent_group_rate: int = Field(default=20, ge=1)
    """Messages of one group that are answered in a minute, and as many commands and presses."""

    tweetsent_busy_seconds: float = Field(default=60.0, ge=1, le=120)
    """Expected wait above which a new message is not taken and its user hears that the bot is
    busy."""

    tweetsent_file_mb: int = Field(default=20, ge=1, le=20)
    """How large a file may be that a user sends to be labelled; Telegram gives bots no larger."""

    tweetsent_file_rows: int = Field(default=10_000, ge=1, le=1_000_000)
    """How many rows such a file may have."""

    tweetsent_files_per_day: int = Field(default=10, ge=1)
    """How many such files a user may send within 24 hours."""

    tweetsent_ui_password: SecretStr | None = None
    """Opens the owner's pages of `tweetsent ui`, 12 characters or more; closed by default."""

    tweetsent_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """How much is logged to stderr."""

    tweetsent_log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""

    tweetsent_http_listen: str | None = None
    """`host:port` of `/health` and `/metrics`; closed by default. Keep it from the public."""

    @field_validator("telegram_bot_token")
    @classmethod
    def _token_shape(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("must look like 123456789:AA…, as @BotFather gives it")
        return value

    @field_validator("tweetsent_adapter")
    @classmethod
    def _existing_folder(cls, value: str) -> str:
        if value != "auto" and not Path(value).expanduser().is_dir():
            raise ValueError(f"names no folder: {value}")
        return value

    @field_validator("telegram_api_base_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", value):
            raise ValueError("must be an address that starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("telegram_webhook_url")
    @classmethod
    def _public_path(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not re.fullmatch(r"https://[^/\s]+(/\S*)?", value):
            raise ValueError("must be an address that starts with https://, as Telegram demands")
        if value and (_TOKEN_IN_TEXT.search(unquote(value)) or re.search("[?#]", value)):
            raise ValueError("must hold neither the bot's token, nor ? or #: proxies log it")
        # A server of one's own may take any port.
        is_telegram = info.data.get("telegram_api_base_url", _TELEGRAM) == _TELEGRAM
        if value and is_telegram and urlsplit(value).port not in _WEBHOOK_PORTS:
            raise ValueError("must use a port that Telegram sends to: 443, 80, 88 or 8443")
        return value and value.rstrip("/")

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _secret_shape(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value.get_secret_value()):
            raise ValueError("must be 1 to 256 of the characters A-Z a-z 0-9 _ -")
        return value

    @field_validator("tweetsent_ui_password")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _SHORTEST_PASSWORD:
            raise ValueError(f"must have at least {_SHORTEST_PASSWORD} characters")
        return value

    @field_validator("tweetsent_text_key")
    @classmethod
    def _text_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from tweetsent.encryption import TextCipher, split_keys

            try:
                TextCipher(split_keys(value.get_secret_value()))
            except ValueError:
                raise ValueError(
                    "must be 32 random bytes in base64, as `openssl rand -base64 32` makes them; "
                    "several are separated by commas"
                ) from None
        return value

    @field_validator("telegram_webhook_listen", "tweetsent_http_listen")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None:
            host_and_port(value)  # its ValueError is readable
        return value

    @field_validator("tweetsent_admin_ids", mode="before")
    @classmethod
    def _split_ids(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part for part in re.split(r"[,\s]+", value) if part]
        if not all(part.isdecimal() for part in parts):
            raise ValueError("must be numeric Telegram user ids, separated by commas")
        return frozenset(int(part) for part in parts)

    @field_validator("tweetsent_channels", mode="before")
    @classmethod
    def _split_channels(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part for part in re.split(r"[,\s]+", value) if part]
        if not all(re.fullmatch(r"-100\d+", part, re.ASCII) for part in parts):
            raise ValueError("must be channel ids like -1001234567890, separated by commas")
        return frozenset(int(part) for part in parts)

    @field_validator("tweetsent_test_data", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [Path(part.strip()) for part in value.split(",") if part.strip()]
        return tuple(cls._expand_home(part) for part in parts)

    @field_validator("tweetsent_retrain_cron")
    @classmethod
    def _crontab(cls, value: str | None) -> str | None:
        if value is not None:
            from tweetsent.crontab import parse_crontab

            parse_crontab(value)  # its ValueErrors are readable
        return value

    @field_validator("tweetsent_data_dir", "tweetsent_cache_dir", "tweetsent_base_data")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        try:
            return value and value.expanduser()
        except RuntimeError:
            raise ValueError(
                "starts with the home folder of nobody: write the whole path"
            ) from None

    @cached_property
    def database_url(self) -> str:
        """The database's SQLAlchemy URL."""
        path = (self.tweetsent_data_dir / "tweetsent.db").resolve()
        return self.tweetsent_database_url or f"sqlite:///{quote(str(path))}"

    @property
    def secrets(self) -> list[str]:
        """What nobody may read in a log or an error; the token's secret part alone, too."""
        fields = (
            self.telegram_bot_token,
            self.telegram_webhook_secret,
            self.tweetsent_pseudonym_key,
            self.tweetsent_ui_password,
        )
        values = [field.get_secret_value() for field in fields if field]
        if self.telegram_bot_token:
            values.append(values[0].partition(":")[2])
        if self.tweetsent_text_key:
            from tweetsent.encryption import split_keys

            values += split_keys(self.tweetsent_text_key.get_secret_value())
        if match := _PASSWORD_IN_URL.search(self.tweetsent_database_url or ""):
            values.append(unquote(match[1]))
        # A shorter one would hide parts of innocent words, and nothing logs it by itself.
        return [value for value in values if len(value) >= _SHORTEST_SECRET]

    @property
    def snapshots(self) -> Path:
        """The folder of all data sets that runs were made with."""
        return self.tweetsent_data_dir / "snapshots"

    @classmethod
    def load(cls) -> "Settings":
        """The settings of this process's environment and `.env`.

        Raises ConfigError naming every wrong variable.
        """
        try:
            return cls()
        except ValidationError as error:
            problems = [
                f"{name.upper()} {_demand(name) or item['msg'].removeprefix('Value error, ')}"
                for item in error.errors(include_input=False, include_url=False)
                for name in [str(item["loc"][0])]
            ]
            raise ConfigError(f"wrong setting: {'; '.join(problems)}") from None
        except UnicodeDecodeError:
            raise ConfigError("wrong setting: .env is not UTF-8 text") from None
        except OSError as error:
            raise ConfigError(f"wrong setting: .env can't be read: {error.strerror}") from None


def _demand(name: str) -> str:
    """What a number must be, in words; empty for a setting without limits."""
    field = Settings.model_fields[name]
    words = {"ge": "at least", "gt": "above", "le": "at most"}
    limits = [
        f"{word} {getattr(limit, key):,}"
        for key, word in words.items()
        for limit in field.metadata
        if hasattr(limit, key)
    ]
    if not limits:
        return ""
    is_whole = int in {field.annotation, *get_args(field.annotation)}
    return f"must be a {'whole ' if is_whole else ''}number, {' and '.join(limits)}"


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of `host:port`, where an IPv6 host stands in brackets; else ValueError."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ValueError("must look like 127.0.0.1:8080")
    return match["host"].strip("[]"), int(match["port"])
