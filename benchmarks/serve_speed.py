"""How fast texts become answers: this project beside the obvious alternatives, in one run.

    python -m benchmarks.serve_speed FILE TEXT_COLUMN RESULT [BASE_MODEL [ADAPTER]]

BASE_MODEL and ADAPTER are a folder, `embedded` and `auto` (the shipped adapter) by default;
`random` is Qwen3-0.6B with random weights and a random adapter on NF4, of which only the speed says
anything. It runs on the GPU if there is one. Each way of answering has a process of its own, one
after the other, so memory and time to be ready are its own too. Tokenising is counted.

- ready: from the start of the process to the first answer (after a start before it)
- alone: median of single messages, on a GPU of those of about 48 tokens
- of 32: median of batches of 32 messages
- a second: messages in bulk, over all texts (over the first ones where that would take minutes)
- memory: resident of the process on a CPU, what it allocates on a GPU
- agree: share of labels that are those of `reference`: the adapter beside the weights as they were
  trained on, in padded batches of plain transformers, on a CPU in fp32

`generate()` is what notebooks do: a prompt that asks for the label in words, answered token by
token. `text-classification` is transformers' pipeline with a new head. `llama.cpp` (where
llama-cpp-python is installed) reads the embedded model's own 4-bit file, without the adapter: of
both the labels say nothing. Writes RESULT.json and RESULT.png.
"""

import json
import multiprocessing
import os
import platform
import re
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.qwen3 import make_model
from tweetsent.adapter import attach, read_manifest, shipped_adapter
from tweetsent.classifier import load_classifier
from tweetsent.labels import LABELS
from tweetsent.model import (
    BaseModel,
    LabelScorer,
    choose_device,
    choose_dtype,
    find_base_model,
    load_nf4,
    load_plain,
    load_tokenizer,
    pad_right,
)
from tweetsent.prompt import Prompt, PromptEncoder
from tweetsent.records import Quantization
from tweetsent.settings import Settings

ALONE = 60
OF_32 = {"cuda": 60, "cpu": 5}
PROCESSES = multiprocessing.get_context("spawn")
"""How a way's process begins: with nothing loaded."""
SLOW_TEXTS = {"cuda": 128, "cpu": 60}
"""Texts in bulk for the ways that would take minutes."""
PADDED_BATCH = {"cuda": 512, "cpu": 32}
_ONE_BY_ONE = {"generate()", "llama.cpp"}
_LABELS = {label: index for index, label in enumerate(LABELS)}
Answer = Callable[[Sequence[str]], list[int]]
"""Texts in, numbers of the labels out."""


@dataclass(frozen=True)
class Model:
    """What is asked."""

    name: str
    """`embedded`, or a folder."""
    adapter: Path
    device: torch.device

    @cached_property
    def base(self) -> BaseModel:
        """The base model; finding it reads all of its files."""
        return find_base_model(self.name, Settings.load().tweetsent_cache_dir, _say)

    @property
    def quantization(self) -> Quantization:
        """What the weights were rounded to before they were trained on."""
        return read_manifest(self.adapter).quantization

    @property
    def prompt(self) -> Prompt:
        """The words around a text."""
        return read_manifest(self.adapter).prompt


def _tweetsent(precision: Any) -> Callable[[Model], Answer]:
    def load(model: Model) -> Answer:
        settings = Settings.load().model_copy(
            update={
                "tweetsent_base_model": model.name,
                "tweetsent_adapter": str(model.adapter),
                "tweetsent_serve_precision": precision,
            }
        )
        classifier = load_classifier(settings, _say)

        def answer(texts: Sequence[str]) -> list[int]:
            return [_LABELS[scores.label] for scores in classifier.classify(texts)]

        return answer

    return load


