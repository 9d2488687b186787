"""Two processes on the CPU, started by torchrun: together they are one run.

On a CPU `accelerate launch` leaves it to MPI to start more than one; on GPUs it does as torchrun.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.runs import CPU, PLAIN, compute_in_float32, difference, run
from training.processes import join
from tweetsent.model import BaseModel

ROOT = Path(__file__).parents[2]
SETTINGS = replace(PLAIN, batch_size=5, patience=3)  # 3 rows here, 2 there
NOISY = replace(SETTINGS, lora_dropout=0.2, epochs=2)

SCRIPT = """
import json, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from tests.training.runs import Run, at_call, run
from tests.training.test_processes import NOISY, SETTINGS
from training.processes import join
from tweetsent import model
from tweetsent.errors import StoppedError

base_folder, out = sys.argv[1], Path(sys.argv[2])
torch.set_num_threads(1)
model._cpu_computes_in_bf16 = lambda: False
with join(torch.device("cpu")) as (device, is_main):
    name = "first" if is_main else "second"
    base = model.find_base_model(base_folder, out / name, print)
    heard, stopped, resumed = Run(), Run(), Run()
    run(base, SETTINGS, heard=heard)

    def stop(settings, processes, checkpoint, heard):
        asked = at_call(2) if name in processes else lambda: False
        try:
            run(base, settings, stop=asked, checkpoint=checkpoint, heard=heard)
        except StoppedError as error:
            return str(error)

    messages = [
        stop(SETTINGS, {"second"}, None, Run()),
        stop(SETTINGS, {"first"}, out / "checkpoint", stopped),
    ]
    run(base, SETTINGS, checkpoint=out / "checkpoint", heard=resumed)
    noisy = run(base, NOISY)
    further = run(base, SETTINGS, start=Path(sys.argv[3]))
    told = {
        "device": str(device),
        "losses": heard.losses,
        "scores": heard.scores,
        "measured": len(heard.snapshots),
        "messages": messages,
        "resumed": resumed.said,
        "epoch": heard.trained.epoch,
        "noisy": noisy.losses,
        "further": further.losses,
    }
    weights = {"weights": heard.weights, "resumed": resumed.weights, "noisy": noisy.weights}
    weights["further"] = further.weights
    save_file(weights, out / f"{name}.safetensors")
    (out / f"{name}.json").write_text(json.dumps(told))
"""


class Told:
    """What the two processes wrote, the first one's before the second's."""

    def __init__(self, folder: Path) -> None:
        names = ("first", "second")
        self.facts = [json.loads((folder / f"{name}.json").read_text()) for name in names]
        self.tensors = [load_file(folder / f"{name}.safetensors") for name in names]

    def both(self, fact: str) -> list[Any]:
        return [facts[fact] for facts in self.facts]


@pytest.fixture(scope="module")
def two(
    tiny_base: BaseModel,
    tiny_adapters: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Told:
    folder = tmp_path_factory.mktemp("two")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    launcher = subprocess.Popen(
        [sys.executable, *torchrun, script, tiny_base.name, folder, tiny_adapters[0]],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, errors = launcher.communicate(timeout=120)  # one may wait for the other for ever
    finally:
        launcher.terminate()  # and its processes with it, which a kill would leave
        launcher.wait()
    assert launcher.returncode == 0, errors[-5000:]
    return Told(folder)


def test_alone_the_only_process_is_the_one_that_tells() -> None:
    with join(CPU) as (device, is_main):
        assert (device, is_main) == (CPU, True)
    with join(CPU) as again:
        assert again == (CPU, True)


def test_an_error_passes_through() -> None:
    with pytest.raises(KeyError, match="lost"), join(CPU):
        raise KeyError("lost")


def test_one_of_them_tells_and_both_have_a_device(two: Told) -> None:
    assert two.both("device") == ["cpu", "cpu"]


def test_two_processes_have_the_same_weights(two: Told) -> None:
    first, second = two.tensors
    for name in ("weights", "resumed", "noisy", "further"):
        assert torch.equal(first[name], second[name])


def test_without_dropout_they_have_the_weights_of_one_process_up_to_rounding(
    two: Told, tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_in_float32(monkeypatch)
    alone = run(tiny_base, SETTINGS)
    for losses in two.both("losses"):
        assert losses == pytest.approx(alone.losses, rel=1e-3)
    assert difference(two.tensors[0]["weights"], alone.weights) < 0.01


def test_both_start_from_an_adapter(
    two: Told,
    tiny_base: BaseModel,
    tiny_adapters: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compute_in_float32(monkeypatch)
    alone = run(tiny_base, SETTINGS, start=tiny_adapters[0])
    for losses in two.both("further"):
        assert losses == pytest.approx(alone.losses, rel=1e-3)
    assert difference(two.tensors[0]["further"], alone.weights) < 0.01


def test_only_the_first_measures_and_both_hear_the_scores(
    two: Told, tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_in_float32(monkeypatch)
    first, second = two.both("scores")
    assert two.both("measured") == [3, 0]
    assert first == second
    assert [step for step, _ in first] == [2, 4, 6]
    alone = run(tiny_base, SETTINGS)
    values = [scores["few.csv"] for _, scores in alone.scores]
    assert [scores["few.csv"] for _, scores in first] == pytest.approx(values, rel=1e-2)
    assert two.both("epoch") == [alone.trained.epoch] * 2 if alone.trained else []


def test_a_stop_asked_of_either_stops_both(two: Told) -> None:
    for of_second, of_first in two.both("messages"):
        assert of_second == "stopped after step 2 of 6"
        assert of_first.startswith("stopped after step 2 of 6; the same command goes on from ")


def test_both_go_on_from_the_checkpoint_of_the_first(two: Told) -> None:
    for said in two.both("resumed"):
        assert len(said) == 1
        assert said[0].startswith("going on from step 2 of 6")
    assert torch.equal(two.tensors[0]["resumed"], two.tensors[0]["weights"])


def test_the_processes_drop_differently(
    two: Told, tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_in_float32(monkeypatch)
    alone = run(tiny_base, NOISY)
    first, second = two.both("noisy")
    assert first == second
    assert abs(first[0] - alone.losses[0]) > 1e-4
