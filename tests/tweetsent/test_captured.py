"""The scorer of a device: plain on a CPU; on a GPU captured graphs, which score the same."""

import copy
from typing import Any

import pytest
import torch

from tests.architectures import MODELS, ROWS, randomised
from tweetsent.captured import CapturedScorer, make_scorer
from tweetsent.packed import PackedScorer

IDS = [10, 20, 30]
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no NVIDIA GPU")


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return randomised(MODELS[request.param]()).eval()


def test_on_a_cpu_the_layers_are_fused_and_score_as_before(model: Any) -> None:
    said: list[str] = []
    plain = PackedScorer(copy.deepcopy(model), IDS, longest=16)
    fused = make_scorer(model, IDS, 16, said.append)
    assert type(fused) is PackedScorer
    assert "forward" in vars(model.get_decoder().norm)
    with torch.inference_mode():
        expected = plain.start(ROWS)()
        torch.testing.assert_close(fused.start(ROWS)(), expected, atol=1e-4, rtol=1e-4)
    assert said == []


@on_gpu
@pytest.mark.parametrize("compiles", [True, False])
def test_on_a_gpu_captured_graphs_score_as_plain_passes(
    compiles: bool, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def fail(*_: Any, **__: Any) -> Any:
        def no_compiler(*_: Any, **__: Any) -> Any:
            raise RuntimeError("Failed to find C compiler\nand more")

        return no_compiler

    if not compiles:
        monkeypatch.setattr(torch, "compile", fail)
    model = model.to("cuda", torch.bfloat16)
    plain = PackedScorer(copy.deepcopy(model), IDS, longest=16)
    captured = make_scorer(model, IDS, 16, said.append)
    assert isinstance(captured, CapturedScorer)
    reason = "answering more slowly, layers can't be compiled: Failed to find C compiler"
    assert said == ([] if compiles else [reason])
    many = ROWS * 40
    with torch.inference_mode():
        expected = plain.start(many)()
        waits = [captured.start(row) for row in captured.rows(many)]
        got = torch.cat([wait() for wait in waits])
        again = captured.start(ROWS)()
    torch.testing.assert_close(got, expected, atol=0.1, rtol=0.1)
    torch.testing.assert_close(again, expected[: len(ROWS)], atol=0.1, rtol=0.1)
