"""Lines of standard input, without a thread that would outlive the conversation."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TextIO

from bot.stopping import unless

_CHUNK_BYTES = 65536


async def read_lines(
    stdin: TextIO, stop: asyncio.Event, before_each: Callable[[], None]
) -> AsyncIterator[str]:
    """The lines until the end of input, or until `stop` is set.

    Bytes that are no UTF-8 become replacement characters. `before_each` runs before each wait.
    """
    descriptor = _descriptor(stdin)
    if descriptor is None:
        for text in _buffered_lines(stdin):
            if stop.is_set():
                return
            yield text
        return
    pending = b""
    while True:
        *lines, pending = pending.split(b"\n")
        for line in lines:
            if stop.is_set():
                return
            yield line.decode("utf-8", "replace")
        if stop.is_set():
            return
        before_each()
        chunk = await unless(stop, _read_chunk(descriptor))
        if not chunk:
            break
        pending += chunk
    if pending and not stop.is_set():
        yield pending.decode("utf-8", "replace")


def _descriptor(stdin: TextIO) -> int | None:
    """The file descriptor when the event loop can wait for it: a terminal, pipe or socket."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = stdin.fileno()
        loop.add_reader(descriptor, lambda: None)
    except (OSError, NotImplementedError, io.UnsupportedOperation):
        return None
    loop.remove_reader(descriptor)
    return descriptor


def _buffered_lines(stdin: TextIO) -> Iterator[str]:
    """Lines of a file or of memory, where reading never waits."""
    if isinstance(stdin, io.TextIOWrapper):
        return (line.decode("utf-8", "replace") for line in stdin.buffer)
    return iter(stdin)


async def _read_chunk(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _CHUNK_BYTES)
