"""The adapter folder: PEFT's files and `tweetsent.json`, which says what they are and hashes them.

Reading verifies everything before a weight is used. Safetensors only, never pickle.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel as Record
from pydantic import ConfigDict, Field, ValidationError

from tweetsent.embedded import NAME
from tweetsent.errors import ModelError, first_line
from tweetsent.prompt import Prompt
from tweetsent.records import Quantization
from tweetsent.sealed import sha256_of
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from tweetsent.model import BaseModel

MANIFEST = "tweetsent.json"
WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


class Dataset(Record):
    """A file the adapter was trained or measured on."""

    model_config = ConfigDict(frozen=True)
    name: str
    sha256: str
    rows: int


class Manifest(Record):
    """What `tweetsent.json` says of an adapter."""

    model_config = ConfigDict(frozen=True)
    version: str
    """Base model and the beginning of the weights' hash: other weights, other version."""
    created_at: str
    """UTC, ISO 8601."""
    base_model: str
    base_revision: str
    quantization: Quantization = Quantization.NF4
    """Of the weights that it was trained on."""
    prompt: Prompt
    temperature: float = Field(gt=0)
    """Divides the logits before the softmax; fitted on the validation rows."""
    files: dict[str, str]
    """SHA-256 of PEFT's two files."""
    datasets: list[Dataset]
    training: dict[str, Any]
    """The training settings, as `tweetsent train` got them."""
    epoch: int | None = None
    """The epoch whose weights these are; None in adapters of a time that did not record it."""
    started_from: str | None = None
    """The version whose weights the training began with; None where it began with fresh ones."""
    metrics: dict[str, Any]
    """Evaluation results by validation file."""
    machine: str
    """What it was trained on."""
    training_seconds: float
    measured_on: str
    """What `metrics` were measured on."""
    libraries: dict[str, str]


def shipped_adapter() -> Path:
    """The adapter that comes with this package, trained on the embedded model."""
    return Path(str(files("tweetsent") / "adapters" / "embedded"))


def choose_adapter(settings: Settings) -> tuple[Path, Manifest] | tuple[None, None]:
    """The adapter that was asked for, or the shipped one where it fits the base model.

    Raises ModelError as `read_manifest`.
    """
    if settings.tweetsent_adapter != "auto":
        folder = Path(settings.tweetsent_adapter).expanduser()
        return folder, read_manifest(folder)
    if settings.tweetsent_base_model in {"auto", NAME}:
        return shipped_adapter(), read_manifest(shipped_adapter())
    return None, None


def read_manifest(folder: Path) -> Manifest:
    """Read and verify an adapter's folder.

    Raises ModelError when a file is missing or damaged.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"adapter {folder}: there is no {MANIFEST}") from None
    except OSError as error:
        raise ModelError(f"adapter {folder}: {MANIFEST} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where} {first['msg']}".strip()
        raise ModelError(f"adapter {folder}: {MANIFEST} can't be read: {reason}") from error
    if set(manifest.files) != {WEIGHTS, CONFIG}:
        raise ModelError(f"adapter {folder}: {MANIFEST} must hash {WEIGHTS} and {CONFIG}")
    for name, digest in manifest.files.items():
        if not (folder / name).is_file():
            raise ModelError(f"adapter {folder}: {name} is missing")
        if sha256_of(folder / name) != digest:
            raise ModelError(f"adapter {folder}: {name} is damaged (its hash differs)")
    return manifest


def attach(
    model: "PreTrainedModel | PeftModel", base: "BaseModel", folder: Path, name: str = "default"
) -> "PeftModel":
    """The base model with a verified adapter's layers in it, beside those that it may have.

    Raises ModelError when the adapter was trained on another base model or does not fit.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    manifest = read_manifest(folder)
    # The revision alone: a folder may be called by another path than in training.
    if manifest.base_revision != base.revision:
        raise ModelError(
            f"adapter {folder} was trained on {manifest.base_model} "
            f"({manifest.base_revision[:12]}), not on {base.name} ({base.revision[:12]})"
        )
    try:
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder), adapter_name=name)
            adapted = model
        else:
            adapted = PeftModel.from_pretrained(model, str(folder), adapter_name=name)
    # TypeError and KeyError: adapter_config.json is JSON of another kind.
    except (OSError, ValueError, TypeError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"adapter {folder} does not fit {base.name}: {first_line(error)}"
        ) from error
    _require_same_weights(adapted, folder, name)
    return adapted


def _require_same_weights(adapted: "PeftModel", folder: Path, name: str) -> None:
    """PEFT only warns of missing or left-over keys and would serve the bare base model."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, framework="pt") as file:
        stored = set(file.keys())
    expected = get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)
    if stored != set(expected):
        raise ModelError(f"adapter {folder}: its layers are not those of the base model")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `tweetsent.json`, which makes the folder a complete adapter: do it last."""
    text = json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
