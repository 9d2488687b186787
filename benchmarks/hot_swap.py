"""What a swap of the model costs those who write meanwhile.

    python -m benchmarks.hot_swap TEXTS_PER_SECOND

Two versions of the shipped adapter are promoted in turn while texts come at a constant rate, with
the real registry, watcher and batching. A text is lost when it gets no answer; its wait counts as
one of a swap when it overlaps the time from the promotion to a second after the new version serves.
Writes hot_swap.json beside this file, where the figures of each rate are kept.
"""

import asyncio
import json
import platform
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tweetsent.adapter import WEIGHTS, read_manifest, shipped_adapter, write_manifest
from tweetsent.batching import BatchingClassifier
from tweetsent.classifier import Classifier, load_classifier
from tweetsent.database import create_engine_for, upgrade
from tweetsent.embedded import prepare_embedded
from tweetsent.faults import Faults
from tweetsent.records import ActivatedBy
from tweetsent.registry import Registry
from tweetsent.sealed import sha256_of
from tweetsent.settings import Settings
from tweetsent.watcher import Watcher

SWAPS = 20
QUIET_SECONDS = 3.0
TEXTS = [
    "Yeni telefonum bugün geldi, bayıldım 😍",
    "cok guzel bi film degildi acikcasi",
    "Toplantı yarın saat 10'da başlayacak.",
    "Yine üç saat rötar yaptılar, bıktım artık 😡😡",
]


@dataclass
class Answer:
    """One text's way through the model, in seconds of the monotonic clock."""

    asked: float
    answered: float
    text: str
    version: str
    positive: float


def main(rate: int) -> None:
    """Measure, and add the result to what is there."""
    with tempfile.TemporaryDirectory() as scratch:
        result = asyncio.run(measure(Path(scratch), rate))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    path = Path(__file__).with_suffix(".json")
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[f"{rate} texts a second"] = result
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


async def measure(scratch: Path, rate: int) -> dict[str, Any]:
    """The figures of one run in an empty folder."""
    settings = prepare(scratch)
    upgrade(settings.database_url)
    engine = create_engine_for(settings.database_url)
    registry = Registry.of(settings, engine)
    versions = [registry.add(scaled(scratch, factor)).version for factor in (1.01, 0.99)]
    registry.promote(versions[0], ActivatedBy.CLI)

    def load(adapter: Path | None) -> Classifier:
        changes = {"tweetsent_adapter": str(adapter)} if adapter else {}
        return load_classifier(settings.model_copy(update=changes), lambda _: None)

    watcher = Watcher(registry, load, Faults(engine))
    batching = BatchingClassifier(watcher.first(), remembered=0)
    answers: list[Answer] = []
    asking: list[asyncio.Task[None]] = []
    texts = cycle(TEXTS)

    async def ask(text: str) -> None:
        asked = time.monotonic()
        scored = await batching.classify(text)
        now = time.monotonic()
        answers.append(Answer(asked, now, text, scored.model_version, scored.scores.positive))

    async def keep_asking() -> None:
        while True:
            asking.append(asyncio.create_task(ask(next(texts))))
            await asyncio.sleep(1 / rate)

    load_task = asyncio.create_task(keep_asking())
    await asyncio.sleep(10)
    watching = asyncio.create_task(watcher.run(batching))
    rss = [memory_mb()["VmRSS"]]
    swaps: list[tuple[float, float]] = []
    for number in range(SWAPS):
        wanted = versions[(number + 1) % 2]
        began = time.monotonic()
        await asyncio.to_thread(registry.promote, wanted, ActivatedBy.CLI)
        while batching.version != wanted:
            await asyncio.sleep(0.02)
        swaps.append((began, time.monotonic()))
        await asyncio.sleep(QUIET_SECONDS)
        rss.append(memory_mb()["VmRSS"])
    load_task.cancel()
    await asyncio.gather(*asking)
    watching.cancel()
    batching.close()
    return report(answers, len(asking), swaps, versions, rss)


def report(
    answers: list[Answer],
    asked: int,
    swaps: list[tuple[float, float]],
    versions: list[str],
    rss: list[int],
) -> dict[str, Any]:
    """The figures, with the machine named."""

    def in_swap(answer: Answer) -> bool:
        return any(began <= answer.answered and answer.asked <= done + 1 for began, done in swaps)

    waits = {True: [0.0], False: [0.0]}
    for answer in answers:
        waits[in_swap(answer)].append(answer.answered - answer.asked)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{torch.get_num_threads()} CPU cores ({platform.machine()}), shared",
        "torch": torch.__version__,
        "swaps": len(swaps),
        "texts": asked,
        "lost": asked - len(answers),
        "of_other_versions": sum(answer.version not in versions for answer in answers),
        "largest_difference_of_one_texts_scores": spread(answers),
        "longest_wait_ms": {
            "during_swaps": round(1000 * max(waits[True])),
            "otherwise": round(1000 * max(waits[False])),
        },
        "median_wait_ms": {
            "during_swaps": round(1000 * sorted(waits[True])[len(waits[True]) // 2]),
            "otherwise": round(1000 * sorted(waits[False])[len(waits[False]) // 2]),
        },
        "seconds_from_promotion_to_swap": {
            "first": round(swaps[0][1] - swaps[0][0], 1),
            "longest_of_the_others": round(max(done - began for began, done in swaps[1:]), 1),
        },
        "rss_mb": {"before": rss[0], "after_each_swap": rss[1:]},
        "peak_rss_mb": memory_mb()["VmHWM"],
    }


def spread(answers: list[Answer]) -> float:
    """How far the scores that one version gave to one text are apart, at most."""
    scores: dict[tuple[str, str], list[float]] = {}
    for answer in answers:
        scores.setdefault((answer.version, answer.text), []).append(answer.positive)
    return round(max(max(values) - min(values) for values in scores.values()), 4)


def prepare(scratch: Path) -> Settings:
    """Settings of a data folder and a cache of their own, with the converted base model in it."""
    base = prepare_embedded(Settings().tweetsent_cache_dir, print)
    (scratch / "cache").mkdir()
    (scratch / "cache" / base.name).symlink_to(base)
    return Settings(
        _env_file=None,
        tweetsent_device="cpu",
        tweetsent_database_url=None,
        tweetsent_data_dir=scratch / "data",
        tweetsent_cache_dir=scratch / "cache",
    )


def scaled(scratch: Path, factor: float) -> Path:
    """A copy of the shipped adapter whose update is a little larger or smaller."""
    folder = scratch / str(factor)
    shutil.copytree(shipped_adapter(), folder)
    weights = load_file(folder / WEIGHTS)
    changed = {name: w * factor if "lora_B" in name else w for name, w in weights.items()}
    save_file(changed, folder / WEIGHTS, metadata={"format": "pt"})
    manifest = read_manifest(shipped_adapter())
    digest = sha256_of(folder / WEIGHTS)
    changes = {"version": f"embedded-{digest[:8]}", "files": manifest.files | {WEIGHTS: digest}}
    write_manifest(folder, manifest.model_copy(update=changes))
    return folder


def memory_mb() -> dict[str, int]:
    """This process's VmRSS and VmHWM, as Linux tells them."""
    status = Path("/proc/self/status").read_text()
    return {name: int(kb) // 1024 for name, kb in re.findall(r"(Vm\w+):\s+(\d+) kB", status)}


if __name__ == "__main__":
    main(int(sys.argv[1]))