def _padded(model: Model, plain: Any) -> Answer:
    adapted = attach(plain, model.base, model.adapter)
    adapted.eval()
    encoder = PromptEncoder(load_tokenizer(model.base), model.prompt)
    scorer = LabelScorer(adapted, encoder.label_ids)
    size = PADDED_BATCH[model.device.type]

    @torch.inference_mode()
    def answer(texts: Sequence[str]) -> list[int]:
        found: list[int] = []
        for start in range(0, len(texts), size):
            ids, lengths = pad_right(encoder.encode_all(texts[start : start + size]), model.device)
            found += scorer(ids, lengths).argmax(dim=1).tolist()
        return found

    return answer


def _reference(model: Model) -> Answer:
    dtype = torch.float32 if model.device.type == "cpu" else None
    if model.quantization is Quantization.NF4:
        return _padded(model, load_nf4(model.base, model.device, dtype))
    return _padded(model, load_plain(model.base, model.device, Quantization.NONE, dtype))


def _generate(model: Model) -> Answer:
    plain = _plain(model)
    tokenizer: Any = load_tokenizer(model.base)
    ask = "Bu tweetin duygusu nedir? Olumsuz, tarafsız ya da olumlu diye yanıtla.\n{}\nDuygu:"

    @torch.inference_mode()
    def answer(texts: Sequence[str]) -> list[int]:
        for text in texts:
            inputs = tokenizer(ask.format(text), return_tensors="pt").to(model.device)
            plain.generate(
                **inputs,
                max_new_tokens=5,
                min_new_tokens=5,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id or 0,
            )
        return [0] * len(texts)

    return answer


def _pipeline(model: Model) -> Answer:
    from transformers import AutoModelForSequenceClassification, pipeline

    tokenizer: Any = load_tokenizer(model.base)
    head = AutoModelForSequenceClassification.from_pretrained(
        model.base.source, num_labels=len(LABELS), dtype=choose_dtype(model.device)
    )
    head.config.pad_token_id = tokenizer.pad_token_id or 0
    classify: Any = pipeline(
        "text-classification",
        model=head.to(model.device).eval(),
        tokenizer=tokenizer,
        device=model.device,
        batch_size=PADDED_BATCH[model.device.type],
    )

    def answer(texts: Sequence[str]) -> list[int]:
        return [0 for _ in classify(list(texts))]

    return answer


def _llama(model: Model) -> Answer:
    from llama_cpp import Llama  # type: ignore[import-not-found]

    from tweetsent.embedded import assemble

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        assemble(file)
        llama = Llama(
            str(file), n_ctx=512, n_threads=torch.get_num_threads(), logits_all=False, verbose=False
        )
    encoder = PromptEncoder(load_tokenizer(model.base), model.prompt)

    def answer(texts: Sequence[str]) -> list[int]:
        found = []
        for ids in encoder.encode_all(texts):
            llama.reset()
            llama.eval(ids)
            logits = llama._scores[-1]
            found.append(int(logits[encoder.label_ids].argmax()))
        return found

    return answer


def _plain(model: Model) -> Any:
    return load_plain(model.base, model.device, Quantization.NONE).eval()


WAYS: dict[str, Callable[[Model], Answer]] = {
    "reference": _reference,
    "tweetsent": _tweetsent("auto"),
    "tweetsent, bf16": _tweetsent("bf16"),
    "tweetsent, nf4": _tweetsent("nf4"),
    "padded batches": lambda model: _padded(model, _plain(model)),
    "text-classification": _pipeline,
    "generate()": _generate,
    "llama.cpp": _llama,
}


def applicable(model: Model) -> list[str]:
    """The ways that this model, this machine and its packages allow."""
    native = choose_dtype(model.device) is torch.bfloat16
    is_embedded = model.name == "embedded"
    left_out = {
        # What `auto` does there, or what the machine only imitates.
        "tweetsent, bf16": model.device.type == "cuda" or native,
        "tweetsent, nf4": model.quantization is not Quantization.NF4 or model.device.type == "cpu",
        "llama.cpp": model.device.type == "cuda" or not is_embedded or not find_spec("llama_cpp"),
    }
    return [name for name in WAYS if not left_out.get(name)]


