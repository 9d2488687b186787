"""The whole way on the CPU: files, tiny Qwen3 in NF4, adapter folder, verified reload, answers."""

import hashlib
import json
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
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
from training.qlora import Progress, TrainingSettings
from training.run import Listener, train
from tweetsent.adapter import Dataset, read_manifest
from tweetsent.classifier import load_from
from tweetsent.errors import DataError, ModelError
from tweetsent.labels import LABELS
from tweetsent.model import BaseModel
from tweetsent.prompt import Prompt

CPU = torch.device("cpu")
NEGATIVE, NEUTRAL, POSITIVE = LABELS
SETTINGS = TrainingSettings(
    epochs=2, batch_size=8, learning_rate=1e-2, lora_rank=4, lora_alpha=8, seed=5
)
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

    def listener(self, on_step: Callable[[Progress], None] | None = None) -> Listener:
        return Listener(say=self.lines.append, on_step=on_step or self.steps.append)


def labelled(name: str, examples: list[Example]) -> LabelledData:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return LabelledData(Dataset(name=name, sha256=sha256, rows=len(examples)), examples)


def train_small(base: BaseModel, output: Path, listener: Listener | None = None) -> None:
    """One epoch on half of the sentences, measured on a quarter."""
    train(
        [labelled("a.csv", TRAIN)],
        [labelled("v.csv", FIRST_VALID)],
        base,
        replace(SETTINGS, epochs=1),
        output,
        CPU,
        listener or Heard().listener(),
    )


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
    results = train(data, valid, tiny_base, SETTINGS, folder, CPU, heard.listener())
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
) -> tuple[list[Example], str]:
    heard = Heard()
    with pytest.raises(ModelError, match="far enough"):
        train(data, valid, base, SETTINGS, folder / "adapter", CPU, heard.listener())
    return quick[0], "\n".join(heard.lines)


def test_the_folder_holds_the_adapter_its_card_and_its_reports(trained: Trained) -> None:
    files = {str(p.relative_to(trained.folder)) for p in trained.folder.rglob("*") if p.is_file()}
    assert files == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "tweetsent.json",
        "README.md",
        "evaluation/bir.json",
        "evaluation/bir.png",
        "evaluation/iki.json",
        "evaluation/iki.png",
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
        return float(-torch.tensor(odds).log().mean())

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

    listener = Listener(say=die_late, on_step=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        train_small(tiny_base, tmp_path / "new", listener)
    assert list(tmp_path.iterdir()) == []


def test_an_output_below_a_file_is_refused(tiny_base: BaseModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    output = tmp_path / "file" / "adapter"
    with pytest.raises(DataError, match="can't be made"):
        train_small(tiny_base, output)


def test_the_rows_of_the_plan_are_trained_on_and_its_lines_said(
    quick: list[list[Example]], tiny_base: BaseModel, tmp_path: Path
) -> None:
    data = [labelled("a", SENTENCES), labelled("b", [Example(SENTENCES[8].text, POSITIVE)])]
    valid = [labelled("v", [Example(SENTENCES[0].text.upper(), NEGATIVE)])]
    rows, said = rows_for_training(quick, tiny_base, tmp_path, data, valid)
    plan = make_plan(data, valid)
    assert rows == plan.examples
    assert [row.text for row in rows] == [
        row.text for row in SENTENCES if row not in (SENTENCES[0], SENTENCES[8])
    ]
    assert said.splitlines() == plan.lines()


def test_without_a_validation_file_some_rows_are_held_out_and_measured(
    tiny_base: BaseModel, tmp_path: Path
) -> None:
    heard = Heard()
    settings = replace(SETTINGS, epochs=1)
    data = [labelled("a.csv", MANY), labelled("b.csv", MANY[:3])]
    results = train(data, [], tiny_base, settings, tmp_path / "adapter", CPU, heard.listener())
    manifest = read_manifest(tmp_path / "adapter")
    assert list(results) == list(manifest.metrics) == ["held-out"]
    held_out = manifest.datasets[-1]
    assert (held_out.name, len(held_out.sha256)) == ("held-out", 64)
    assert results["held-out"].metrics.n == held_out.rows > 0
    assert any(f"{len(MANY) - held_out.rows} rows to train on" in line for line in heard.lines)


def test_rows_of_a_single_label_are_refused(
    quick: list[list[Example]], tiny_base: BaseModel, tmp_path: Path
) -> None:
    data = [labelled("a", SENTENCES[:8])]
    valid = [labelled("v", SENTENCES[8:])]
    with pytest.raises(DataError, match="at least two different labels"):
        train(data, valid, tiny_base, SETTINGS, tmp_path / "x", CPU, Heard().listener())
    assert quick == []
    assert list(tmp_path.iterdir()) == []


def test_too_few_rows_to_hold_any_out_ask_for_a_file(
    quick: list[list[Example]], tiny_base: BaseModel, tmp_path: Path
) -> None:
    alike = [Example(f"Hisse {n} bugün çok yükseldi", LABELS[n % 2]) for n in range(10)]
    with pytest.raises(DataError, match="--valid"):
        train(
            [labelled("a", alike)], [], tiny_base, SETTINGS, tmp_path / "x", CPU, Heard().listener()
        )
    assert quick == []


@pytest.mark.parametrize("names", [("v.csv", "v.csv"), ("v.csv", "v.xlsx")])
def test_validation_files_whose_reports_would_replace_each_other_are_refused(
    quick: list[list[Example]], tiny_base: BaseModel, tmp_path: Path, names: tuple[str, str]
) -> None:
    valid = [labelled(names[0], FIRST_VALID), labelled(names[1], SECOND_VALID)]
    data = [labelled("a", TRAIN)]
    with pytest.raises(DataError, match="need different names"):
        train(data, valid, tiny_base, SETTINGS, tmp_path / "x", CPU, Heard().listener())
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
    assert list(tmp_path.iterdir()) == []
