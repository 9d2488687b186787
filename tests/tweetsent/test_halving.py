"""Batches in halves; a function that refuses large ones stands for a full GPU."""

from collections.abc import Callable, Sequence

import pytest
import torch

from tweetsent.halving import run_halving


def fitting(largest: int, sizes: list[int]) -> Callable[[Sequence[int]], torch.Tensor]:
    """Scores up to `largest` rows and notes how many it was given."""

    def score(rows: Sequence[int]) -> torch.Tensor:
        sizes.append(len(rows))
        if len(rows) > largest:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return torch.tensor([[float(row)] * 3 for row in rows])

    return score


@pytest.mark.parametrize(
    ("largest", "sizes"), [(7, [7]), (4, [7, 3, 4]), (2, [7, 3, 1, 2, 4, 2, 2])]
)
def test_a_batch_is_halved_until_it_fits(largest: int, sizes: list[int]) -> None:
    tried: list[int] = []
    result = run_halving(fitting(largest, tried), range(7))

    assert result[:, 0].tolist() == list(range(7))
    assert tried == sizes


def test_rows_may_have_to_go_one_by_one() -> None:
    tried: list[int] = []
    assert run_halving(fitting(1, tried), range(7))[:, 0].tolist() == list(range(7))
    assert tried.count(1) == 7


def test_a_row_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.cuda.OutOfMemoryError):
        run_halving(fitting(0, []), range(4))


def test_other_errors_are_not_met_by_halving() -> None:
    def fail(_: Sequence[int]) -> torch.Tensor:
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="assert"):
        run_halving(fail, range(4))
