"""Training that starts from an adapter: what it begins with, and what it can't start from."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.sentences import SENTENCES
from tests.training.runs import CPU, PLAIN, at_call, run
from tests.tweetsent.adapters import damage, make_adapter
from training import crossfit
from training.average import average
from training.checkpoint import Checkpoint
from training.data import LabelledData
from training.memory import Memory
from training.plan import make_plan
from training.qlora import Listener, fine_tune
from training.run import train
from training.settings import TrainingSettings
from training.start import load_start, read_start
from tweetsent.adapter import CONFIG, MANIFEST, WEIGHTS, Dataset, read_manifest
from tweetsent.classifier import load_from
from tweetsent.errors import DataError, ModelError, StoppedError
from tweetsent.model import BaseModel
from tweetsent.records import Quantization
from tweetsent.sealed import sha256_of

TEXTS = [row.text for row in SENTENCES]
STILL = replace(PLAIN, learning_rate=1e-12)
"""Steps too small to move a weight."""
VALID = [LabelledData(Dataset(name="v.csv", sha256="1" * 64, rows=6), SENTENCES[1::4])]
PLAN = make_plan([LabelledData(Dataset(name="t.csv", sha256="2" * 64, rows=24), SENTENCES)], VALID)


@pytest.fixture(scope="module")
def adapter(tiny_adapters: tuple[Path, Path]) -> Path:
    """Trained for nine steps, of rank 4."""
    return tiny_adapters[0]


@pytest.fixture
def copy(adapter: Path, tmp_path: Path) -> Path:
    """One that a test may change."""
    return shutil.copytree(adapter, tmp_path / "copy")


Training = Callable[..., Path]


@pytest.fixture
def training(tiny_base: BaseModel, tmp_path: Path) -> Training:
    """Trains a whole adapter folder."""

    def call(
        name: str,
        settings: TrainingSettings,
        start: Path | None,
        *,
        memory: Memory = Memory.FAST,
        stop: Callable[[], bool] = lambda: False,
    ) -> Path:
        listener = Listener(lambda _: None, lambda _: None, lambda *_: None, stop)
        train(PLAN, tiny_base, settings, tmp_path / name, CPU, listener, memory, start)
        return tmp_path / name

    return call


def answers(base: BaseModel, folder: Path) -> torch.Tensor:
    return load_from(base, folder, CPU).logits(TEXTS)


def hash_again(folder: Path) -> None:
    """Make the manifest believe in the files as they are."""
    content = json.loads((folder / MANIFEST).read_text("utf-8"))
    content["files"] = {name: sha256_of(folder / name) for name in (WEIGHTS, CONFIG)}
    (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")


# What it begins with


@pytest.mark.parametrize("memory", [Memory.FAST, Memory.LOW])
def test_where_nothing_is_learnt_the_adapter_comes_out_as_it_was(
    memory: Memory, adapter: Path, training: Training
) -> None:
    output = training("still", STILL, adapter, memory=memory)
    assert (output / WEIGHTS).read_bytes() == (adapter / WEIGHTS).read_bytes()


def test_the_manifest_and_the_card_name_what_it_started_from(
    adapter: Path, training: Training
) -> None:
    further = training("further", PLAIN, adapter)
    version = read_manifest(adapter).version
    assert read_manifest(further).started_from == version
    assert f"`{version}`" in (further / "README.md").read_text("utf-8")
    assert read_manifest(adapter).started_from is None


def test_an_average_is_started_from_with_its_own_scale(
    adapter: Path, training: Training, tiny_base: BaseModel, tmp_path: Path
) -> None:
    mean = tmp_path / "mean"
    average([adapter, adapter], tiny_base, 4, VALID, mean, CPU, lambda _: None)
    assert json.loads((mean / CONFIG).read_text())["lora_alpha"] == 4
    still = training("still", STILL, mean)
    assert json.loads((still / CONFIG).read_text())["lora_alpha"] == 8
    assert torch.equal(answers(tiny_base, still), answers(tiny_base, mean))


def test_a_trained_start_is_ahead_of_a_fresh_one(adapter: Path, tiny_base: BaseModel) -> None:
    fresh = run(tiny_base, examples=SENTENCES[::2])
    further = run(tiny_base, examples=SENTENCES[::2], start=adapter)
    assert further.losses[0] < fresh.losses[0] - 0.1
    assert not torch.equal(further.weights, fresh.weights)


def test_the_dropout_is_that_of_the_run(adapter: Path, tiny_base: BaseModel) -> None:
    settings = replace(PLAIN, lora_dropout=0.5)
    dropping = run(tiny_base, settings, start=adapter)
    assert dropping.model.peft_config["default"].lora_dropout == 0.5
    assert abs(dropping.losses[0] - run(tiny_base, start=adapter).losses[0]) > 1e-4


def test_the_folds_of_self_distillation_never_start_from_an_adapter(
    adapter: Path, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[object] = []

    def spy(*rest: object, **named: object) -> object:
        starts.append(named.get("start"))
        return fine_tune(*rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(crossfit, "fine_tune", spy)
    output = training("a", replace(PLAIN, epochs=1, self_distillation=0.5), adapter)
    assert starts == [None] * crossfit.FOLDS
    assert read_manifest(output).started_from == read_manifest(adapter).version


# Stopping and going on


@pytest.mark.parametrize("memory", [Memory.FAST, Memory.LOW])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    memory: Memory, adapter: Path, training: Training
) -> None:
    settings = replace(PLAIN, lora_dropout=0.2, augment=0.5, patience=2)
    whole = training("whole", settings, adapter, memory=memory)
    with pytest.raises(StoppedError):
        training("stopped", settings, adapter, memory=memory, stop=at_call(3))
    resumed = training("stopped", settings, adapter, memory=memory)
    assert (resumed / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, None), (None, 0)])
def test_a_checkpoint_of_another_start_is_refused_and_kept(
    first: int | None,
    second: int | None,
    tiny_adapters: tuple[Path, Path],
    tiny_base: BaseModel,
    tmp_path: Path,
) -> None:
    path = tmp_path / "c"
    before, after = (None if at is None else tiny_adapters[at] for at in (first, second))
    with pytest.raises(StoppedError):
        run(tiny_base, start=before, checkpoint=path, stop=at_call(2))
    kept = path.read_bytes()
    with pytest.raises(DataError, match="is of a run with another --start-from: give that"):
        run(tiny_base, start=after, checkpoint=path)
    assert path.read_bytes() == kept


def test_a_checkpoint_knows_the_weights_and_not_the_folder(
    adapter: Path, copy: Path, tiny_base: BaseModel, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    with pytest.raises(StoppedError):
        run(tiny_base, start=adapter, checkpoint=path, stop=at_call(2))
    assert sha256_of(adapter / WEIGHTS) in str(Checkpoint.load(path, CPU).identity)
    resumed = run(tiny_base, start=copy, checkpoint=path)
    assert torch.equal(resumed.weights, run(tiny_base, start=adapter).weights)


def test_a_checkpoint_of_before_there_were_starts_goes_on(
    tiny_base: BaseModel, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    with pytest.raises(StoppedError):
        run(tiny_base, checkpoint=path, stop=at_call(2))
    old = Checkpoint.load(path, CPU)
    del old.identity["--start-from"]
    old.save(path)
    assert torch.equal(run(tiny_base, checkpoint=path).weights, run(tiny_base).weights)


# What it can't start from


def refusal(folder: Path, base: BaseModel, settings: TrainingSettings = PLAIN) -> str:
    """The one line that a run ends with before it began."""
    with pytest.raises(ModelError) as caught:
        run(base, settings, start=folder)
    message = str(caught.value)
    assert message.startswith(f"adapter {folder}: ")
    assert "\n" not in message
    return message.removeprefix(f"adapter {folder}: ")


def test_what_differs_is_said_with_what_to_do(adapter: Path, tiny_base: BaseModel) -> None:
    assert read_start(adapter, tiny_base, PLAIN) == read_manifest(adapter)
    only = "training can start from it only with "
    rank = replace(PLAIN, lora_rank=8)
    assert refusal(adapter, tiny_base, rank) == f"{only}--lora-rank 4 (here it is 8)"
    other = replace(tiny_base, name="other", revision="0123456789abcdef")
    mine = f"--base-model {tiny_base.name} ({tiny_base.revision[:12]}; here it is other, "
    assert refusal(adapter, other) == f"{only}{mine}0123456789ab)"
    assert refusal(adapter, other, rank).endswith("456789ab) and --lora-rank 4 (here it is 8)")


def test_weights_of_another_quantisation_are_refused(copy: Path, tiny_base: BaseModel) -> None:
    manifest = read_manifest(copy).model_copy(update={"quantization": Quantization.NONE})
    (copy / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    line = refusal(copy, tiny_base)
    assert line.endswith("only with a base model quantised as none (here it is nf4)")


def test_a_misfit_is_refused_before_any_training(
    adapter: Path, training: Training, tmp_path: Path
) -> None:
    settings = replace(PLAIN, lora_rank=2, self_distillation=0.5)
    with pytest.raises(ModelError, match=r"only with --lora-rank 4 \(here it is 2\)"):
        training("a", settings, adapter)
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights_are_refused(copy: Path, tiny_base: BaseModel, tmp_path: Path) -> None:
    damage(copy)
    assert refusal(copy, tiny_base) == f"{WEIGHTS} is damaged (its hash differs)"
    assert refusal(tmp_path / "nothing", tiny_base) == f"there is no {MANIFEST}"


@pytest.mark.parametrize("change", ["missing", "left over", "shape"])
def test_other_layers_are_refused_and_not_passed_over(
    change: str, copy: Path, tiny_base: BaseModel
) -> None:
    weights = load_file(copy / WEIGHTS)
    name, weight = next(iter(weights.items()))
    if change == "missing":
        del weights[name]
    elif change == "left over":
        weights[name.replace("layers.0", "layers.9")] = weight.clone()
    else:
        weights[name] = weight[:, :-1].contiguous()
    save_file(weights, copy / WEIGHTS)
    hash_again(copy)
    assert refusal(copy, tiny_base) == "its layers are not those that are trained"


@pytest.mark.parametrize(
    "change", [{"peft_type": "IA3"}, {"use_rslora": True}, {"alpha_pattern": {"q_proj": 3}}]
)
def test_adapters_whose_update_is_scaled_otherwise_are_refused(
    change: dict[str, object], copy: Path, tiny_base: BaseModel
) -> None:
    config = json.loads((copy / CONFIG).read_text())
    (copy / CONFIG).write_text(json.dumps(config | change))
    hash_again(copy)
    assert refusal(copy, tiny_base) == f"{CONFIG} is not that of a plain LoRA"


def test_a_configuration_that_says_nothing_is_refused(tiny_base: BaseModel, tmp_path: Path) -> None:
    assert refusal(make_adapter(tmp_path, "v"), tiny_base).startswith(CONFIG)


def test_weights_are_loaded_in_whatever_type_the_model_has(
    adapter: Path, tiny_base: BaseModel
) -> None:
    from training.memory import load_trainable

    model = load_trainable(tiny_base, PLAIN, Memory.FAST, CPU).float()
    load_start(model, adapter)
    stored = load_file(adapter / WEIGHTS)
    loaded = {
        name.replace(".default", ""): p for name, p in model.named_parameters() if p.requires_grad
    }
    assert loaded.keys() == stored.keys()
    assert all(torch.equal(loaded[name], weight.float()) for name, weight in stored.items())
