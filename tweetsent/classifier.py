"""Texts in, calibrated scores out: the one path that bot, command line and evaluation share."""

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

import torch

from tweetsent import __version__
from tweetsent.adapter import Manifest, attach, choose_adapter, read_manifest
from tweetsent.embedded import NAME
from tweetsent.errors import ModelError
from tweetsent.halving import run_halving
from tweetsent.labels import Scores
from tweetsent.model import (
    BaseModel,
    LabelScorer,
    choose_device,
    choose_dtype,
    find_base_model,
    load_plain,
    load_tokenizer,
    pad_right,
)
from tweetsent.prompt import Prompt, PromptEncoder
from tweetsent.served import load_or_build
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

# While it loads a model, transformers changes things of the whole process: two loads at once may
# leave them changed for good, and every model after that answers at random.
_LOADING = RLock()
_BATCH_SIZE = {"cuda": 128, "cpu": 32}


class Classifier:
    """A loaded model; not thread-safe: one worker calls it."""

    def __init__(
        self,
        scorer: LabelScorer,
        encoder: PromptEncoder,
        device: torch.device,
        *,
        temperature: float,
        version: str,
    ) -> None:
        self._scorer = scorer
        self._encoder = encoder
        self.device = device
        self.temperature = temperature
        self.version = version
        self.prompt_version = encoder.prompt.version

    @torch.inference_mode()
    def logits(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> torch.Tensor:
        """Logits (n, 3), float32 on the CPU, in the order of the texts, before calibration.

        `progress` gets the number of texts done since it was last called. Raises ModelError when
        the model answers with numbers that are not finite.
        """
        sequences = self._encoder.encode_all(texts)
        # transformers changes the default type of the whole process while another model is loaded.
        result = torch.empty(len(texts), 3, dtype=torch.float32)
        order = sorted(range(len(texts)), key=lambda index: len(sequences[index]))
        step = _BATCH_SIZE[self.device.type]
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            result[rows] = self._scores([sequences[row] for row in rows])
            if progress:
                progress(len(rows))
        if not torch.isfinite(result).all():
            raise ModelError(f"model {self.version} gave scores that are not numbers")
        return result

    def _scores(self, sequences: Sequence[list[int]]) -> torch.Tensor:
        """Logits (B, 3) on the CPU; when the GPU has no room for a single row, it is given up."""
        try:
            return run_halving(self._forward, sequences)
        except torch.cuda.OutOfMemoryError:
            pass
        log.warning("the GPU's memory is too little for one text: the CPU classifies from now on")
        self.device = torch.device("cpu")
        self._scorer.to(self.device)
        torch.cuda.empty_cache()
        return self._forward(sequences)

    def _forward(self, sequences: Sequence[list[int]]) -> torch.Tensor:
        ids, lengths = pad_right(list(sequences), self.device)
        scores: torch.Tensor = self._scorer(ids, lengths)
        return scores.cpu()

    def classify(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[Scores]:
        """Calibrated scores of each text, in their order; errors as `logits`."""
        probabilities = (self.logits(texts, progress) / self.temperature).softmax(dim=1)
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
    adapter, manifest = choose_adapter(settings)
    base = find_base(settings, manifest, report)
    if manifest is None:
        report(
            f"there is no adapter for {base.name}: its answers are those of the untrained model; "
            f"make one with `tweetsent train --base-model {base.name}` and set TWEETSENT_ADAPTER"
        )
    if manifest is None or base.name != NAME:
        return load_from(base, adapter, device)
    versions = (version(name) for name in ("torch", "transformers", "peft", "bitsandbytes"))
    identity = (
        *(__version__, *versions, base.revision, *manifest.files.values(), manifest.quantization),
        *(str(choose_dtype(device)), device.type),
    )
    model = load_or_build(
        settings.tweetsent_cache_dir, identity, device, lambda: merge(base, adapter, device), report
    )
    return _classifier(model, base, manifest, device)


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


def load_from(base: BaseModel, adapter: Path | None, device: torch.device) -> Classifier:
    """Load one base model with one adapter merged into it; None means the untrained model.

    Raises ModelError when the adapter is damaged or does not fit.
    """
    manifest = read_manifest(adapter) if adapter else None
    with _LOADING:
        return _classifier(merge(base, adapter, device), base, manifest, device)


def merge(base: BaseModel, adapter: Path | None, device: torch.device) -> "PreTrainedModel":
    """The base model's weights with the adapter's update added.

    They are quantised as in training and unpacked once, so that serving computes with the weights
    that were trained on, at the speed of plain matrices.
    """
    quantization = read_manifest(adapter).quantization if adapter else base.quantization
    model = load_plain(base, device, quantization)
    return attach(model, base, adapter).merge_and_unload() if adapter else model


def _classifier(
    model: "PreTrainedModel", base: BaseModel, manifest: Manifest | None, device: torch.device
) -> Classifier:
    encoder = PromptEncoder(load_tokenizer(base), manifest.prompt if manifest else Prompt())
    return Classifier(
        LabelScorer(model, encoder.label_ids).eval(),
        encoder,
        device,
        temperature=manifest.temperature if manifest else 1.0,
        version=manifest.version if manifest else f"{base.name}-untrained",
    )
