"""Loads a base model, in NF4 or as it is, and scores the labels; knows nothing of adapters' files.

QLoRA: Dettmers et al. 2023, arXiv:2305.14314 (NF4, double quantisation).
"""

import hashlib
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tweetsent import embedded
from tweetsent.errors import ModelError, first_line
from tweetsent.quiet import silence_model_libraries
from tweetsent.records import Quantization
from tweetsent.sealed import sha256_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model that was found: what it is called, which weights it has, where they lie."""

    name: str
    """`embedded`, a hub id, or a path."""
    source: str
    """What transformers loads."""
    revision: str
    """Hash of the files, or the hub's commit."""
    is_on_hub: bool = False

    @property
    def quantization(self) -> Quantization:
        """What is done to its weights unless an adapter says otherwise."""
        # The embedded model's file is 4-bit already; rounding it once more to NF4 costs much of
        # what it knows: 4.48 -> 4.93 nats a token on Turkish tweets.
        return Quantization.NONE if self.name == embedded.NAME else Quantization.NF4

    @property
    def location(self) -> dict[str, Any]:
        """What says to transformers which files to load: on a hub always the same commit.

        A model that needs code of its own is refused; else transformers asks at the terminal.
        """
        where = {"pretrained_model_name_or_path": self.source, "trust_remote_code": False}
        return where | ({"revision": self.revision} if self.is_on_hub else {})


def find_base_model(
    name: str, cache_dir: Path, report: Callable[[str], None], revision: str | None = None
) -> BaseModel:
    """Find the base model that a setting names; `auto` is the embedded one.

    On a hub `name@commit` asks for one commit, else `revision` does; without either the newest is
    taken, and `report` hears how to stay with it. Raises ModelError when it can't be had.
    """
    silence_model_libraries()  # here, where every use of a model begins
    if name in {"auto", embedded.NAME}:
        folder = embedded.prepare_embedded(cache_dir, report)
        return BaseModel(embedded.NAME, str(folder), embedded.GGUF_SHA256)
    path = Path(name).expanduser()
    if path.is_dir():
        return BaseModel(name, str(path), _folder_hash(path))
    if path.is_absolute() or name.startswith("."):
        raise ModelError(f"TWEETSENT_BASE_MODEL or --base-model {name}: there is no such folder")
    name, pinned = _split_pin(name)
    commit = _hub_commit(name, pinned or revision)
    if (pinned or revision) is None and _COMMIT.fullmatch(commit):
        report(
            f"base model {name} is the newest on the hub, which may change at any start: "
            f"TWEETSENT_BASE_MODEL={name}@{commit} stays with this one"
        )
    return BaseModel(name, name, commit, is_on_hub=True)


def _split_pin(name: str) -> tuple[str, str | None]:
    """A hub's `name@commit` as two; the commit is None where there is none.

    Raises ModelError for anything but a full commit: tags and branches move.
    """
    hub_id, at, commit = name.rpartition("@")
    if not at:
        return name, None
    if not _COMMIT.fullmatch(commit):
        raise ModelError(f"base model {name}: after @ comes a commit, of 40 digits from 0 to f")
    return hub_id, commit


def _folder_hash(folder: Path) -> str:
    weights = sorted(folder.glob("*.safetensors"))
    tokenizer = sorted(folder.glob("tokenizer.json"))
    if not weights or not (folder / "config.json").is_file():
        raise ModelError(f"base model {folder}: needs config.json and *.safetensors")
    sums = "".join(sha256_of(path) for path in [folder / "config.json", *tokenizer, *weights])
    return hashlib.sha256(sums.encode()).hexdigest()


def _hub_commit(name: str, revision: str | None) -> str:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(
            name, revision=revision or "main", trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"base model {name} can't be loaded from the model hub or its cache: "
            f"{first_line(error)}; TWEETSENT_BASE_MODEL=embedded needs no hub"
        ) from error
    return str(getattr(config, "_commit_hash", None) or revision or "main")


