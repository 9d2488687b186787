"""`predict`, `evaluate` and `train`, with the tiny Qwen3 where a model is needed."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.cli.conftest import Failing, Result, Running
from tests.sentences import SENTENCES
from training.data import Example
from tweetsent import cli
from tweetsent.adapter import read_manifest, shipped_adapter
from tweetsent.cli import console
from tweetsent.labels import LABELS, Label

CODES = {Label.NEUTRAL: 0, Label.NEGATIVE: 1, Label.POSITIVE: 2}
MAP = "0=neutral,1=negative,2=positive"
EVALUATION = [
    "n",
    "accuracy",
    "macro_f1",
    "weighted_f1",
    "mcc",
    "ece",
    "per_class",
    "confusion_matrix",
    "seconds",
    "messages_per_second",
    "model",
    "two_class_accuracy",
    "intervals",
    "breakdown",
]


@pytest.fixture
def named(empty_home: Path) -> Path:
    """A CSV of sentences with label names."""
    path = empty_home / "named.csv"
    frame = pd.DataFrame([(row.text, row.label.turkish) for row in SENTENCES])
    frame.to_csv(path, index=False, header=["text", "label"], sep=";", encoding="cp1254")
    return path


@pytest.fixture
def coded(empty_home: Path) -> Path:
    """A workbook of other columns, with integer codes."""
    path = empty_home / "coded.xlsx"
    frame = pd.DataFrame([(f"Dün: {row.text}", CODES[row.label]) for row in SENTENCES])
    frame.to_excel(path, index=False, header=["tweet", "duygu"])
    return path


@pytest.fixture
def texts(empty_home: Path) -> Path:
    path = empty_home / "texts.csv"
    path.write_text("no,mesaj\n1,Çok güzeldi\n2,\n3,=SUM(1)\n", encoding="utf-8")
    (empty_home / "empty.csv").touch()
    (empty_home / "vague.csv").write_text("a,b\nbir iki üç,iki üç dört\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter for the tiny model, made by the command line."""
    folder = tmp_path_factory.mktemp("trained")
    data, valid, output = folder / "rows.jsonl", folder / "valid.jsonl", folder / "adapter"
    rows = [json.dumps({"text": row.text, "label": row.label}) + "\n" for row in SENTENCES]
    data.write_text("".join(rows))
    valid.write_text("".join(rows[::3]))
    arguments = f"train --data {data} --valid {valid} --output {output} --base-model {tiny_folder}"
    assert cli.run([*arguments.split(), "--epochs", "1"]) == 0
    return output


# predict


def test_texts_are_answered_in_json_and_nothing_else(tweetsent: Running, tiny: Path) -> None:
    result = tweetsent("predict", "Bugün harika!", "  Berbat\u200b bir gün ", "--json")
    assert result.code == 0
    answers = json.loads(result.out)
    assert [answer["text"] for answer in answers] == ["Bugün harika!", "  Berbat\u200b bir gün "]
    for answer in answers:
        assert list(answer) == ["text", "label", "label_tr", "scores", "model"]
        assert list(answer["scores"]) == ["negative", "neutral", "positive"]
        assert sum(answer["scores"].values()) == pytest.approx(1)
        best = max(answer["scores"], key=answer["scores"].get)
        assert (answer["label"], answer["label_tr"]) == (best, Label(best).turkish)
        assert answer["model"] == f"{tiny}-untrained"
    assert "there is no adapter" in result.err


def test_texts_are_answered_for_people_in_a_line_each(tweetsent: Running, tiny: Path) -> None:
    result = tweetsent("predict", "Bugün  harika!", "Berbat")
    first, second = result.out.splitlines()
    assert first.split()[0] in {label.turkish for label in LABELS}
    assert first.endswith("%  Bugün harika!")
    assert second.endswith("%  Berbat")


