"""Packed rows: every prompt scores as it does alone, in whatever row it lies."""

from itertools import chain
from typing import Any

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from tests.architectures import MODELS, ROWS, randomised
from tweetsent.errors import ModelError
from tweetsent.model import LabelScorer, pad_right
from tweetsent.packed import PackedScorer, pack

CPU = torch.device("cpu")
IDS = [10, 20, 30]


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return randomised(MODELS[request.param]()).eval()


def scores(scorer: PackedScorer, rows: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        return scorer.start(rows)()


def test_a_row_knows_where_its_prompts_begin_and_end() -> None:
    row = pack([[5, 6, 7], [8], [9, 1]])
    assert row.ids.tolist() == [5, 6, 7, 8, 9, 1]
    assert row.positions.tolist() == [0, 1, 2, 0, 0, 1]
    assert row.offsets.tolist() == [0, 3, 4, 6]
    assert row.last.tolist() == [2, 3, 5]
    assert row.offsets.dtype == torch.int32


def test_packed_prompts_score_as_padded_ones(model: Any) -> None:
    with torch.inference_mode():
        padded = LabelScorer(model, IDS)(*pad_right(ROWS, CPU))
    packed = scores(PackedScorer(model, IDS, longest=16), ROWS)
    assert packed.dtype == torch.float32
    torch.testing.assert_close(packed, padded, atol=1e-4, rtol=1e-4)
    assert (torch.cdist(packed, packed) + torch.eye(len(ROWS)) > 0.01).all()


def test_companions_and_their_order_change_nothing(model: Any) -> None:
    scorer = PackedScorer(model, IDS, longest=16)
    together = scores(scorer, ROWS)
    for row, prompt in zip(together, ROWS, strict=True):
        torch.testing.assert_close(row, scores(scorer, [prompt])[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(scores(scorer, ROWS[::-1]), together.flip(0), atol=1e-4, rtol=1e-4)


def test_rows_are_filled_in_order_and_a_prompt_that_is_too_long_has_its_own(model: Any) -> None:
    scorer = PackedScorer(model, IDS, longest=16)
    scorer.most_tokens, scorer.most_prompts = 8, 3
    prompts = [[1] * size for size in (3, 5, 1, 1, 1, 1, 9, 2)]
    rows = list(scorer.rows(iter(prompts)))
    assert list(chain.from_iterable(rows)) == prompts
    assert [[len(prompt) for prompt in row] for row in rows] == [[3, 5], [1, 1, 1], [1], [9], [2]]
    assert list(scorer.rows([])) == []


def test_a_model_that_carries_a_state_from_prompt_to_prompt_is_refused() -> None:
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=100, hidden_size=32, num_hidden_layers=2, state_size=4)
    model: Any = randomised(MambaForCausalLM(config)).eval()
    with pytest.raises(ModelError, match="this base model can't be"):
        PackedScorer(model, IDS, longest=16)
