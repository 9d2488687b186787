"""The processes of one run, one device each: a single one, or those of `accelerate launch`."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def join(device: torch.device) -> Iterator[tuple[torch.device, bool]]:
    """This process's device, and whether it is the one that writes and tells."""
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu")
    try:
        yield (state.device if device.type == "cuda" else device), bool(state.is_main_process)
    finally:
        if state.num_processes > 1:
            state.destroy_process_group()