def test_an_adapter_is_named_by_its_folder_or_by_the_setting(
    tweetsent: Running, trained: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(*options: str) -> Any:
        return json.loads(tweetsent("predict", "Bugün harika!", "--json", *options).out)

    untrained = predict()
    named = predict("--model", str(trained))
    monkeypatch.setenv("TWEETSENT_ADAPTER", str(trained))
    assert predict() == named
    assert named[0]["model"] == read_manifest(trained).version
    assert named[0]["scores"] != untrained[0]["scores"]


def test_a_file_becomes_a_workbook_with_results_beside_its_columns(
    tweetsent: Running, texts: Path, tiny: Path
) -> None:
    arguments = ["predict", "--input", str(texts), "--text-column", "mesaj", "--output", "out.xlsx"]
    result = tweetsent(*arguments)
    assert (result.code, result.out) == (0, "")
    assert "rows without a text stay without a label: 1" in result.err
    table = pd.read_excel("out.xlsx", keep_default_na=False)
    assert list(table.columns) == [
        "no",
        "mesaj",
        "tweetsent_label",
        "tweetsent_label_tr",
        "tweetsent_negative",
        "tweetsent_neutral",
        "tweetsent_positive",
        "tweetsent_model",
    ]
    assert table["mesaj"].tolist() == ["Çok güzeldi", "", "=SUM(1)"]
    assert table["tweetsent_label"][1] == table["tweetsent_negative"][1] == ""
    (answer,) = json.loads(tweetsent("predict", "Çok güzeldi", "--json").out)
    row = table.iloc[0]
    assert (row["tweetsent_label"], row["tweetsent_label_tr"]) == (
        answer["label"],
        answer["label_tr"],
    )
    for label in LABELS:
        assert row[f"tweetsent_{label}"] == pytest.approx(answer["scores"][label], abs=0.02)


def test_a_file_without_an_output_is_answered_on_stdout(
    tweetsent: Running, texts: Path, tiny: Path
) -> None:
    result = tweetsent("predict", "--input", str(texts), "--text-column", "mesaj", "--json")
    assert [answer["text"] for answer in json.loads(result.out)] == ["Çok güzeldi", "=SUM(1)"]


def test_long_work_without_a_terminal_says_where_it_is(
    tweetsent: Running, texts: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_LINE_SECONDS", 0.0)
    result = tweetsent("predict", "--input", str(texts), "--text-column", "mesaj")
    assert "classifying: 2 of 2, 0 s left" in result.err.splitlines()


def test_a_json_list_is_printed_as_it_goes(
    tweetsent: Running, texts: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tweetsent("predict", "Çok güzeldi", "=SUM(1)", "--json").out
    arguments = ["predict", "--input", str(texts), "--text-column", "mesaj", "--json"]
    assert tweetsent(*arguments).out == whole
    answered = tweetsent(*arguments, "--output", "out.csv")
    assert answered.out == whole
    assert "out.csv: 3 rows" in answered.err
    texts.write_text("mesaj\n\n", encoding="utf-8")
    assert tweetsent(*arguments).out == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "either texts or --input"),
        (["metin", "--input", "texts.csv"], "either texts or --input"),
        (["metin", "--output", "out.csv"], "--output goes with --input"),
        ([""], "empty text"),
        (["metin", " \u200b "], "empty text"),
        (["--input", "nothing.csv"], "nothing.csv: there is no such file"),
        (["--input", "."], "unknown kind of file"),
        (["--input", "empty.csv"], "empty.csv: is empty"),
        (["--input", "vague.csv"], "'b' (e.g. 'iki üç dört'); say it with --text-column NAME"),
        (
            ["--input", "texts.csv", "--text-column", "text"],
            "no column 'text'; it has 'no', 'mesaj'",
        ),
        (["--input", "texts.csv", "--output", "out.txt"], "out.txt: unknown kind of file"),
        (["--input", "texts.csv", "--output", "no/such/out.csv"], "there is no folder no/such"),
        (["metin", "--model", "no-such-folder"], "--model no-such-folder: there is no such folder"),
    ],
)
def test_bad_input_is_refused_before_a_model_is_loaded(
    failing: Failing, texts: Path, arguments: list[str], reason: str
) -> None:
    # Loading one would be another error: there is none in this environment.
    assert reason in failing("predict", *arguments)


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.jsonl", "x.parquet"])
def test_an_unreadable_file_is_one_line(failing: Failing, empty_home: Path, name: str) -> None:
    (empty_home / name).write_bytes(b"\x81\x8d\x00\xff{")
    assert name in failing("predict", "--input", name)