def choose_device(wanted: str) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means on this machine; ModelError without a GPU."""
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise ModelError("TWEETSENT_DEVICE=cuda, but torch sees no NVIDIA GPU")
    return torch.device("cuda" if has_gpu and wanted != "cpu" else "cpu")


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, else float32: Gemma 3 overflows float16."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = _cpu_computes_in_bf16()
    return torch.bfloat16 if native else torch.float32


def _cpu_computes_in_bf16() -> bool:
    if platform.machine().lower() in {"x86_64", "amd64"}:
        # oneDNN also says yes to AVX512 without bf16 instructions, where it only imitates them.
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def load_nf4(
    base: BaseModel, device: torch.device, dtype: torch.dtype | None = None
) -> "PreTrainedModel":
    """The causal language model with its linear layers in NF4, double-quantised.

    It computes in `dtype`, by default what `choose_dtype` says. Raises ModelError when its files
    are missing, damaged or of another kind.
    """
    from transformers import BitsAndBytesConfig

    dtype = dtype or choose_dtype(device)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    model = _load(base, device, dtype, quantization_config=config)
    _keep_weights_trainable(model)
    return model


def load_plain(
    base: BaseModel,
    device: torch.device,
    quantization: Quantization,
    dtype: torch.dtype | None = None,
) -> "PreTrainedModel":
    """The causal language model in plain matrices of `dtype`, with the quantised numbers in them.

    Served and trained on at full speed; by default the type is what `choose_dtype` says.
    """
    dtype = dtype or choose_dtype(device)
    if quantization is Quantization.NF4:
        return dequantize(load_nf4(base, device, dtype))
    return _load(base, device, dtype)


def _load(
    base: BaseModel, device: torch.device, dtype: torch.dtype, **options: Any
) -> "PreTrainedModel":
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            **base.location,
            dtype=dtype,
            device_map={"": device},
            use_safetensors=True,
            **options,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(f"base model {base.name} can't be loaded: {first_line(error)}") from error
    model.eval()
    return model


def dequantize(model: "PreTrainedModel") -> "PreTrainedModel":
    """The same weights as plain matrices: what NF4 computes with, without unpacking each time."""
    return cast_weights(model.dequantize(), model.dtype)


def cast_weights(model: "PreTrainedModel", dtype: torch.dtype) -> "PreTrainedModel":
    """The same model, with its weights in `dtype`."""
    for parameter in model.parameters():
        # Not `model.to(dtype)`: the rotary frequencies are buffers and must stay float32.
        parameter.data = parameter.data.to(dtype)
    return model


@lru_cache(maxsize=1)
def load_tokenizer(base: BaseModel) -> "PreTrainedTokenizerBase":
    """The base model's tokenizer; ModelError when it is missing or damaged.

    The last one is kept: reading Gemma's takes three seconds, in which no other thread gets to run.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = (
            embedded.read_tokenizer(Path(base.source))
            if base.name == embedded.NAME
            else AutoTokenizer.from_pretrained(**base.location)
        )
    # The tokenizers library raises bare Exception on a damaged file.
    except Exception as error:
        raise ModelError(
            f"the tokenizer of {base.name} can't be loaded: {first_line(error)}"
        ) from error
    # Without its files transformers makes one that knows no words.
    if not tokenizer.encode("kelime", add_special_tokens=False):
        raise ModelError(f"the tokenizer of {base.name} is missing: it needs tokenizer.json")
    return tokenizer


class LabelScorer(torch.nn.Module):
    """Scores of the label words after the prompt, without the rest of the vocabulary."""

    def __init__(self, model: Any, label_ids: list[int]) -> None:
        """`model` is a causal language model, plain or with PEFT layers in it."""
        super().__init__()
        self.model = model
        self.label_ids = label_ids

    def forward(self, input_ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Logits (B, 3), float32, of prompts (B, T) padded on the right to T; `lengths` is (B,)."""
        return self.score(self.hidden(input_ids), lengths)

    def hidden(self, input_ids: torch.Tensor) -> torch.Tensor:
        """The last hidden states (B, T, H) of prompts (B, T).

        No attention mask: a causal model never looks to the right, where the padding is.
        """
        decoder = self.model.get_decoder()
        states: torch.Tensor = decoder(input_ids=input_ids, use_cache=False).last_hidden_state
        return states

    def score(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Logits (B, 3), float32, out of the hidden states (B, T, H); `lengths` is (B,)."""
        last = hidden[torch.arange(len(lengths), device=hidden.device), lengths - 1]  # (B, H)
        logits: torch.Tensor = last.float() @ label_rows(self.model, self.label_ids).T
        return logits


def label_rows(model: Any, label_ids: list[int]) -> torch.Tensor:
    """The rows (3, H), float32, of the output matrix that score the label words."""
    weight = model.get_output_embeddings().weight
    return torch.stack([weight[index] for index in label_ids]).float()


def pad_right(
    sequences: list[list[int]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids (B, T) filled up with 0 on the right, and the lengths (B,)."""
    lengths = [len(sequence) for sequence in sequences]
    longest = max(lengths)
    padded = [sequence + [0] * (longest - len(sequence)) for sequence in sequences]
    return torch.tensor(padded, device=device), torch.tensor(lengths, device=device)


def _keep_weights_trainable(model: torch.nn.Module) -> None:
    """Stop bitsandbytes from repacking NF4 weights at the first evaluation on AVX512-BF16 CPUs.

    The packed form has no gradient: training goes on after it, silently wrong.
    """
    from bitsandbytes.nn.modules import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
