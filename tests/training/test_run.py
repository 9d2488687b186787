"""The whole way on the CPU: files, tiny Qwen3 in NF4, adapter folder, verified reload, answers."""

import hashlib
import json
import math
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from peft import PeftModel

from tests.sentences import SENTENCES
from training import run as run_module
from training.data import Example, LabelledData
from training.evaluation import Evaluation, evaluate
from training.plan import make_plan
from training.qlora import Listener, Progress, fine_tune
from training.run import checkpoint_of, train
from training.settings import TrainingSettings
from tweetsent.adapter import Dataset, read_manifest
from tweetsent.classifier import load_from
from tweetsent.errors import DataError, ModelError, StoppedError
from tweetsent.labels import LABELS
from tweetsent.model import BaseModel
from tweetsent.prompt import Prompt

CPU = torch.device("cpu")
NEGATIVE, NEUTRAL, POSITIVE = LABELS
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-2, lora_rank=4, seed=5)
WITH_CHANCE = replace(SETTINGS, lora_dropout=0.2, augment=0.5, patience=2)
TRAIN, FIRST_VALID, SECOND_VALID = SENTENCES[::2], SENTENCES[1::4], SENTENCES[3::4]
MANY = [Example(f"{day}. gün: {row.text}", row.label) for day in (1, 2, 3) for row in SENTENCES]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("training opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@dataclass
class Heard:
    """What a run said."""

    lines: list[str] = field(default_factory=list)
    steps: list[Progress] = field(default_factory=list)
    scores: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def listener(
        self,
        on_step: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Listener:
        return Listener(
            say=self.lines.append,
            on_step=on_step or self.steps.append,
            on_scores=lambda step, scores: self.scores.append((step, scores)),
            should_stop=should_stop,
        )


def labelled(name: str, examples: list[Example]) -> LabelledData:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return LabelledData(Dataset(name=name, sha256=sha256, rows=len(examples)), examples)


SMALL = make_plan([labelled("a.csv", TRAIN)], [labelled("v.csv", FIRST_VALID)])
"""Half of the sentences, measured on a quarter."""


def train_small(base: BaseModel, output: Path, listener: Listener | None = None) -> None:
    """One epoch of two steps."""
    settings = replace(SETTINGS, epochs=1)
    train(SMALL, base, settings, output, CPU, listener or Heard().listener())


def stopping_at(call: int) -> Callable[[], bool]:
    """Says that the run should stop when it is asked for the n-th time and from then on."""
    calls = count(1)
    return lambda: next(calls) >= call


@dataclass
class Trained:
    """A finished run."""

    folder: Path
    results: dict[str, Evaluation]
    heard: Heard


@pytest.fixture(scope="module")
def trained(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run with two validation files; the tests only look at it."""
    folder = tmp_path_factory.mktemp("run") / "new" / "adapter"
    heard = Heard()
    data = [labelled("egitim.csv", TRAIN)]
    valid = [labelled("bir.csv", FIRST_VALID), labelled("iki.xlsx", SECOND_VALID)]
    plan = make_plan(data, valid)
    results = train(plan, tiny_base, SETTINGS, folder, CPU, heard.listener())
    return Trained(folder, results, heard)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[list[Example]]:
    """Ends a run where training would begin and keeps the rows that it would have got."""
    rows: list[list[Example]] = []

    def stop(_: BaseModel, examples: list[Example], *__: object, **___: object) -> NoReturn:
        rows.append(examples)
        raise ModelError("that is far enough")

    monkeypatch.setattr(run_module, "fine_tune", stop)
    return rows


def rows_for_training(
    quick: list[list[Example]],
    base: BaseModel,
    folder: Path,
    data: list[LabelledData],
    valid: list[LabelledData],
) -> list[Example]:
    heard = Heard()
    with pytest.raises(ModelError, match="far enough"):
        train(make_plan(data, valid), base, SETTINGS, folder / "adapter", CPU, heard.listener())
    return quick[0]


def test_the_folder_holds_the_adapter_its_card_and_its_reports(trained: Trained) -> None:
    files = {str(p.relative_to(trained.folder)) for p in trained.folder.rglob("*") if p.is_file()}
    assert files == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "tweetsent.json",
        "README.md",
        "evaluation/bir.json",
        "evaluation/bir.png",
        "evaluation/bir-reliability.png",
        "evaluation/iki.json",
        "evaluation/iki.png",
        "evaluation/iki-reliability.png",
        "evaluation/learning-curves.png",
    }
    assert [path.name for path in trained.folder.parent.iterdir()] == ["adapter"]
    for picture in trained.folder.glob("evaluation/*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_manifest_says_what_was_done(trained: Trained, tiny_base: BaseModel) -> None:
    manifest = read_manifest(trained.folder)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        content = (trained.folder / name).read_bytes()
        assert manifest.files[name] == hashlib.sha256(content).hexdigest()
    weights = manifest.files["adapter_model.safetensors"]
    assert manifest.version == f"tiny-qwen3-{weights[:8]}"
    assert (manifest.base_model, manifest.base_revision) == (tiny_base.name, tiny_base.revision)
    assert manifest.prompt == Prompt()
    assert manifest.training == asdict(SETTINGS)
    assert [(d.name, d.rows) for d in manifest.datasets] == [
        ("egitim.csv", 12),
        ("bir.csv", 6),
        ("iki.xlsx", 6),
    ]
    assert manifest.datasets[0].sha256 == hashlib.sha256(b"egitim.csv").hexdigest()
    assert "CPU cores" in manifest.machine
    assert manifest.training_seconds > 0
    for name in ("torch", "transformers", "peft", "bitsandbytes"):
        assert manifest.libraries[name] == version(name)


def test_the_metrics_are_the_same_everywhere(trained: Trained) -> None:
    manifest = read_manifest(trained.folder)
    assert list(trained.results) == list(manifest.metrics) == ["bir.csv", "iki.xlsx"]
    for name, result in trained.results.items():
        assert result.as_dict()["model"] == manifest.version
        assert manifest.metrics[name] == result.as_dict()
        report = trained.folder / "evaluation" / f"{Path(name).stem}.json"
        assert json.loads(report.read_text("utf-8")) == result.as_dict()


def test_the_card_is_about_this_run(trained: Trained) -> None:
    card = (trained.folder / "README.md").read_text("utf-8")
    manifest = read_manifest(trained.folder)
    assert card.startswith(f"# {manifest.version}\n")
    assert f"temperature {manifest.temperature}" in card
    for name, result in trained.results.items():
        assert f"| {name} | 6 | {result.metrics.accuracy:.3f} |" in card


def test_read_back_it_answers_as_it_was_measured(trained: Trained, tiny_base: BaseModel) -> None:
    classifier = load_from(tiny_base, trained.folder, CPU)
    assert classifier.version == read_manifest(trained.folder).version
    again = evaluate(classifier, FIRST_VALID)
    measured = trained.results["bir.csv"]
    assert torch.allclose(
        torch.tensor(again.probabilities), torch.tensor(measured.probabilities), atol=1e-4
    )
    assert again.metrics.confusion_matrix.tolist() == measured.metrics.confusion_matrix.tolist()


def test_the_adapter_was_what_answered(trained: Trained, tiny_base: BaseModel) -> None:
    texts = [row.text for row in FIRST_VALID]
    adapted = load_from(tiny_base, trained.folder, CPU).logits(texts)
    assert (adapted - load_from(tiny_base, None, CPU).logits(texts)).abs().max() > 0.1


def test_the_temperature_fits_the_validation_rows(trained: Trained, tiny_base: BaseModel) -> None:
    classifier = load_from(tiny_base, trained.folder, CPU)
    rows = [*FIRST_VALID, *SECOND_VALID]

    def surprise(temperature: float) -> float:
        classifier.temperature = temperature
        scores = classifier.classify([row.text for row in rows])
        odds = [score.of(row.label) for score, row in zip(scores, rows, strict=True)]
        prior = math.log(temperature) ** 2 / 2
        return float(-torch.tensor(odds).log().sum()) + prior

    fitted = read_manifest(trained.folder).temperature
    assert fitted != 1.0
    # The fit stops at 0.2 and 10.
    others = [t for t in (0.8 * fitted, 1.25 * fitted) if 0.2 <= t <= 10]
    assert others
    assert all(surprise(fitted) < surprise(other) for other in others)


def test_each_epoch_is_measured_on_each_validation_file(trained: Trained) -> None:
    epochs = [line.split(": accuracy")[0] for line in trained.heard.lines if "epoch" in line]
    assert epochs == [
        "epoch 1: bir.csv",
        "epoch 1: iki.xlsx",
        "epoch 2: bir.csv",
        "epoch 2: iki.xlsx",
    ]
    assert [step.step for step in trained.heard.steps] == [2, 4]
    assert [step for step, _ in trained.heard.scores] == [2, 4]
    for (_, scores), step in zip(trained.heard.scores, (1, 2), strict=True):
        for name, score in scores.items():
            line = next(x for x in trained.heard.lines if x.startswith(f"epoch {step}: {name}"))
            assert line.endswith(f"macro-F1 {score:.3f}")


def test_an_existing_output_is_refused_before_any_training(
    quick: list[list[Example]], tiny_base: BaseModel, tmp_path: Path
) -> None:
    output = tmp_path / "adapter"
    output.mkdir()
    (output / "precious").write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        train_small(tiny_base, output)
    assert quick == []
    assert [path.name for path in output.iterdir()] == ["precious"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_a_run_that_dies_leaves_nothing_behind(
    tiny_base: BaseModel, tmp_path: Path, error: type[BaseException]
) -> None:
    def die(_: Progress) -> NoReturn:
        assert not (tmp_path / "adapter").exists()
        raise error

    with pytest.raises(error):
        train_small(tiny_base, tmp_path / "adapter", Heard().listener(die))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_dies_at_the_end_leaves_nothing_under_its_name(
    tiny_base: BaseModel, tmp_path: Path
) -> None:
    def die_late(line: str) -> None:
        if "reading the adapter back" in line:
            assert list(tmp_path.glob("*/*/adapter_model.safetensors"))  # it is all but done
            raise KeyboardInterrupt

    listener = replace(Heard().listener(), say=die_late)
    with pytest.raises(KeyboardInterrupt):
        train_small(tiny_base, tmp_path / "new", listener)
    assert list(tmp_path.iterdir()) == [tmp_path / "new.checkpoint"]
    heard = Heard()
    train_small(tiny_base, tmp_path / "new", heard.listener())
    assert heard.steps == []  # it went on where nothing was left to train
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_second_run_into_the_same_output_is_refused_and_harms_nothing(
    tiny_base: BaseModel, tmp_path: Path
) -> None:
    output = tmp_path / "adapter"

    def start_another(_: Progress) -> None:
        with pytest.raises(DataError, match=r"another run is writing .*adapter"):
            train_small(tiny_base, output)

    train_small(tiny_base, output, Heard().listener(start_another))
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    read_manifest(output)


def test_a_self_distilled_run_trains_towards_what_the_others_say(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_on: list[list[Example]] = []

    def spy(base: BaseModel, examples: list[Example], *rest: object, **named: object) -> object:
        trained_on.append(examples)
        return fine_tune(base, examples, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "fine_tune", spy)
    settings = replace(SETTINGS, epochs=1, self_distillation=0.5)
    plan = make_plan([labelled("a.csv", SENTENCES)], [labelled("v.csv", [Example("Eh", NEUTRAL)])])
    output = tmp_path / "adapter"
    heard = Heard()
    stopping = heard.listener(should_stop=stopping_at(17))  # 5 folds of 3 steps, then the last
    with pytest.raises(StoppedError):
        train(plan, tiny_base, settings, output, CPU, stopping)
    assert {path.name for path in tmp_path.iterdir()} == {"adapter.folds", "adapter.checkpoint"}
    train(plan, tiny_base, settings, output, CPU, heard.listener())
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    assert [line for line in heard.lines if line.startswith("going on from step 2 of 3")]
    first, again = trained_on
    assert again == first
    assert [(row.text, row.label) for row in first] == [(row.text, row.label) for row in SENTENCES]
    expected = [row.expected for row in first]
    assert all(sum(probabilities or ()) == pytest.approx(1) for probabilities in expected)
    assert len(set(expected)) == len(SENTENCES)
    assert read_manifest(output).training["self_distillation"] == 0.5


def test_an_output_below_a_file_is_refused(tiny_base: BaseModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    output = tmp_path / "file" / "adapter"
    with pytest.raises(DataError, match="can't be made"):
        train_small(tiny_base, output)


def test_the_rows_of_the_plan_are_trained_on(
    quick: list[list[Example]], tiny_base: BaseModel, tmp_path: Path
) -> None:
    data = [labelled("a", SENTENCES), labelled("b", [Example(SENTENCES[8].text, POSITIVE)])]
    valid = [labelled("v", [Example(SENTENCES[0].text.upper(), NEGATIVE)])]
    rows = rows_for_training(quick, tiny_base, tmp_path, data, valid)
    assert rows == make_plan(data, valid).examples
    assert [row.text for row in rows] == [
        row.text for row in SENTENCES if row not in (SENTENCES[0], SENTENCES[8])
    ]


def test_without_a_validation_file_some_rows_are_held_out_and_measured(
    tiny_base: BaseModel, tmp_path: Path
) -> None:
    heard = Heard()
    settings = replace(SETTINGS, epochs=1)
    data = [labelled("a.csv", MANY), labelled("b.csv", MANY[:3])]
    plan = make_plan(data, [])
    results = train(plan, tiny_base, settings, tmp_path / "adapter", CPU, heard.listener())
    manifest = read_manifest(tmp_path / "adapter")
    assert list(results) == list(manifest.metrics) == ["held-out"]
    held_out = manifest.datasets[-1]
    assert (held_out.name, len(held_out.sha256)) == ("held-out", 64)
    assert results["held-out"].metrics.n == held_out.rows > 0
    assert [data.name for data in manifest.datasets] == ["a.csv", "b.csv", "held-out"]


@pytest.mark.parametrize("names", [("v.csv", "v.csv"), ("v.csv", "v.xlsx")])
def test_validation_files_whose_reports_would_replace_each_other_are_refused(
    quick: list[list[Example]], tiny_base: BaseModel, tmp_path: Path, names: tuple[str, str]
) -> None:
    valid = [labelled(names[0], FIRST_VALID), labelled(names[1], SECOND_VALID)]
    data = [labelled("a", TRAIN)]
    with pytest.raises(DataError, match="need different names"):
        train(make_plan(data, valid), tiny_base, SETTINGS, tmp_path / "x", CPU, Heard().listener())
    assert quick == []


def test_a_damaged_draft_is_never_published(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = PeftModel.save_pretrained

    def forgetful(self: PeftModel, folder: str, **options: object) -> None:
        save(self, folder, **options)
        path = Path(folder) / "adapter_config.json"
        path.write_text(path.read_text().replace('q_proj"', 'x_proj"'))

    monkeypatch.setattr(PeftModel, "save_pretrained", forgetful)
    with pytest.raises(ModelError, match=r"layers are not those|does not fit"):
        train_small(tiny_base, tmp_path / "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "x.checkpoint"]


def weights_of(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of SMALL that nothing stopped, two epochs of two steps."""
    folder = tmp_path_factory.mktemp("whole") / "adapter"
    train(SMALL, tiny_base, WITH_CHANCE, folder, CPU, Heard().listener())
    return folder


@pytest.mark.parametrize(
    ("call", "step"),
    [(1, 1), (2, 2), (5, 4)],
    ids=["in an epoch", "at the end of an epoch", "while measuring"],
)
def test_a_stopped_run_goes_on_to_the_same_bytes(
    tiny_base: BaseModel, tmp_path: Path, whole: Path, call: int, step: int
) -> None:
    output, heard = tmp_path / "adapter", Heard()
    stopped = Heard().listener(should_stop=stopping_at(call))
    with pytest.raises(StoppedError, match=r"^stopped after .* goes on from .*adapter\.checkpoint"):
        train(SMALL, tiny_base, WITH_CHANCE, output, CPU, stopped)
    assert list(tmp_path.iterdir()) == [checkpoint_of(output)]
    train(SMALL, tiny_base, WITH_CHANCE, output, CPU, heard.listener())
    assert heard.lines[0] == f"going on from step {step} of 4 ({checkpoint_of(output)})"
    assert weights_of(output) == weights_of(whole)
    assert list(tmp_path.iterdir()) == [output]
    first, second = read_manifest(whole), read_manifest(output)
    assert (first.epoch, first.temperature) == (second.epoch, second.temperature)
    curves = Path("evaluation") / "learning-curves.png"
    assert (output / curves).read_bytes() == (whole / curves).read_bytes()


@pytest.fixture
def unfinished(tiny_base: BaseModel, tmp_path: Path) -> Path:
    """The output of a run that was stopped after its first step."""
    output = tmp_path / "adapter"
    with pytest.raises(StoppedError):
        train_small(tiny_base, output, Heard().listener(should_stop=lambda: True))
    return output


def test_a_checkpoint_of_other_settings_rows_or_measurements_is_refused_and_stays(
    tiny_base: BaseModel, unfinished: Path
) -> None:
    content = checkpoint_of(unfinished).read_bytes()
    settings = replace(SETTINGS, epochs=1)
    data = [labelled("a.csv", TRAIN)]
    for plan, other, what in [
        (SMALL, replace(settings, seed=6), "--seed"),
        (make_plan([labelled("a.csv", TRAIN[1:])], SMALL.valid), settings, "set of rows"),
        (make_plan(data, [labelled("v.csv", SECOND_VALID)]), settings, "set of rows"),
    ]:
        with pytest.raises(DataError, match=f"is of a run with another {what}"):
            train(plan, tiny_base, other, unfinished, CPU, Heard().listener())
    assert checkpoint_of(unfinished).read_bytes() == content
    assert not unfinished.exists()


def test_a_damaged_checkpoint_is_refused_and_stays(tiny_base: BaseModel, unfinished: Path) -> None:
    path = checkpoint_of(unfinished)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="is damaged; delete it to start from the beginning"):
        train_small(tiny_base, unfinished)
    assert path.exists()


def test_without_patience_the_last_epoch_is_recorded(trained: Trained) -> None:
    assert read_manifest(trained.folder).epoch == SETTINGS.epochs
    assert "the weights are those of epoch 2;" in (trained.folder / "README.md").read_text("utf-8")
    assert not any("are kept" in line for line in trained.heard.lines)


def test_training_stops_when_it_gets_no_better_and_says_which_weights_are_kept(
    tiny_base: BaseModel, tmp_path: Path
) -> None:
    # With such a rate nothing is learnt: every epoch scores the same, and the last one is kept.
    settings = replace(SETTINGS, epochs=9, learning_rate=1e-9, patience=2)
    heard = Heard()
    train(SMALL, tiny_base, settings, tmp_path / "a", CPU, heard.listener())
    assert [step for step, _ in heard.scores] == [2, 4, 6]
    assert "stopped early: the weights of epoch 3, the best, are kept" in heard.lines
    assert read_manifest(tmp_path / "a").epoch == 3
    card = (tmp_path / "a" / "README.md").read_text("utf-8")
    assert "the weights are those of epoch 3;" in card