def test_a_base_model_that_is_not_there_is_one_line(failing: Failing) -> None:
    assert "/there/is/no/model" in failing("predict", "metin", code=1)


def spoil_weights(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00\x00")


def cut_manifest(folder: Path) -> None:
    path = folder / "tweetsent.json"
    path.write_bytes(path.read_bytes()[:100])


def drop_manifest(folder: Path) -> None:
    (folder / "tweetsent.json").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (spoil_weights, "adapter_model.safetensors is damaged"),
        (cut_manifest, "tweetsent.json can't be read"),
        (drop_manifest, "there is no tweetsent.json"),
    ],
)
@pytest.mark.parametrize("by_setting", [True, False])
def test_a_corrupt_adapter_is_never_used(
    failing: Failing,
    trained: Path,
    tiny: Path,
    empty_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Any,
    reason: str,
    by_setting: bool,
) -> None:
    folder = empty_home / "adapter"
    shutil.copytree(trained, folder)
    damage(folder)
    if by_setting:
        monkeypatch.setenv("TWEETSENT_ADAPTER", str(folder))
    options = [] if by_setting else ["--model", str(folder)]
    assert reason in failing("predict", "metin", *options, code=1)


def test_an_unknown_adapter_in_the_setting_is_one_line(
    failing: Failing, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEETSENT_ADAPTER", "no/such/adapter")
    line = failing("predict", "metin", code=2)
    assert "TWEETSENT_ADAPTER names no folder: no/such/adapter" in line


def test_an_adapter_of_another_base_model_is_refused(failing: Failing, tiny: Path) -> None:
    line = failing("predict", "metin", "--model", str(shipped_adapter()), code=1)
    assert "was trained on embedded" in line
    assert str(tiny) in line


# evaluate


def test_an_evaluation_in_json_is_the_contract(
    tweetsent: Running, coded: Path, tiny: Path, empty_home: Path
) -> None:
    options = ["--text-column", "tweet", "--label-column", "duygu", "--label-map", MAP]
    result = tweetsent("evaluate", "--data", str(coded), *options, "--json", "--report", "new/r")
    assert result.code == 0
    shape = json.loads(result.out)
    assert list(shape) == EVALUATION
    assert shape["n"] == 24
    assert [sum(row) for row in shape["confusion_matrix"]] == [8, 8, 8]  # rows are the truth
    assert {key: value["support"] for key, value in shape["per_class"].items()} == {
        "negative": 8,
        "neutral": 8,
        "positive": 8,
    }
    folder = empty_home / "new" / "r"
    assert sorted(path.name for path in folder.iterdir()) == [
        "coded-reliability.png",
        "coded.json",
        "coded.png",
    ]
    assert json.loads((folder / "coded.json").read_text("utf-8")) == shape


def test_the_label_map_decides_what_is_right(tweetsent: Running, coded: Path, tiny: Path) -> None:
    def matrix(label_map: str) -> Any:
        options = ["--text-column", "tweet", "--label-column", "duygu", "--label-map", label_map]
        return json.loads(tweetsent("evaluate", "--data", str(coded), *options, "--json").out)[
            "confusion_matrix"
        ]

    right, turned = matrix(MAP), matrix("0=neutral,2=negative,1=positive")
    assert turned == right[::-1]
    assert right != right[::-1]


def test_an_evaluation_for_people_names_file_and_labels(
    tweetsent: Running, named: Path, tiny: Path
) -> None:
    result = tweetsent("evaluate", "--data", str(named))
    head, *rows = result.out.splitlines()
    assert head.startswith("named.csv: n 24, accuracy 0.")
    assert [row.split()[0] for row in rows[:3]] == ["negative", "neutral", "positive"]
    assert "  by characters" in rows


EVALUATE = "evaluate --data coded.xlsx --text-column tweet --label-column duygu"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("evaluate --data nothing.xlsx", "there is no such file"),
        ("evaluate --data coded.xlsx", '--label-map "0=?,1=?,2=?"'),
        (EVALUATE.replace("tweet", "text"), "no column 'text'; it has 'tweet', 'duygu'"),
        (EVALUATE.replace("duygu", "label"), "no column 'label'"),
        (EVALUATE, "column 'duygu' holds '0' (in 8, e.g. 'Dün: Toplantı"),
        (f"{EVALUATE} --label-map 0=neutral,1=negativ,2=positive", "'negativ' names no label"),
        (f"{EVALUATE} --label-map 0:neutral", "CODE=LABEL"),
        (f"{EVALUATE} --label-map 0=neutral,1=negative", "says nothing of 2"),
        (f"{EVALUATE} --label-map {MAP} --report coded.xlsx", "coded.xlsx: can't be made"),
        (f"{EVALUATE} --label-map {MAP} --model nowhere", "--model nowhere"),
    ],
)
def test_bad_data_is_refused_before_the_model_that_would_be_measured_is_loaded(
    failing: Failing, coded: Path, command: str, reason: str
) -> None:
    assert reason in failing(*command.split())


