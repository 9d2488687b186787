"""Attention without a mask: causal in padded rows, and within each prompt of a packed one."""

from typing import Any

import pytest
import torch

from tests.architectures import MODELS, ROWS, randomised
from tweetsent.attention import attend_without_mask
from tweetsent.model import LabelScorer, pad_right

CPU = torch.device("cpu")


@pytest.fixture(params=MODELS)
def plain(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return randomised(MODELS[request.param]())


def test_attention_without_a_mask_gives_the_same_logits_for_rows_padded_on_the_right(
    plain: Any,
) -> None:
    plain.eval()
    scorer = LabelScorer(plain, [10, 20, 30])
    with torch.inference_mode():
        expected = scorer(*pad_right(ROWS, CPU))
        attend_without_mask(plain)
        got = scorer(*pad_right(ROWS, CPU))
        alone = torch.cat([scorer(*pad_right([row], CPU)) for row in ROWS])
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got, alone, atol=1e-4, rtol=1e-4)
    assert (torch.cdist(got, got) + torch.eye(3) > 0.01).all()


def test_attention_without_a_mask_is_not_given_one(plain: Any) -> None:
    seen = []
    attend_without_mask(plain)
    layer = plain.get_decoder().layers[0].self_attn
    layer.register_forward_pre_hook(
        lambda _, __, named: seen.append(named["attention_mask"]), with_kwargs=True
    )
    LabelScorer(plain, [10, 20, 30])(*pad_right(ROWS, CPU))
    assert seen == [None]
