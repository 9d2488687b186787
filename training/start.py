"""An adapter that training starts from, instead of fresh weights on the base model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel as Record
from pydantic import Field, ValidationError

from training.settings import TrainingSettings
from tweetsent.adapter import CONFIG, WEIGHTS, Manifest, read_manifest
from tweetsent.errors import ModelError
from tweetsent.model import BaseModel

if TYPE_CHECKING:
    import torch
    from peft import PeftModel


class _Lora(Record):
    """What PEFT's file says of how large an update the weights make; ValidationError for others."""

    peft_type: Literal["LORA"]
    r: int = Field(ge=1)
    lora_alpha: float
    use_rslora: Literal[False] = False
    alpha_pattern: dict[str, float] = Field(default={}, max_length=0)


def read_start(folder: Path, base: BaseModel, settings: TrainingSettings) -> Manifest:
    """What an adapter that fits the run says of itself, verified.

    Raises ModelError when it is damaged or does not fit, naming everything that differs.
    """
    manifest = read_manifest(folder)
    rank = _read_lora(folder).r
    needs = []
    # The revision alone: a folder may be called by another path than in training.
    if manifest.base_revision != base.revision:
        needs.append(
            f"--base-model {manifest.base_model} ({manifest.base_revision[:12]}; here it is "
            f"{base.name}, {base.revision[:12]})"
        )
    if manifest.quantization is not base.quantization:
        needs.append(
            f"a base model quantised as {manifest.quantization} (here it is {base.quantization})"
        )
    if rank != settings.lora_rank:
        needs.append(f"--lora-rank {rank} (here it is {settings.lora_rank})")
    if needs:
        raise ModelError(
            f"adapter {folder}: training can start from it only with {' and '.join(needs)}"
        )
    return manifest


def load_start(model: "PeftModel", folder: Path) -> None:
    """Give the fresh adapter the weights of one that `read_start` verified.

    Raises ModelError when its layers are not those of the fresh one.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file

    stored = load_file(folder / WEIGHTS)
    fresh = get_peft_model_state_dict(model, save_embedding_layers=False)
    # PEFT passes over missing and left-over keys.
    if _shapes(stored) != _shapes(fresh):
        raise ModelError(f"adapter {folder}: its layers are not those that are trained")
    before = _read_lora(folder)
    now: Any = model.peft_config["default"]
    # An averaged adapter's update is scaled by 1, a trained one's by 2: B takes up the difference.
    scale = before.lora_alpha / before.r / (now.lora_alpha / now.r)
    set_peft_model_state_dict(
        model,
        {name: weight * scale if ".lora_B." in name else weight for name, weight in stored.items()},
    )


def _shapes(weights: "dict[str, torch.Tensor]") -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def _read_lora(folder: Path) -> _Lora:
    try:
        return _Lora.model_validate_json((folder / CONFIG).read_bytes())
    except ValidationError as error:
        raise ModelError(f"adapter {folder}: {CONFIG} is not that of a plain LoRA") from error