# train


def errors(result: Result) -> list[str]:
    sign = "tweetsent: error: "
    lines = [line for line in result.err.splitlines() if line.startswith(sign)]
    return [line.removeprefix(sign) for line in lines]


def train(tweetsent: Running, *options: str) -> Result:
    return tweetsent("train", "--epochs", "1", "--lora-rank", "4", *options)


def test_two_files_with_rules_of_their_own_make_one_adapter(
    tweetsent: Running, named: Path, coded: Path, tiny: Path, empty_home: Path
) -> None:
    pd.DataFrame({"tweet": ["Fena değil", "Saat altı"], "duygu": [2, 0]}).to_excel(
        "valid-coded.xlsx", index=False
    )
    pd.DataFrame({"text": ["Rezalet", "Mükemmel"], "label": ["olumsuz", "olumlu"]}).to_csv(
        "valid-named.csv", index=False
    )
    result = train(
        tweetsent,
        *("--data", str(coded), "--text-column", "tweet", "--label-column", "duygu"),
        *("--label-map", MAP, "--valid", "valid-coded.xlsx"),
        *("--data", str(named), "--text-column", "text", "--label-column", "label"),
        *("--label-map", "-", "--valid", "valid-named.csv"),
        *("--output", "adapters/yeni", "--seed", "9", "--batch-size", "16", "--json"),
        *("--augment", "0.25", "--label-smoothing", "0.1", "--learning-rate", "0.001"),
    )
    assert result.code == 0, result.err
    shape = json.loads(result.out)
    assert list(shape) == [*EVALUATION, "by_file"]
    assert shape["n"] == 4
    assert [sum(row) for row in shape["confusion_matrix"]] == [1, 1, 2]
    assert list(shape["by_file"]) == ["valid-coded.xlsx", "valid-named.csv"]
    for part in shape["by_file"].values():
        assert list(part) == EVALUATION
        assert part["n"] == 2
    manifest = read_manifest(empty_home / "adapters" / "yeni")
    assert shape["model"] == manifest.version
    assert [data.name for data in manifest.datasets] == [
        "coded.xlsx",
        "named.csv",
        "valid-coded.xlsx",
        "valid-named.csv",
    ]
    assert manifest.metrics == shape["by_file"]
    expected = {
        "epochs": 1,
        "batch_size": 16,
        "learning_rate": 0.001,
        "lora_rank": 4,
        "augment": 0.25,
        "label_smoothing": 0.1,
        "seed": 9,
    }
    assert manifest.training | expected == manifest.training
    assert "48 rows to train on: negative 16 (33%), neutral 16 (33%)" in result.err
    assert "epoch 1: valid-named.csv: accuracy" in result.err
    assert "epoch" not in result.out


