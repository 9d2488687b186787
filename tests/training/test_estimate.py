"""What is counted is what the loaded model has; more work takes more time, less memory says so."""

from dataclasses import replace

import pytest
import torch

from tests.sentences import SENTENCES
from training import estimate as module
from training.data import Example, LabelledData
from training.estimate import Estimate, Shape, estimate, memory_bytes, shape_of
from training.memory import Memory, load_trainable
from training.plan import Plan, make_plan
from training.settings import TrainingSettings
from tweetsent.adapter import Dataset
from tweetsent.model import BaseModel

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(lora_rank=4)


def planned(rows: list[Example]) -> Plan:
    def part(name: str, examples: list[Example]) -> LabelledData:
        return LabelledData(Dataset(name=name, sha256="0" * 64, rows=len(examples)), examples)

    return make_plan([part("a.csv", rows)], [part("v.csv", [Example("Ölçülen.", rows[0].label)])])


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is always as fast as before."""
    monkeypatch.setattr(module, "_matrix_rate", lambda *_: 1e9)


def estimated(
    base: BaseModel,
    settings: TrainingSettings = SETTINGS,
    memory: Memory = Memory.FAST,
    rows: list[Example] = SENTENCES,
) -> Estimate:
    return estimate(planned(rows), base, settings, memory, CPU)


def test_the_shape_is_that_of_the_loaded_model(tiny_base: BaseModel) -> None:
    shape = shape_of(tiny_base, SETTINGS.lora_rank)
    model = load_trainable(tiny_base, SETTINGS, Memory.FAST, CPU)
    adapter = [p.numel() for p in model.parameters() if p.requires_grad]
    frozen = [p.numel() for p in model.parameters() if not p.requires_grad]
    adapted = [
        parameter.numel()
        for name, parameter in model.named_parameters()
        if name.endswith("base_layer.weight")
    ]
    assert shape == Shape(
        linear=sum(adapted),
        other=sum(frozen) - sum(adapted),
        layers=2,
        hidden=64,
        adapter=sum(adapter),
    )
    assert len(adapted) == 14


def test_a_higher_rank_has_a_larger_adapter_and_the_same_base(tiny_base: BaseModel) -> None:
    four, eight = shape_of(tiny_base, 4), shape_of(tiny_base, 8)
    assert eight == replace(four, adapter=2 * four.adapter)


def test_low_needs_less_memory_and_more_time_than_fast(tiny_base: BaseModel) -> None:
    fast, low = (estimated(tiny_base, memory=memory) for memory in (Memory.FAST, Memory.LOW))
    assert low.memory_bytes < fast.memory_bytes
    assert low.seconds == pytest.approx(1.5 * fast.seconds)
    assert (fast.memory, low.memory) == (Memory.FAST, Memory.LOW)


@pytest.mark.parametrize("itemsize", [2, 4])
@pytest.mark.parametrize("tokens", [1, 1000, 30_000])
def test_low_needs_less_memory_for_a_model_of_any_use(itemsize: int, tokens: int) -> None:
    shape = Shape(linear=440_000_000, other=156_000_000, layers=28, hidden=1024, adapter=10_000_000)
    fast, low = (memory_bytes(shape, mode, itemsize, tokens) for mode in (Memory.FAST, Memory.LOW))
    assert low < fast
    assert memory_bytes(shape, Memory.FAST, itemsize, tokens + 1) > fast


def test_auto_is_said_as_what_it_means_here(tiny_base: BaseModel) -> None:
    auto = estimated(tiny_base, memory=Memory.AUTO)
    assert auto == estimated(tiny_base, memory=Memory.FAST)


def test_twice_the_rows_take_about_twice_the_time(tiny_base: BaseModel) -> None:
    # Letters turned around: of the same lengths, and no copies.
    more = [*SENTENCES, *(Example(row.text[::-1], row.label) for row in SENTENCES)]
    one, two = estimated(tiny_base), estimated(tiny_base, rows=more)
    assert two.seconds == pytest.approx(2 * one.seconds, rel=0.35)
    assert two.seconds > one.seconds


def test_each_epoch_takes_its_time(tiny_base: BaseModel) -> None:
    once = estimated(tiny_base, replace(SETTINGS, epochs=1)).seconds
    assert estimated(tiny_base, replace(SETTINGS, epochs=5)).seconds == pytest.approx(5 * once)


@pytest.mark.parametrize(
    ("seconds", "size", "line"),
    [
        (0.0, 3e6, "about 1 s of training and under 0.1 GiB of memory (--memory low)"),
        (89.4, 2**30, "about 89 s of training and 1.0 GiB of memory (--memory low)"),
        (600.0, 2.5 * 2**30, "about 10 min of training and 2.5 GiB of memory (--memory low)"),
        (9000.0, 40 * 2**30, "about 2.5 h of training and 40.0 GiB of memory (--memory low)"),
    ],
)
def test_the_line_is_for_people(seconds: float, size: float, line: str) -> None:
    assert Estimate(seconds, size, Memory.LOW).line() == line


def test_the_speed_of_the_device_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert module._matrix_rate(CPU, torch.float32) > 1e6
