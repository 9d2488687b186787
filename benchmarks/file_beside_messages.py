"""What a file that is being labelled costs those who write meanwhile.

    python -m benchmarks.file_beside_messages ROWS

The embedded model labels a file of so many different rows of lengths like those of tweets; single
texts come one a second, first alone, then beside the file until it is through, with the real
batching. Writes file_beside_messages.json beside this file, where the figures of each number of
rows are kept.
"""

import asyncio
import json
import platform
import random
import statistics
import sys
import time
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import torch

from benchmarks.hot_swap import TEXTS
from tweetsent.batching import BatchingClassifier
from tweetsent.classifier import load_classifier
from tweetsent.settings import Settings

QUIET_TEXTS = 20
"""How many texts are asked for without the file."""
SECONDS_BETWEEN = 1.0
WORDS = (4, 30)
"""How many words a row has, at least and at most."""


def main(rows: int) -> None:
    """Measure, and add the result to what is there."""
    result = asyncio.run(measure(rows))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    path = Path(__file__).with_suffix(".json")
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[f"{rows} rows"] = result
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


async def measure(rows: int) -> dict[str, Any]:
    """The figures of one run."""
    settings = Settings(_env_file=None, tweetsent_device="cpu")
    batching = BatchingClassifier(load_classifier(settings, print), remembered=0)
    texts = cycle(TEXTS)
    for text in TEXTS:  # the first ones are slow
        await batching.classify(text)

    async def wait_of_one() -> float:
        asked = time.monotonic()
        await batching.classify(next(texts))
        waited = time.monotonic() - asked
        await asyncio.sleep(max(0.0, SECONDS_BETWEEN - waited))
        return waited

    alone = [await wait_of_one() for _ in range(QUIET_TEXTS)]
    began = time.monotonic()
    labelling = asyncio.create_task(label(batching, made_up(rows)))
    beside = []
    while not labelling.done():
        beside.append(await wait_of_one())
    seconds = await labelling - began
    batching.close()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{torch.get_num_threads()} CPU cores ({platform.machine()}), shared",
        "torch": torch.__version__,
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds, 1),
        "texts": {"without_the_file": len(alone), "beside_the_file": len(beside)},
        "median_wait_ms": {
            "without_the_file": round(1000 * statistics.median(alone)),
            "beside_the_file": round(1000 * statistics.median(beside)),
        },
        "longest_wait_ms": {
            "without_the_file": round(1000 * max(alone)),
            "beside_the_file": round(1000 * max(beside)),
        },
    }


async def label(batching: BatchingClassifier, texts: list[str]) -> float:
    """Score all texts; returns when that was done."""
    async for _ in batching.classify_all(texts):
        pass
    return time.monotonic()


def made_up(rows: int) -> list[str]:
    """So many different texts, always the same."""
    words = [word for text in TEXTS for word in text.split()]
    chance = random.Random(0)
    return [
        f"{number} {' '.join(chance.choices(words, k=chance.randint(*WORDS)))}"
        for number in range(rows)
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]))
