"""Keyed pseudonyms of Telegram's user and chat ids, and the key they are made with.

Telegram's ids are few enough to try them all, so a plain hash would hide nothing: the key is what
protects them. Without it stored rows can't be matched to people, and a new key makes everybody a
new user.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from tweetsent.errors import ConfigError, StoreError
from tweetsent.settings import Settings

KEY_FILE = "pseudonym.key"
_MIN_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Pseudonymiser:
    """Makes pseudonyms: 64 hex digits of HMAC-SHA256 (RFC 2104)."""

    key: bytes = field(repr=False)

    def user(self, user_id: int) -> str:
        """The pseudonym of a user."""
        return self._digest("user", user_id)

    def chat(self, chat_id: int) -> str:
        """The pseudonym of a chat; a private chat's differs from its user's, the ids do not."""
        return self._digest("chat", chat_id)

    def _digest(self, kind: str, number: int) -> str:
        return hmac.new(self.key, f"{kind}:{number}".encode(), hashlib.sha256).hexdigest()


def load_key(settings: Settings) -> bytes:
    """The key of TWEETSENT_PSEUDONYM_KEY, else of the data folder's key file, made once.

    Raises ConfigError for a variable that is too short, StoreError for a key file that can't be
    read, written or used.
    """
    if settings.tweetsent_pseudonym_key is not None:
        key = settings.tweetsent_pseudonym_key.get_secret_value().encode()
        if len(key) < _MIN_KEY_BYTES:
            raise ConfigError(
                f"wrong setting: TWEETSENT_PSEUDONYM_KEY must have at least {_MIN_KEY_BYTES} "
                "characters"
            )
        return key
    path = settings.tweetsent_data_dir / KEY_FILE
    try:
        return _read_or_make(path)
    except OSError as error:
        raise StoreError(f"can't use the pseudonym key {path}: {error}") from error


def has_key(settings: Settings) -> bool:
    """Whether `load_key` would make no new key."""
    is_set = settings.tweetsent_pseudonym_key is not None
    return is_set or (settings.tweetsent_data_dir / KEY_FILE).exists()


def _read_or_make(path: Path) -> bytes:
    if not path.exists():  # reading it must do on a read-only file system, too
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                _write(path, secrets.token_hex(32).encode())
    key = path.read_bytes().strip()
    if len(key) < _MIN_KEY_BYTES:
        raise StoreError(f"the pseudonym key {path} is damaged: restore it from a backup")
    return key


def _write(path: Path, content: bytes) -> None:
    # A temporary file has mode 0600 from its first moment, and a rename shows all of it or nothing.
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except OSError:
        Path(scratch).unlink(missing_ok=True)
        raise
