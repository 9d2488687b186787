"""How long answers take while a retraining run is at work, on a CPU.

    python -m benchmarks.answers_during_run FILE TEXT_COLUMN LABEL_COLUMN LABEL_MAP

Texts come one by one to the embedded model as it serves, first alone on the machine, then beside a
real `tweetsent retrain` in its training, then beside its evaluation, then alone again. The rows of
FILE are its base data, some of them its corrections. Writes answers_during_run.json beside this
file.
"""

import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.hot_swap import TEXTS
from training.data import Example, Source, parse_label_map, read_labelled
from training.duplicates import resolve_duplicates
from tweetsent.batching import BatchingClassifier
from tweetsent.classifier import load_classifier
from tweetsent.database import create_engine_for, upgrade
from tweetsent.labels import LABELS, Scores
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import Incoming, Run, RunState, RunStep
from tweetsent.runs import Runs
from tweetsent.settings import Settings
from tweetsent.store import Store

SECONDS = 40.0
PAUSE_SECONDS = 0.3
"""Between an answer and the next text: a chat, not a flood."""
BASE_ROWS, CORRECTIONS, TEST_ROWS = 150, 60, 300


async def measure(folder: Path, rows: list[Example]) -> dict[str, Any]:
    """The figures of one run in an empty folder."""
    settings = prepare(folder, rows)
    runs = Runs(create_engine_for(settings.database_url))
    batching = BatchingClassifier(load_classifier(settings, lambda _: None), remembered=0)
    await answers(batching, 5.0)  # the first ones warm up
    before = await answers(batching, SECONDS)
    run = subprocess.Popen(
        [sys.executable, "-m", "tweetsent", "retrain"],
        env=os.environ | environment(settings),
        stderr=subprocess.DEVNULL,
    )
    try:
        await until(runs, run, RunStep.TRAINING)
        training = await answers(batching, SECONDS)
        assert newest(runs).step is RunStep.TRAINING
        await until(runs, run, RunStep.EVALUATION)
        evaluation = await answers(batching, SECONDS / 2)
        assert newest(runs).state is RunState.RUNNING
    finally:
        run.terminate()
        run.wait()
    after = await answers(batching, SECONDS)
    batching.close()
    alone = statistics.median([*before, *after])
    return {
        "machine": f"{os.cpu_count()} CPU cores ({platform.machine()}), shared",
        "torch": torch.__version__,
        "threads_of_the_run": max(1, (os.cpu_count() or 1) // 2),
        "before": figures(before, alone),
        "during_training": figures(training, alone),
        "during_evaluation": figures(evaluation, alone),
        "after": figures(after, alone),
    }


async def answers(batching: BatchingClassifier, seconds: float) -> list[float]:
    """Seconds that each answer took."""
    texts, waits = cycle(TEXTS), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = time.monotonic()
        await batching.classify(next(texts))
        waits.append(time.monotonic() - asked)
        await asyncio.sleep(PAUSE_SECONDS)
    return waits


def figures(waits: list[float], alone: float) -> dict[str, float]:
    """Milliseconds, and the median as a multiple of that without a run."""
    median = statistics.median(waits)
    return {
        "answers": len(waits),
        "median_ms": round(1000 * median, 1),
        "p95_ms": round(1000 * sorted(waits)[int(0.95 * len(waits))], 1),
        "longest_ms": round(1000 * max(waits), 1),
        "median_against_alone": round(median / alone, 2),
    }


async def until(runs: Runs, process: subprocess.Popen[bytes], step: RunStep) -> None:
    """Wait for a step that has begun to work."""
    while True:
        found = runs.list(1)
        if found and found[0].step is step and found[0].done:
            return
        if process.poll() is not None:
            raise RuntimeError(f"the run ended before its {step}")
        await asyncio.sleep(0.2)


def newest(runs: Runs) -> Run:
    """The run."""
    return runs.list(1)[0]


def prepare(folder: Path, rows: list[Example]) -> Settings:
    """A data folder with base data, test data and users' corrections."""
    base, test = rows[:BASE_ROWS], rows[BASE_ROWS : BASE_ROWS + TEST_ROWS]
    for name, part in (("base", base), ("test", test)):
        frame = pd.DataFrame([(row.text, row.label.value) for row in part])
        frame.to_csv(folder / f"{name}.csv", index=False, header=["text", "label"])
    settings = Settings(
        _env_file=None,
        tweetsent_device="cpu",
        tweetsent_data_dir=folder / "data",
        tweetsent_base_data=folder / "base.csv",
        tweetsent_test_data=(folder / "test.csv",),
    )
    upgrade(settings.database_url)
    store = Store(create_engine_for(settings.database_url), Pseudonymiser(load_key(settings)))
    for number, row in enumerate(rows[-CORRECTIONS:]):
        user = 100 + number % 40
        store.set_consent(user, True)
        prediction = store.save_prediction(
            Incoming(user, user, number, row.text),
            Scores(*(0.2 if label is row.label else 0.4 for label in LABELS)),
            model_version="m",
            prompt_version="p",
            latency_ms=1.0,
        )
        store.correct(user, prediction.id, row.label)
    store.close()
    return settings


def environment(settings: Settings) -> dict[str, str]:
    """The settings for a process of its own."""
    return {
        "TWEETSENT_DEVICE": "cpu",
        "TWEETSENT_DATA_DIR": str(settings.tweetsent_data_dir),
        "TWEETSENT_BASE_DATA": str(settings.tweetsent_base_data),
        "TWEETSENT_TEST_DATA": ",".join(map(str, settings.tweetsent_test_data)),
    }


def main(file: str, text: str, label: str, codes: str) -> None:
    """Measure, print and keep."""
    source = Source(Path(file), text, label, parse_label_map(codes))
    rows = resolve_duplicates(read_labelled(source).examples).kept
    with tempfile.TemporaryDirectory() as scratch:
        result = asyncio.run(measure(Path(scratch), rows))
    shown = json.dumps(result, indent=2)
    sys.stdout.write(f"{shown}\n")
    Path(__file__).with_suffix(".json").write_text(f"{shown}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
