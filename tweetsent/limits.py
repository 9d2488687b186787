"""Keeps a process that works in the background from taking the machine away from the bot."""

import os
import resource

_NICENESS = 10
_GB = 10**9


def limit_this_process(threads: int | None, memory_gb: float | None) -> int:
    """Few threads, low priority and a bound on memory, from now on; returns the threads.

    To be called before a library that counts the cores is imported. `threads` None is half of the
    cores; `memory_gb` None is no bound. Beyond the bound memory can't be allocated, which ends the
    process with an error instead of the machine.
    """
    count = threads or max(1, (os.cpu_count() or 1) // 2)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(count)
    os.environ["TOKENIZERS_PARALLELISM"] = "false" if count == 1 else "true"
    os.nice(_NICENESS)
    if memory_gb is not None:
        size = int(memory_gb * _GB)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    return count
