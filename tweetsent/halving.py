"""Batches that the memory of a GPU decides about: what does not fit is scored in halves."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


def run_halving(score: Callable[[Sequence[T]], torch.Tensor], rows: Sequence[T]) -> torch.Tensor:
    """`score(rows)`, put together from as few parts as fit into the GPU's memory.

    Raises torch.cuda.OutOfMemoryError when not even a single row does.
    """
    try:
        return score(rows)
    except torch.cuda.OutOfMemoryError:
        if len(rows) == 1:
            raise
    # Not within `except`: the error's traceback holds the tensors that are in the way.
    torch.cuda.empty_cache()
    middle = len(rows) // 2
    return torch.cat([run_halving(score, rows[:middle]), run_halving(score, rows[middle:])])