def test_a_rule_given_once_holds_for_all_files_and_without_valid_some_rows_are_held_out(
    tweetsent: Running, coded: Path, tiny: Path, empty_home: Path
) -> None:
    frame = pd.read_excel(coded)
    for day in ("Pazar", "Salı", "Cuma"):
        frame.assign(tweet=day + " " + frame["tweet"]).to_csv(f"{day}.csv", index=False)
    result = train(
        tweetsent,
        *("--data", "Pazar.csv", "--data", "Salı.csv", "--data", "Cuma.csv", "--json"),
        *("--text-column", "tweet", "--label-column", "duygu", "--label-map", MAP),
        *("--output", "yeni", "--base-model", str(tiny)),
    )
    assert result.code == 0, result.err
    shape = json.loads(result.out)
    assert list(shape) == EVALUATION
    assert 0 < shape["n"] < 36
    assert (empty_home / "yeni" / "evaluation" / "held-out.png").exists()


def test_an_existing_output_is_refused_before_the_model_is_looked_for(
    failing: Failing, named: Path, empty_home: Path
) -> None:
    (empty_home / "yeni").mkdir()
    line = failing("train", "--data", str(named), "--output", "yeni")
    assert line == "yeni exists already: adapters are never overwritten"
    assert list((empty_home / "yeni").iterdir()) == []


TRAIN = "train --data named.csv --output yeni"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--valid named.csv --valid named.csv", "more --valid files than --data files"),
        ("--text-column text --text-column tweet", "give --text-column once, or once for each"),
        ("--data coded.xlsx --data named.csv --label-column a --label-column b", "of the 3 files"),
        ("--data coded.xlsx --label-map - --label-map - --label-map -", "give --label-map once"),
        ("--label-map 0=x", "'x' names no label"),
        ("--data coded.xlsx --text-column text", "coded.xlsx: there is no column 'text'"),
        ("--data coded.xlsx", "coded.xlsx: column 'duygu' holds '0' (in 8, e.g."),
        ("--valid nothing.csv", "nothing.csv: there is no such file"),
        (
            "--epochs 0 --learning-rate -1",
            "--epochs must be at least 1; --learning-rate must be above",
        ),
        ("--seed -1", "seed must be"),
        ("--augment 2", "--augment must be from 0 to 1"),
        ("--memory lots", "--memory lots: there are auto, fast, low"),
        ("--patience -1", "patience must be 0 or more"),
    ],
)
def test_bad_options_are_refused_before_any_training(
    failing: Failing, named: Path, coded: Path, options: str, reason: str, empty_home: Path
) -> None:
    assert reason in failing(*TRAIN.split(), *options.split())
    assert not (empty_home / "yeni").exists()


def test_a_base_model_that_is_not_there_ends_the_training(tweetsent: Running, named: Path) -> None:
    result = tweetsent(*TRAIN.split(), "--base-model", "/no/model")
    assert (result.code, result.out) == (1, "")
    assert errors(result) == [
        "TWEETSENT_BASE_MODEL or --base-model /no/model: there is no such folder"
    ]


def test_columns_that_were_found_and_rows_left_out_are_said(
    tweetsent: Running, empty_home: Path
) -> None:
    path = empty_home / "veri.csv"
    rows = [f"{row.text.replace(';', ',')};{row.label}\n" for row in SENTENCES]
    path.write_text("Yorum;Duygu\n" + "".join(rows) + "123;olumlu\n", "utf-8")
    for command in ("train --output yeni --data", "evaluate --data"):
        *notes, error = tweetsent(*command.split(), str(path)).err.splitlines()
        assert notes[:2] == [
            f"{path}: texts are in column 'Yorum', labels in 'Duygu'",
            f"{path}: rows left out: 1 whose text has no word",
        ]
        assert (len(notes) > 2) is command.startswith("train")
        assert "/there/is/no/model" in error
    *notes, error = tweetsent("predict", "--input", str(path)).err.splitlines()
    assert notes == [f"{path}: texts are in column 'Yorum'"]
    assert "/there/is/no/model" in error


