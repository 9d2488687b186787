"""Columns whose words are encrypted in the database, with a key that is kept elsewhere.

Fernet (https://github.com/fernet/spec): AES-128 in CBC mode, authenticated by HMAC-SHA256. The same
text never looks the same twice, so SQL can't compare or search such a column. An engine without a
cipher stores and reads plain text. Knows nothing of the tables.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import JSON, Dialect, Engine, Text, TypeDecorator

from tweetsent.errors import StoreError

_CIPHER = "tweetsent_text_cipher"
_KEY = re.compile(r"[A-Za-z0-9+/_-]{43}=")


class TextCipher:
    """Encrypts with the first of its keys and decrypts with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Each key is 32 random bytes in base64; ValueError for any other."""
        # Python's base64 would pass over what does not belong in it.
        if not all(map(_KEY.fullmatch, keys)):
            raise ValueError("a key is not 32 bytes in base64")
        self._newest = Fernet(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, text: str) -> str:
        """The text as nobody without the key can read it."""
        return self._newest.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """What was encrypted; raises StoreError for what none of the keys encrypted."""
        try:
            return self._all.decrypt(token).decode()
        except (InvalidToken, TypeError):  # TypeError: it is plain JSON
            raise StoreError(
                "a text in the database was not encrypted with TWEETSENT_TEXT_KEY"
            ) from None

    def is_newest(self, token: str) -> bool:
        """Whether the first key encrypted it."""
        try:
            self._newest.decrypt(token)
        except InvalidToken:
            return False
        return True


def split_keys(keys: str) -> list[str]:
    """The keys of a comma-separated list, the newest first."""
    return [key.strip() for key in keys.split(",")]


def use_cipher(engine: Engine, cipher: TextCipher | None) -> None:
    """Encrypt and decrypt all that goes through an engine from now on."""
    # The one object of an engine that a column's type gets to see.
    setattr(engine.dialect, _CIPHER, cipher)


def _used(dialect: Dialect) -> TextCipher | None:
    return getattr(dialect, _CIPHER, None)


class EncryptedText(TypeDecorator[str]):
    """A text, encrypted where the engine has a cipher."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What is stored."""
        cipher = _used(dialect)
        return value if cipher is None or value is None else cipher.encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """The text."""
        return self.opened(value, _used(dialect))

    @staticmethod
    def opened(stored: str | None, cipher: TextCipher | None) -> str | None:
        """What a stored value says."""
        return stored if cipher is None or stored is None else cipher.decrypt(stored)


class EncryptedJson(TypeDecorator[dict[str, Any]]):
    """A JSON object, stored as one encrypted JSON string where the engine has a cipher."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> Any:
        """What is stored."""
        cipher = _used(dialect)
        return value if cipher is None or value is None else cipher.encrypt(json.dumps(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, Any] | None:
        """The object."""
        return self.opened(value, _used(dialect))

    @staticmethod
    def opened(stored: Any, cipher: TextCipher | None) -> dict[str, Any] | None:
        """What a stored value says."""
        opened: dict[str, Any] | None = stored
        if cipher is not None and stored is not None:
            opened = json.loads(cipher.decrypt(stored))
        return opened