def measure(way: str, base: str, adapter: str, texts: list[str], started: float) -> dict[str, Any]:
    """The figures of one way, in this process; `started` is its beginning, in time.time()."""
    model = named(base, adapter)
    answer = WAYS[way](model)
    answer(texts[:1])
    result: dict[str, Any] = {"way": way, "ready_s": time.time() - started}
    answer(texts[:32])
    result["alone_ms"] = 1e3 * _median(answer, [[text] for text in _about(model, texts)])
    batches = [texts[n * 32 : (n + 1) * 32] for n in range(OF_32[model.device.type])]
    is_slow = way in _ONE_BY_ONE
    result["of_32_ms"] = None if is_slow else 1e3 * _median(answer, [b for b in batches if b])
    bulk = texts[: SLOW_TEXTS[model.device.type]] if is_slow else texts
    begun = time.perf_counter()
    result["labels"] = answer(bulk)
    result["per_second"] = len(bulk) / (time.perf_counter() - begun)
    result["bulk_texts"] = len(bulk)
    if model.device.type == "cuda":
        result["gib"] = torch.cuda.memory_allocated() / 2**30
        result["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    else:
        result["gib"] = _memory_gib("VmRSS")
        result["peak_gib"] = _memory_gib("VmHWM")
    return result


def _about(model: Model, texts: list[str]) -> list[str]:
    """Those that are measured alone: on a GPU of about 48 tokens, on a CPU as they come."""
    if model.device.type == "cpu":
        return texts[:ALONE]
    encoder = PromptEncoder(load_tokenizer(model.base), model.prompt)
    lengths = [len(ids) for ids in encoder.encode_all(texts)]
    nearest = sorted(range(len(texts)), key=lambda index: abs(lengths[index] - 48))
    return [texts[index] for index in nearest[:ALONE]]


def _median(answer: Answer, batches: list[list[str]]) -> float:
    seconds = []
    for batch in batches:
        begun = time.perf_counter()
        answer(batch)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def _memory_gib(name: str) -> float:
    """This process's VmRSS (resident) or VmHWM (its peak), as Linux tells them."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) / 2**20


def named(base: str, adapter: str) -> Model:
    """The model that the command line names."""
    folder = shipped_adapter() if adapter == "auto" else Path(adapter)
    return Model(base, folder, choose_device(Settings.load().tweetsent_device))


def main(
    file: str, column: str, output: str, base: str = "embedded", adapter: str = "auto"
) -> None:
    """Measure every way in a process of its own; write and print what came out."""
    with tempfile.TemporaryDirectory() as scratch:
        if base == "random":
            base, adapter = make_random(Path(scratch))
        model = named(base, adapter)
        texts = read_texts(Path(file), column)
        encoder = PromptEncoder(load_tokenizer(model.base), model.prompt)
        lengths = [len(ids) for ids in encoder.encode_all(texts)]
        ways = applicable(model)
        results = []
        WAYS["tweetsent"](model)  # which keeps the merged model for the next start
        for way in ways:
            with ProcessPoolExecutor(1, mp_context=PROCESSES) as process:
                try:
                    one = process.submit(measure, way, base, adapter, texts, time.time()).result()
                except Exception:  # noqa: BLE001 - the other ways may work
                    traceback.print_exc()
                    results.append({"way": way, "failed": True})
                    continue
            results.append(one)
            _say(str({name: value for name, value in results[-1].items() if name != "labels"}))
    reference = results[0].get("labels", [])
    for result in results:
        labels = result.pop("labels", [])
        says = result["way"].startswith(("tweetsent", "reference"))
        pairs = list(zip(labels, reference, strict=False))
        result["agree"] = sum(a == b for a, b in pairs) / len(pairs) if says and pairs else None
    content = {
        "command": f"python -m benchmarks.serve_speed {' '.join(sys.argv[1:])}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(model.device),
        "libraries": {name: version(name) for name in ("torch", "transformers", "peft")},
        "texts": len(texts),
        "mean_tokens": statistics.mean(lengths),
        "ways": results,
    }
    Path(f"{output}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(content, Path(f"{output}.png"))
    print_table(content)


def read_texts(file: Path, column: str) -> list[str]:
    """The texts of a file that hold anything."""
    from tweetsent.files import read_table, text_column

    return [text for text in text_column(read_table(file), column, file) if text.strip()]


def make_random(folder: Path) -> tuple[str, str]:
    """Qwen3-0.6B's layers with random weights and the embedded model's tokenizer, and an adapter.

    Its table of tokens is Gemma's, 262,144 rows instead of Qwen's 151,936: 0.2 GiB more.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer

    from tweetsent.adapter import CONFIG, WEIGHTS, Manifest, write_manifest
    from tweetsent.embedded import prepare_embedded
    from tweetsent.sealed import sha256_of

    tokenizer = AutoTokenizer.from_pretrained(
        prepare_embedded(Settings.load().tweetsent_cache_dir, _say)
    )
    base, adapter = folder / "base", folder / "adapter"
    model: Any = make_model(base, vocab_size=262_144, bos_token_id=tokenizer.bos_token_id)
    tokenizer.save_pretrained(base)
    lora = LoraConfig(
        r=16,
        lora_alpha=32,
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    get_peft_model(model, lora).save_pretrained(adapter)
    found = find_base_model(str(base), folder, _say)
    write_manifest(
        adapter,
        Manifest(
            version="random-1",
            created_at="2026-01-01T00:00:00+00:00",
            base_model=str(base),
            base_revision=found.revision,
            prompt=Prompt(),
            temperature=1.0,
            files={name: sha256_of(adapter / name) for name in (WEIGHTS, CONFIG)},
            datasets=[],
            training={},
            metrics={},
            machine="none",
            training_seconds=0.0,
            measured_on="nothing",
            libraries={},
        ),
    )
    return str(base), str(adapter)


def machine(device: torch.device) -> str:
    """What it ran on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    name = next((line.split(":")[1].strip() for line in lines if "model name" in line), "CPU")
    arithmetic = "bf16" if choose_dtype(device) is torch.bfloat16 else "no bf16"
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} cores, {torch.get_num_threads()} threads, {arithmetic}, " + (
        platform.machine()
    )


COLUMNS = ("ready_s", "alone_ms", "of_32_ms", "per_second", "gib", "agree")


def print_table(content: dict[str, Any]) -> None:
    """The figures, a line for each way."""
    _print(f"{content['machine']}; {content['texts']} texts of {content['mean_tokens']:.0f} tokens")
    heads = ("ready s", "alone ms", "of 32 ms", "a second", "GiB", "agree")
    _print(f"{'':20}" + "".join(f"{head:>10}" for head in heads))
    for result in content["ways"]:
        if result.get("failed"):
            _print(f"{result['way']:20}    failed")
            continue
        figures = [result[name] for name in COLUMNS]
        cells = ["" if figure is None else f"{figure:.2f}" for figure in figures]
        _print(f"{result['way']:20}" + "".join(f"{cell:>10}" for cell in cells))


def draw(content: dict[str, Any], path: Path) -> None:
    """Two bars for each way: the time of one message, and messages a second."""
    from matplotlib.figure import Figure

    ways = [result for result in content["ways"] if not result.get("failed")][::-1]
    figure = Figure(figsize=(9, 0.5 * len(ways) + 1.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, name, title in (
        (left, "alone_ms", "one message, ms (less is better)"),
        (right, "per_second", "messages a second (more is better)"),
    ):
        values = [way[name] for way in ways]
        colours = ["#1f6f8b" if "tweetsent" in way["way"] else "#b8c4cc" for way in ways]
        bars = axes.barh([way["way"] for way in ways], values, color=colours)
        axes.bar_label(bars, fmt="{:,.1f}" if max(values) < 1000 else "{:,.0f}", padding=3)
        axes.set_title(title, fontsize=10)
        axes.set_xlim(0, 1.2 * max(values))
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(content["machine"], fontsize=9)
    figure.savefig(path, dpi=110)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