def test_one_label_is_refused_before_the_model_is_looked_for(
    failing: Failing, empty_home: Path
) -> None:
    (empty_home / "bir.csv").write_text("metin,etiket\nÇok iyi,olumlu\nHarika,+\n", "utf-8")
    line = failing("train", "--data", "bir.csv", "--output", "yeni")
    assert line == "all 2 rows say positive: training needs at least two labels"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person at a terminal types; what is left was not asked for."""
    typed: list[str] = []
    monkeypatch.setattr("tweetsent.cli.models.can_ask", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: typed.pop(0))
    return typed


def test_a_person_is_asked_what_codes_mean_until_the_answer_is_a_label(
    tweetsent: Running, coded: Path, answers: list[str]
) -> None:
    answers += ["tarafsız", "bilmem", "OLUMSUZ", "pozitif"]
    pd.DataFrame({"tweet": ["Fena"], "duygu": [7]}).to_csv("valid.csv", index=False)
    result = tweetsent("train", "--data", str(coded), "--output", "yeni", "--valid", "valid.csv")
    assert answers == []
    assert result.code == 2
    assert "0: 8 rows, such as\n    Dün: Toplantı yarın saat onda başlayacak." in result.err
    assert "'bilmem' names no label" in result.err
    assert f'next time: --label-map "{MAP}"' in result.err
    # The validation file is read by the same map.
    assert "valid.csv: column 'duygu' holds '7' (in 1, e.g. 'Fena'); the label map" in result.err


def test_nobody_is_asked_for_json_or_without_a_terminal(
    failing: Failing, coded: Path, answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train_coded = ["train", "--data", str(coded), "--output", "yeni"]
    assert "--label-map" in failing(*train_coded, "--json")
    monkeypatch.setattr("tweetsent.cli.models.can_ask", console.can_ask)
    assert "--label-map" in failing(*train_coded)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    tweetsent: Running, tiny: Path, empty_home: Path
) -> None:
    rows = [*((row.text, row.label.value) for row in SENTENCES), ("Mağaza  pazar.", "neutral")]
    rows += [(SENTENCES[0].text.upper(), "negative"), (SENTENCES[8].text, "positive")]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv("veri.csv", index=False)
    before = sorted(empty_home.rglob("*"))
    result = tweetsent(
        *["train", "--data", "veri.csv", "--output", "yeni", "--tensorboard", "l", "--dry-run"]
    )
    assert (result.code, result.out) == (0, "")
    found, source, total, *more, last = result.err.splitlines()
    assert found == "veri.csv: texts are in column 'text', labels in 'label'"
    assert source.startswith("veri.csv: 27 rows; left out: 1 duplicate, 2 with conflicting labels")
    assert re.match(r"\d+ rows to train on: negative \d+ \(\d+%\), neutral", total)
    assert any("texts whose rows disagree on the label: 1;" in line for line in more)
    assert any("rows to measure on (held out)" in line for line in more)
    pattern = r"about \d+ (s|min) of training and .* GiB of memory \(--memory fast\)"
    assert re.fullmatch(pattern, last)
    assert sorted(empty_home.rglob("*")) == before


def test_an_adapter_is_trained_further(
    tweetsent: Running, named: Path, trained: Path, empty_home: Path, tiny: Path
) -> None:
    command = [*TRAIN.split(), "--epochs", "1", "--start-from"]
    version = read_manifest(trained).version
    planned = tweetsent(*command, str(trained), "--dry-run")
    assert planned.code == 0
    assert f"starting from {version}" in planned.err.splitlines()
    assert tweetsent(*command, str(trained)).code == 0
    assert read_manifest(empty_home / "yeni").started_from == version


def test_an_adapter_that_is_missing_or_does_not_fit_is_refused_before_any_training(
    tweetsent: Running, named: Path, trained: Path, empty_home: Path, tiny: Path
) -> None:
    for folder, reason in (
        (trained, "training can start from it only with --lora-rank 16 (here it is 8)"),
        (Path("nowhere"), "there is no tweetsent.json"),
    ):
        result = tweetsent(*TRAIN.split(), "--lora-rank", "8", "--start-from", str(folder))
        assert (result.code, result.out) == (1, "")
        assert errors(result) == [f"adapter {folder}: {reason}"]
    assert not (empty_home / "yeni").exists()


def test_without_a_base_model_the_one_of_the_adapter_is_taken(
    tweetsent: Running, named: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEETSENT_BASE_MODEL", "auto")
    result = tweetsent(*TRAIN.split(), "--dry-run", "--start-from", str(trained))
    assert result.code == 0
    assert f"starting from {read_manifest(trained).version}" in result.err


def test_near_copies_are_dropped_or_kept_as_asked(tweetsent: Running, tiny: Path) -> None:
    rows = [(row.text, row.label.value) for row in SENTENCES]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv("veri.csv", index=False)
    valid = [(f"{text[:-1]} ya", label) for text, label in rows[:2] + rows[8:10]]
    pd.DataFrame(valid, columns=["text", "label"]).to_csv("valid.csv", index=False)
    command = "train --data veri.csv --valid valid.csv --output yeni --dry-run"
    dropped = tweetsent(*command.split()).err
    kept = tweetsent(*command.split(), "--keep-near-copies").err
    assert re.search(r"left out: [2-4] near-copies of validation rows", dropped)
    assert "near-copies of" not in kept
    assert re.search(r"[2-4] have a near-copy among those to train on", kept)


def test_little_memory_logs_and_patience_go_together(
    tweetsent: Running, named: Path, tiny: Path, empty_home: Path
) -> None:
    pd.DataFrame({"text": ["Rezalet", "Mükemmel"], "label": ["-", "+"]}).to_csv("v.csv")
    result = tweetsent(
        *f"{TRAIN} --valid v.csv --memory low --tensorboard logs --json".split(),
        *[
            "--epochs",
            "9",
            "--patience",
            "1",
            "--learning-rate",
            "1e-9",
            "--batch-size",
            "8",
            "--lora-rank",
            "4",
        ],
    )
    assert result.code == 0, result.err
    assert "(--memory low)" in result.err
    assert "stopped early: the weights of epoch 2, the best, are kept" in result.err
    shape = json.loads(result.out)
    assert read_manifest(empty_home / "yeni").epoch == 2
    events = EventAccumulator("logs")
    events.Reload()
    assert set(events.Tags()["scalars"]) == {
        "training/loss",
        "training/learning_rate",
        "macro_f1/v.csv",
    }
    assert [event.step for event in events.Scalars("training/loss")] == [3, 6]
    assert all(0 < event.value <= 1e-9 for event in events.Scalars("training/learning_rate"))
    scores = [event.value for event in events.Scalars("macro_f1/v.csv")]
    assert scores == pytest.approx([shape["macro_f1"]] * 2)


def test_logs_that_can_not_be_written_are_one_error_before_any_training(
    tweetsent: Running, named: Path, tiny: Path, empty_home: Path
) -> None:
    result = tweetsent(*TRAIN.split(), "--tensorboard", "named.csv")
    assert result.code == 2
    (error,) = errors(result)
    assert error.startswith("named.csv: can't be made")
    assert not (empty_home / "yeni.checkpoint").exists()


@contextmanager
def stopped_at_once(_: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    yield lambda: True


def test_a_checkpoint_of_another_command_is_one_error_and_stays(
    tweetsent: Running,
    named: Path,
    tiny: Path,
    empty_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tweetsent.cli.models.stop_on_interrupt", stopped_at_once)
        assert tweetsent(*TRAIN.split()).code == 130
    checkpoint = empty_home / "yeni.checkpoint"
    content = checkpoint.read_bytes()
    result = tweetsent(*TRAIN.split(), "--seed", "7")
    assert (result.code, result.out) == (2, "")
    (error,) = errors(result)
    assert error.startswith("yeni.checkpoint is of a run with another --seed: give that command")
    assert checkpoint.read_bytes() == content
    assert not (empty_home / "yeni").exists()


# train on files of all kinds


FEW = [*SENTENCES[:4], *SENTENCES[8:12], *SENTENCES[16:18]]


def csv_of(rows: list[tuple[str, str]]) -> bytes:
    lines = [f'"{text}",{label}\n' for text, label in rows]
    return ("text,label\n" + "".join(lines)).encode()


def rows_of(examples: list[Example]) -> list[tuple[str, str]]:
    return [(row.text, row.label) for row in examples]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "x.csv: is empty"),
        (b"text,label\n", "x.csv: has no rows below its header"),
        (csv_of([("", "olumlu"), ("   ", "olumsuz")]), "x.csv: has no labelled text: rows 2 wit"),
        (csv_of([("NaN", ""), ("Güzel", "")]), "x.csv: has no labelled text"),
        (csv_of([("12", "+"), ("3,5", "-")]), "no labelled text: rows 2 whose text has no word"),
        (csv_of([(f"Güzel {n}", "olumlu") for n in range(9)]), "all 9 rows say positive"),
        (
            csv_of([("Güzel", "olumlu"), ("İyi", "olumlu"), ("Kötü", "-"), ("Berbat", "-")]),
            "no label has the 3 rows that it takes to learn one",
        ),
        (csv_of([("Eh işte", "olumlu"), ("eh işte", "-")]), "no row is left to train on"),
        (
            csv_of([(f"Hisse {n} bugün çok yükseldi", "+-"[n % 2]) for n in range(10)]),
            "none of 10 rows can be held out",
        ),
        (csv_of([*rows_of(FEW), ("Şöyle böyle", "belki")]), "x.csv: column 'label' holds 'belki'"),
        (csv_of(rows_of(FEW)).decode("latin-1").encode(), "read it in a wrong encoding"),
    ],
    ids=[
        "nothing",
        "header only",
        "blank texts",
        "no labels",
        "numbers",
        "one label",
        "two rows of each label",
        "contradictions",
        "one template",
        "unknown label",
        "misread letters",
    ],
)
def test_a_file_that_teaches_nothing_is_refused_before_a_model_is_looked_for(
    failing: Failing, empty_home: Path, content: bytes, reason: str
) -> None:
    (empty_home / "x.csv").write_bytes(content)
    columns = ["--text-column", "text", "--label-column", "label"]
    assert reason in failing("train", "--data", "x.csv", "--output", "yeni", *columns)
    assert not (empty_home / "yeni.checkpoint").exists()


def test_ten_rows_with_a_label_of_two_make_an_adapter_and_warnings(
    tweetsent: Running, tiny: Path, empty_home: Path
) -> None:
    (empty_home / "x.csv").write_bytes(csv_of(rows_of(FEW)))
    result = train(tweetsent, "--data", "x.csv", "--output", "yeni", "--json")
    assert result.code == 0, result.err
    shape = json.loads(result.out)
    assert "x.csv: 10 rows; " in result.err
    assert f"{10 - shape['n']} rows to train on" in result.err
    assert re.search(r"warning: [12] rows? to train on (is|are) labelled positive", result.err)
    assert read_manifest(empty_home / "yeni").datasets[0].rows == 10


def test_blank_cells_numbers_and_mixed_encodings_are_left_out_or_noted(
    tweetsent: Running, tiny: Path, empty_home: Path
) -> None:
    utf8 = csv_of(rows_of(SENTENCES[:-6]))
    cp1254 = csv_of(rows_of(SENTENCES[-6:])).decode().encode("cp1254")
    odd = csv_of([("", "olumlu"), ("Etiketsiz bir satır", ""), ("123", "-"), ("4,5", "+")])
    body = b"".join(part.split(b"\n", 1)[1] for part in (utf8, cp1254, odd))
    (empty_home / "x.csv").write_bytes(b"text,label\n" + body)
    result = tweetsent(*["train", "--data", "x.csv", "--output", "yeni", "--dry-run"])
    assert result.code == 0, result.err
    notes = result.err
    assert (
        "x.csv: rows left out: 1 without a text, 1 without a label, 2 whose text has no word"
    ) in notes
    assert re.search(r"x\.csv: .*Windows-1254", notes)
    assert "x.csv: 28 rows; left out: 4 without a text or a label" in notes
