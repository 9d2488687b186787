import hashlib
import hmac
import multiprocessing
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from filelock import FileLock

from tweetsent.errors import ConfigError, StoreError
from tweetsent.pseudonyms import KEY_FILE, Pseudonymiser, load_key
from tweetsent.settings import Settings


def settings(folder: Path, key: str | None = None) -> Settings:
    return Settings(_env_file=None, tweetsent_data_dir=folder, tweetsent_pseudonym_key=key)


def load_in(folder: Path) -> bytes:
    return load_key(settings(folder))


def test_a_pseudonym_is_a_keyed_hash() -> None:
    key = b"0123456789abcdef"
    expected = hmac.new(key, b"user:42", hashlib.sha256).hexdigest()
    assert Pseudonymiser(key).user(42) == expected


def test_people_chats_and_keys_do_not_mix() -> None:
    one, other = Pseudonymiser(b"a" * 16), Pseudonymiser(b"b" * 16)
    made = [one.user(1), one.user(2), one.chat(1), one.chat(-1), other.user(1), other.chat(1)]
    assert len(set(made)) == len(made)


def test_repr_hides_the_key() -> None:
    assert "very-secret" not in repr(Pseudonymiser(b"very-secret-key-1"))


def test_the_variable_wins_and_makes_no_file(tmp_path: Path) -> None:
    assert load_key(settings(tmp_path, "an-owner's-own-key")) == b"an-owner's-own-key"
    assert list(tmp_path.iterdir()) == []


def test_a_short_variable_is_refused_by_name_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TWEETSENT_PSEUDONYM_KEY") as caught:
        load_key(settings(tmp_path, "short1"))
    assert "short1" not in str(caught.value)


def test_the_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    first = load_in(folder)
    assert len(first) == 64
    assert load_in(folder) == first
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert load_in(tmp_path) != first


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        keys = pool.map(load_in, [tmp_path] * 6, chunksize=1)
    assert len(set(keys)) == 1


def test_whoever_comes_second_waits_for_the_first_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with FileLock(tmp_path / "pseudonym.lock"):
            waiting = pool.submit(load_in, tmp_path)
            wait([waiting], timeout=0.5)
            (tmp_path / KEY_FILE).write_text("the key of the first one")
        assert waiting.result() == b"the key of the first one"


def test_an_empty_key_file_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).touch()
    with pytest.raises(StoreError, match="restore it from a backup"):
        load_in(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == b""


def test_a_folder_that_can_not_be_made_is_a_readable_error(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreError, match="can't use the pseudonym key"):
        load_in(tmp_path / "data")
