"""Reads a stranger's file in a process of its own, which has little memory and time.

What a file makes a parser do is known only once it does it: a few kilobytes of .xlsx can be an
hour's work or take all memory, and then only that process ends.
"""

import asyncio
import json
import resource
import signal
import sys
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetsent.errors import DataError, Flaw
from tweetsent.files import SHEETS, Sheets
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
        start_new_session=True,  # Ctrl-C is for the bot, which takes the file up again later
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
    return await asyncio.to_thread(_unpacked, answer)


def _main(path: str, most_rows: str) -> None:
    import pandas  # noqa: F401 - to be there before memory is short

    limit_memory(_MEMORY_GB)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    try:
        outcome = _packed(read_upload(Path(path), int(most_rows)))
    except DataError as error:
        outcome = {"error": str(error), "flaw": error.flaw, "line": error.line}
    sys.stdout.buffer.write(json.dumps(outcome).encode())


def _packed(table: "pd.DataFrame") -> dict[str, Any]:
    """A table as JSON: who takes over the parser can lie in it, but not run code here."""
    attrs = dict(table.attrs)
    sheets = attrs.pop(SHEETS, None)
    return {
        "columns": list(table.columns),
        "rows": table.to_numpy().tolist(),
        "attrs": attrs,
        "sheets": sheets and astuple(sheets),
    }


def _unpacked(answer: bytes) -> "pd.DataFrame":
    import pandas as pd

    outcome = json.loads(answer)
    if "error" in outcome:
        flaw = outcome["flaw"]
        raise DataError(outcome["error"], None if flaw is None else Flaw(flaw), outcome["line"])
    table = pd.DataFrame(outcome["rows"], dtype=str)
    table.columns = pd.Index(outcome["columns"])
    table.attrs |= outcome["attrs"]
    if outcome["sheets"]:
        title, others, hidden = outcome["sheets"]
        table.attrs[SHEETS] = Sheets(title, tuple(others), tuple(hidden))
    return table


if __name__ == "__main__":
    _main(*sys.argv[1:])
