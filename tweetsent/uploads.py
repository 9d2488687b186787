"""Reads a stranger's file in a process of its own, which has little memory and time.

What a file makes a parser do is known only once it does it: a few kilobytes of .xlsx can be an
hour's work or take all memory, and then only that process ends.
"""

import asyncio
import pickle
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tweetsent.errors import DataError, Flaw
from tweetsent.labelling import read_upload
from tweetsent.limits import limit_memory

if TYPE_CHECKING:
    import pandas as pd

CPU_SECONDS = 60
"""Far more than 20 MB of an honest file take; a busy machine doesn't count."""
_MEMORY_GB = 1.5
_READER = (sys.executable, "-m", __name__)


async def read_apart(path: Path, most_rows: int) -> "pd.DataFrame":
    """The table in a file, as `read_upload` reads it.

    Raises DataError, also for what takes too long or too much memory.
    """
    process = await asyncio.create_subprocess_exec(
        *_READER,
        str(path),
        str(most_rows),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        answer, _ = await process.communicate()
    finally:
        if process.returncode is None:  # the file was cancelled, or the bot stops
            process.kill()
            await process.wait()
    if process.returncode == -signal.SIGXCPU:
        raise DataError(f"{path}: takes more than {CPU_SECONDS} s to read", Flaw.SLOW)
    if process.returncode:
        reason = f"its reader ended with {process.returncode}: memory may have run out"
        raise DataError(f"{path}: can't be read: {reason}", Flaw.UNPACKED_SIZE)
    outcome = await asyncio.to_thread(pickle.loads, answer)
    if isinstance(outcome, DataError):
        raise outcome
    return cast("pd.DataFrame", outcome)


def _main(path: str, most_rows: str) -> None:
    import pandas  # noqa: F401 - to be there before memory is short

    limit_memory(_MEMORY_GB)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    outcome: pd.DataFrame | DataError
    try:
        outcome = read_upload(Path(path), int(most_rows))
    except DataError as error:
        outcome = error
    pickle.dump(outcome, sys.stdout.buffer)


if __name__ == "__main__":
    _main(*sys.argv[1:])
