"""How long training takes: a common notebook's recipe and `tweetsent train`'s, side by side.

    python benchmarks/train_speed.py MODEL FILE TEXT_COLUMN OUTPUT.json

MODEL is a folder or a hub id (benchmarks/qwen3.py makes Qwen3-0.6B with random weights). The rows
are drawn from FILE with replacement and get random labels: the time depends on their lengths alone.

The notebook's recipe, as public notebooks of this task have it: NF4, PEFT's LoRA on all linear
layers, every row padded to 512 tokens, batches of 8, loss over the whole vocabulary at every
position, gradient checkpointing, paged 8-bit AdamW. Only so many of its steps are timed as given in
the result; they all cost the same, since all have the same shape.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from training.batches import Batches
from training.data import Example
from training.estimate import Shape, memory_bytes, shape_of
from training.memory import Memory
from training.qlora import Listener, Progress, Trained, fine_tune
from training.settings import TrainingSettings
from tweetsent.files import read_table, text_column
from tweetsent.labels import LABELS
from tweetsent.model import BaseModel, find_base_model, load_nf4, load_tokenizer
from tweetsent.prompt import Prompt, PromptEncoder

ROWS = 4202
EPOCHS = 5
NOTEBOOK_BATCH = 8
NOTEBOOK_LENGTH = 512
NOTEBOOK_STEPS = 30
LOW_MEMORY_LENGTH = 128
DEVICE = torch.device("cuda")
MISTRAL_7B = Shape(
    linear=6_979_321_856, other=268_435_456, layers=32, hidden=4096, adapter=41_943_040
)
"""Of Mistral-7B-v0.3 with an adapter of rank 16, from its config.json."""


def main(model: str, file: str, column: str, output: str) -> None:
    """Run both recipes and write the JSON."""
    base = find_base_model(model, Path.home() / ".cache" / "tweetsent", _say)
    texts = [t for t in text_column(read_table(Path(file)), column, Path(file)) if t.strip()]
    rng = random.Random(0)
    rows = [Example(rng.choice(texts), rng.choice(LABELS)) for _ in range(ROWS)]
    result: dict[str, Any] = {
        "machine": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "libraries": {n: version(n) for n in ("transformers", "peft", "bitsandbytes")},
        "rows": ROWS,
        "epochs": EPOCHS,
        "matrix_tflops": _matrix_rate() / 1e12,
    }
    result["fast"] = _ours(base, rows, Memory.FAST, batch_size=128)
    result["fast"]["share_of_matrix_rate"] = result["fast"]["tflops"] / result["matrix_tflops"]
    _say(json.dumps(result["fast"]))
    result["low"] = _ours(base, _long(base, rows[:640]), Memory.LOW, batch_size=32, epochs=1)
    _say(json.dumps(result["low"]))
    shape = shape_of(base, TrainingSettings().lora_rank)
    expected = memory_bytes(shape, Memory.LOW, 2, Memory.LOW.pass_tokens(DEVICE)) / 2**30
    projected = memory_bytes(MISTRAL_7B, Memory.LOW, 2, Memory.LOW.pass_tokens(DEVICE)) / 2**30
    result["mistral_7b_projected_gib"] = projected * result["low"]["peak_gib"] / expected
    result["notebook"] = _notebook(base)
    result["speedup"] = result["notebook"]["seconds"] / result["fast"]["seconds"]
    Path(output).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _say(json.dumps(result, indent=2))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _matrix_rate() -> float:
    """FLOP/s of a large bf16 matrix product of random numbers."""
    size = 8192
    a, b = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    seconds = statistics.median(_timed(lambda: a @ b) for _ in range(20))
    return float(2 * size**3 / seconds)


def _timed(work: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def _ours(
    base: BaseModel, rows: list[Example], memory: Memory, batch_size: int, epochs: int = EPOCHS
) -> dict[str, Any]:
    settings = TrainingSettings(epochs=epochs, batch_size=batch_size)
    encoder = PromptEncoder(load_tokenizer(base), Prompt())
    batches = Batches(rows, encoder, settings).of_epoch(1)
    tokens = epochs * sum(len(row.ids) for batch in batches for row in batch)
    torch.cuda.reset_peak_memory_stats()

    def step(at: Progress) -> None:
        _say(f"{memory}: step {at.step} of {at.steps}, loss {at.loss:.3f}")

    trained: Trained = fine_tune(
        base,
        rows,
        settings,
        DEVICE,
        Listener(_say, step, lambda *_: None, lambda: False),
        score=lambda *_: {},
        memory=memory,
    )
    body = [p for name, p in trained.model.named_parameters() if "embed" not in name]
    # Forward and the gradient of the activations; frozen weights get no gradient of their own.
    flop = 4.0 * tokens * sum(_size(p) for p in body)
    return {
        "seconds": trained.seconds,
        "batch_size": batch_size,
        "steps": trained.step,
        "tokens": tokens,
        "tokens_per_second": tokens / trained.seconds,
        "tflops": flop / trained.seconds / 1e12,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30,
    }


def _size(parameter: torch.Tensor) -> int:
    """Elements, two in each byte of a packed weight."""
    return parameter.numel() * (2 if parameter.dtype == torch.uint8 else 1)


def _long(base: BaseModel, rows: list[Example]) -> list[Example]:
    """Rows put together until each fills the length of the memory test."""
    encoder = PromptEncoder(load_tokenizer(base), Prompt())
    result = []
    for row in rows:
        words = (row.text + " ").split() * 40
        low, high = 1, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            fits = len(encoder.encode(" ".join(words[:middle]))) <= LOW_MEMORY_LENGTH
            low, high = (middle, high) if fits else (low, middle - 1)
        result.append(Example(" ".join(words[:low]), row.label))
    return result


def _notebook(base: BaseModel) -> dict[str, Any]:
    from bitsandbytes.optim import PagedAdamW8bit
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    model = prepare_model_for_kbit_training(load_nf4(base, DEVICE))
    config = LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, config).train()
    optimizer = PagedAdamW8bit([p for p in model.parameters() if p.requires_grad], lr=2e-4)
    shape = (NOTEBOOK_BATCH, NOTEBOOK_LENGTH)
    ids = torch.randint(1, 1000, shape, device=DEVICE)
    mask = torch.ones_like(ids)

    def step() -> None:
        model(input_ids=ids, attention_mask=mask, labels=ids, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(3):
        step()
    seconds = [_timed(step) for _ in range(NOTEBOOK_STEPS)]
    steps = EPOCHS * -(-ROWS // NOTEBOOK_BATCH)
    return {
        "steps": steps,
        "timed_steps": NOTEBOOK_STEPS,
        "seconds_per_step": statistics.median(seconds),
        "seconds": statistics.median(seconds) * steps,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
