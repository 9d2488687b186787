"""Texts in, calibrated scores out: the one path that bot, command line and evaluation share."""

import ctypes
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

import torch

from tweetsent import __version__
from tweetsent.adapter import Manifest, attach, choose_adapter, read_manifest
from tweetsent.captured import make_scorer
from tweetsent.embedded import NAME
from tweetsent.errors import ModelError
from tweetsent.halving import run_halving
from tweetsent.labels import Scores
from tweetsent.model import (
    BaseModel,
    cast_weights,
    choose_device,
    choose_dtype,
    find_base_model,
    load_nf4,
    load_plain,
    load_tokenizer,
)
from tweetsent.packed import PackedScorer
from tweetsent.prompt import Prompt, PromptEncoder
from tweetsent.records import Quantization
from tweetsent.served import load_or_build
from tweetsent.settings import Precision, Settings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

# While it loads a model, transformers changes things of the whole process: two loads at once may
# leave them changed for good, and every model after that answers at random.
_LOADING = RLock()
_READ_AT_ONCE = 256  # texts; the next ones are read while a GPU scores these


class Classifier:
    """A loaded model; not thread-safe: one worker calls it."""

    def __init__(
        self,
        scorer: PackedScorer,
        encoder: PromptEncoder,
        *,
        temperature: float,
        version: str,
    ) -> None:
        self._scorer = scorer
        self._encoder = encoder
        self.device = scorer.device
        self.temperature = temperature
        self.version = version
        self.prompt_version = encoder.prompt.version

    @property
    def precision(self) -> str:
        """What it computes with, such as bfloat16, and whether the weights are packed."""
        packed = " of 4-bit weights" if getattr(self._scorer.model, "is_quantized", False) else ""
        return f"{self._scorer.model.dtype}".removeprefix("torch.") + packed

    def logits(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> torch.Tensor:
        """Logits (n, 3), float32 on the CPU, in the order of the texts, before calibration.

        `progress` gets the number of texts done since it was last called. Raises ModelError when
        the model answers with numbers that are not finite.
        """
        starts = range(0, len(texts), _READ_AT_ONCE)
        parts = (self.encode(texts[start : start + _READ_AT_ONCE]) for start in starts)
        return self._logits_of(chain.from_iterable(parts), progress)

    def classify(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[Scores]:
        """Calibrated scores of each text, in their order; errors as `logits`."""
        return self._calibrated(self.logits(texts, progress))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text's prompt; any thread may call this while another classifies."""
        return self._encoder.encode_all(texts)

    def classify_encoded(
        self, sequences: Sequence[list[int]], progress: Callable[[int], None] | None = None
    ) -> list[Scores]:
        """As `classify`, of prompts that `encode` made."""
        return self._calibrated(self._logits_of(sequences, progress))

    @torch.inference_mode()
    def _logits_of(
        self, sequences: Iterable[list[int]], progress: Callable[[int], None] | None
    ) -> torch.Tensor:
        # transformers changes the default type of the whole process while another model is loaded.
        done = [torch.empty(0, 3, dtype=torch.float32)]

        def finish(wait: Callable[[], torch.Tensor]) -> None:
            done.append(wait())
            if progress:
                progress(len(done[-1]))

        running = None
        for row in self._scorer.rows(sequences):
            begun = self._begin(row)
            if running:
                finish(running)
            running = begun
        if running:
            finish(running)
        logits = torch.cat(done)
        if not torch.isfinite(logits).all():
            raise ModelError(f"model {self.version} gave scores that are not numbers")
        return logits

    def _begin(self, row: list[list[int]]) -> Callable[[], torch.Tensor]:
        """Begin a row; when the GPU has no room for it, in parts; for a single text, on the CPU."""
        with suppress(torch.cuda.OutOfMemoryError):
            return self._scorer.start(row)
        with suppress(torch.cuda.OutOfMemoryError):
            logits = run_halving(lambda part: self._scorer.start(part)(), row)
            return lambda: logits
        log.warning("the GPU's memory is too little for one text: the CPU classifies from now on")
        self._scorer = self._scorer.on_cpu()
        self.device = self._scorer.device
        torch.cuda.empty_cache()
        return self._scorer.start(row)

    def _calibrated(self, logits: torch.Tensor) -> list[Scores]:
        probabilities = (logits / self.temperature).softmax(dim=1)
        return [Scores(*row) for row in probabilities.tolist()]


def load_classifier(settings: Settings, report: Callable[[str], None]) -> Classifier:
    """Load the base model and adapter that the settings name; `report` gets progress lines.

    Raises ModelError when one of them is missing, damaged or does not fit the other.
    """
    with _LOADING:
        try:
            return _load_named(settings, report)
        except torch.cuda.OutOfMemoryError:
            raise ModelError(
                "the GPU has no room for the model: TWEETSENT_DEVICE=cpu does without it"
            ) from None


def _load_named(settings: Settings, report: Callable[[str], None]) -> Classifier:
    device = choose_device(settings.tweetsent_device)
    precision = settings.tweetsent_serve_precision
    adapter, manifest = choose_adapter(settings)
    base = find_base(settings, manifest, report)
    if manifest is None:
        report(
            f"there is no adapter for {base.name}: its answers are those of the untrained model; "
            f"make one with `tweetsent train --base-model {base.name}` and set TWEETSENT_ADAPTER"
        )
    if manifest is None or base.name != NAME or precision == "nf4":
        return load_from(base, adapter, device, precision, report)
    versions = (version(name) for name in ("torch", "transformers", "peft", "bitsandbytes"))
    identity = (
        *(__version__, *versions, base.revision, *manifest.files.values(), manifest.quantization),
        *(str(_served_dtype(precision, device)), device.type),
    )

    def build() -> "PreTrainedModel":
        return merge(base, adapter, device, precision)

    model = load_or_build(settings.tweetsent_cache_dir, identity, device, build, report)
    return _classifier(model, base, manifest, report)


def find_base(
    settings: Settings, manifest: Manifest | None, report: Callable[[str], None]
) -> BaseModel:
    """The base model that was asked for; `auto` is the one that the adapter was trained on.

    Raises ModelError when it can't be had.
    """
    name = settings.tweetsent_base_model
    if name == "auto" and manifest:
        name = manifest.base_model
    # On a hub, the commit that the adapter was trained on: a model's page changes.
    matches = manifest is not None and manifest.base_model == name
    revision = manifest.base_revision if manifest and matches else None
    return find_base_model(name, settings.tweetsent_cache_dir, report, revision)


def load_from(
    base: BaseModel,
    adapter: Path | None,
    device: torch.device,
    precision: Precision = "auto",
    report: Callable[[str], None] = lambda _: None,
) -> Classifier:
    """Load one base model with one adapter; None means the untrained model.

    Raises ModelError when the adapter is damaged or does not fit, or the precision does not.
    """
    manifest = read_manifest(adapter) if adapter else None
    with _LOADING:
        load = _packed_in_nf4 if precision == "nf4" else partial(merge, precision=precision)
        return _classifier(load(base, adapter, device), base, manifest, report)


def merge(
    base: BaseModel, adapter: Path | None, device: torch.device, precision: Precision = "auto"
) -> "PreTrainedModel":
    """The base model's weights with the adapter's update added.

    They are quantised as in training and unpacked once, so that serving computes with the weights
    that were trained on, at the speed of plain matrices. Added in float32, so that they are rounded
    to what is served but once.
    """
    quantization = _quantization(base, adapter)
    served = _served_dtype(precision, device)
    if adapter is None:
        return load_plain(base, device, quantization, served)
    model = load_plain(base, device, quantization, torch.float32)
    return cast_weights(attach(model, base, adapter).merge_and_unload(), served)


def _packed_in_nf4(
    base: BaseModel, adapter: Path | None, device: torch.device
) -> "PreTrainedModel | PeftModel":
    """The weights as they were trained on, in half a byte each, and the adapter beside them.

    Merged, they would have to be rounded to four bits once more.
    """
    if _quantization(base, adapter) is not Quantization.NF4:
        raise ModelError(
            f"TWEETSENT_SERVE_PRECISION=nf4: {adapter or base.name} was trained on weights that "
            "are not NF4, which would change its answers; use auto or bf16"
        )
    model = load_nf4(base, device)
    return attach(model, base, adapter) if adapter else model


def _quantization(base: BaseModel, adapter: Path | None) -> Quantization:
    return read_manifest(adapter).quantization if adapter else base.quantization


def _served_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    return torch.bfloat16 if precision == "bf16" else choose_dtype(device)


def _classifier(
    model: "PreTrainedModel | PeftModel",
    base: BaseModel,
    manifest: Manifest | None,
    report: Callable[[str], None],
) -> Classifier:
    encoder = PromptEncoder(load_tokenizer(base), manifest.prompt if manifest else Prompt())
    _return_freed_memory()
    model.eval()
    return Classifier(
        make_scorer(model, encoder.label_ids, encoder.longest, report),
        encoder,
        temperature=manifest.temperature if manifest else 1.0,
        version=manifest.version if manifest else f"{base.name}-untrained",
    )


def _return_freed_memory() -> None:
    """Give to the system what reading the tokenizer took: glibc would keep 0.2 GiB of it."""
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
