"""The processes of one run, one device each: a single one, or those of `accelerate launch`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch


@contextmanager
def join(device: torch.device) -> Iterator[tuple[torch.device, bool]]:
    """This process's device, and whether it is the one that writes and tells."""
    from accelerate import PartialState

    # The others wait while the first one measures, however long that takes.
    state = PartialState(cpu=device.type == "cpu", timeout=timedelta(days=1))
    yield (state.device if device.type == "cuda" else device), bool(state.is_main_process)
    # Not after an error: the others may be waiting for this one, and it would wait for them.
    state.destroy_process_group()
