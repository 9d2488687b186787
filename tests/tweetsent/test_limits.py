"""Limits of a background process, seen in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys
from tweetsent.limits import limit_memory, limit_this_process
before = os.nice(0)
threads = limit_this_process({threads})
import torch
limit_memory({memory_gb})
torch.set_num_threads(threads)
print(threads, os.environ["OMP_NUM_THREADS"], torch.get_num_threads(), os.nice(0) - before)
try:
    torch.zeros({bytes}, dtype=torch.uint8)
except (RuntimeError, MemoryError) as error:
    print("refused")
"""


def run(threads: int | None = None, memory_gb: float | None = None, size: int = 10) -> list[str]:
    script = SCRIPT.format(threads=threads, memory_gb=memory_gb, bytes=size)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_it_has_few_threads_and_a_low_priority() -> None:
    assert run(threads=1) == ["1", "1", "1", "10"]


def test_by_default_it_leaves_half_of_the_cores_and_memory_within_the_bound_is_given() -> None:
    threads, *others = run(memory_gb=4.0, size=10**9)
    assert int(threads) == max(1, (os.cpu_count() or 1) // 2)
    assert "refused" not in others


def test_memory_beyond_the_bound_is_refused() -> None:
    assert "refused" in run(memory_gb=1.5, size=2 * 10**9)
