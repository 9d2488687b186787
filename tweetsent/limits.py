"""Keeps a process that works in the background from taking the machine away from the bot."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tweetsent.errors import ModelError, TweetsentError

_NICENESS = 10
_GB = 10**9
_OUT_OF_MEMORY = (
    *("out of memory", "can't allocate memory", "Cannot allocate memory", "std::bad_alloc"),
    *("failed to map segment", "can't start new thread"),
)


def limit_this_process(threads: int | None) -> int:
    """Few threads and low priority from now on; returns the threads.

    To be called before a library that counts the cores is imported. `threads` None is half of the
    cores.
    """
    count = threads or max(1, (os.cpu_count() or 1) // 2)
    libraries = ("OMP", "MKL", "OPENBLAS", "RAYON")  # the last one's threads tokenise
    for library in libraries:
        os.environ[f"{library}_NUM_THREADS"] = str(count)
    os.nice(_NICENESS)
    return count


def limit_memory(memory_gb: float | None) -> None:
    """From now on memory beyond the bound can't be allocated: an error, and not a slow machine.

    To be called after the libraries were imported: some hang or crash without memory at that time.
    None is no bound.
    """
    if memory_gb is not None:
        import resource  # where there is no such bound, as on Windows, nothing else misses it

        size = int(memory_gb * _GB)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether this error, or the one it came of, says so; ending a capture hides the first."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
            return True
        error = error.__context__
    return False


@contextmanager
def explaining_memory() -> Iterator[None]:
    """Turn the many errors of a process that gets no more memory into ModelError with one line."""
    try:
        yield
    except TweetsentError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(
            "memory ran out: raise TWEETSENT_RETRAIN_MEMORY_GB or choose a smaller base model"
        ) from error
