"""What is encrypted can be read with the key alone, and an engine without one stores plain text."""

import base64
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from tweetsent.encryption import EncryptedJson, EncryptedText, TextCipher
from tweetsent.errors import ConfigError, StoreError
from tweetsent.settings import Settings
from tweetsent.text_key import cipher_of

NEW, OLD = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def test_any_key_reads_and_the_first_one_writes() -> None:
    old, both, new = TextCipher([OLD]), TextCipher([NEW, OLD]), TextCipher([NEW])
    token = old.encrypt("çok güzel 😊")
    assert "güzel" not in token
    assert both.decrypt(token) == old.decrypt(token) == "çok güzel 😊"
    assert new.decrypt(both.encrypt("x")) == "x"
    assert (old.is_newest(token), both.is_newest(token)) == (True, False)


def test_the_same_text_never_looks_the_same() -> None:
    cipher = TextCipher([NEW])
    assert cipher.encrypt("evet") != cipher.encrypt("evet")


@pytest.mark.parametrize(
    "stored",
    [
        *("", "plain words", "gAAAAA"),
        pytest.param(TextCipher([OLD]).encrypt("x"), id="another key's"),
    ],
)
def test_what_the_key_did_not_encrypt_is_said(stored: str) -> None:
    with pytest.raises(StoreError, match=r"not encrypted with TWEETSENT_TEXT_KEY$"):
        EncryptedText.opened(stored, TextCipher([NEW]))


def test_plain_json_is_said_too() -> None:
    with pytest.raises(StoreError, match="not encrypted"):
        EncryptedJson.opened({"name": "a.csv"}, TextCipher([NEW]))


def test_nothing_stays_nothing_and_plain_plain_without_a_key() -> None:
    assert EncryptedText.opened(None, TextCipher([NEW])) is None
    assert EncryptedText.opened("düz", None) == "düz"
    assert EncryptedJson.opened({"a": 1}, None) == {"a": 1}


def test_the_setting_takes_what_openssl_makes_and_shows_it_nowhere() -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    settings = Settings(_env_file=None, tweetsent_text_key=SecretStr(f"{key}, {OLD}"))
    cipher = cipher_of(settings)
    assert cipher is not None
    assert cipher.decrypt(TextCipher([OLD]).encrypt("x")) == "x"
    assert key not in repr(settings)
    assert cipher_of(Settings(_env_file=None)) is None


@pytest.mark.parametrize("value", ["kısa", "a" * 44, f"{NEW},", f"{NEW};{OLD}"])
def test_a_wrong_key_stops_the_start_and_is_not_shown(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWEETSENT_TEXT_KEY", value)
    with pytest.raises(ConfigError, match="TWEETSENT_TEXT_KEY must be 32 random bytes") as wrong:
        Settings.load()
    assert value not in str(wrong.value)
