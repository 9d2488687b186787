"""Whole files through a classifier of no model: order, resuming, memory, and the thread beside."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from tweetsent import blocks, bulk
from tweetsent.blocks import BlockReader
from tweetsent.errors import DataError, ModelError
from tweetsent.files import SUFFIXES, read_table, write_table
from tweetsent.labels import Scores
from tweetsent.partial import partial_output

if TYPE_CHECKING:
    from tweetsent.classifier import Classifier

ROOT = Path(__file__).parents[2]
ROWS = 10
TEXTS = ["" if row == 4 else f"metin {row}" for row in range(ROWS)]


class Numbered:
    """A text's score is the number at its end; `fails_at` is a text that stops it."""

    def __init__(self, version: str = "m1", fails_at: str = "") -> None:
        self.version = version
        self.device = SimpleNamespace(type="cpu")
        self.precision = "float32"
        self.classified: list[str] = []
        self.threads: set[str] = set()
        self._fails_at = fails_at

    def encode(self, texts: Sequence[str]) -> list[str]:
        self.threads.add(threading.current_thread().name)
        return list(texts)

    def classify_encoded(self, texts: Sequence[str], progress: Any) -> list[Scores]:
        if self._fails_at in texts:
            raise ModelError("no")
        self.classified += texts
        progress(len(texts))
        # No float32 holds a third: what comes back from a partial run is still the same.
        return [Scores(int(text.split()[-1]) / 3e6, 0.0, 1.0) for text in texts]


@pytest.fixture(autouse=True)
def _three_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    rows = [{"no": None if n == 8 else n, "metin": text} for n, text in enumerate(TEXTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def label(
    path: Path, output: Path, classifier: Numbered, said: list[str] | None = None
) -> list[str]:
    """The texts that were answered, in their order."""
    notes = [] if said is None else said
    file = bulk.survey(BlockReader(path, notes.append), "metin", output, notes.append, len_of)
    model = cast("Classifier", classifier)
    with partial_output(output) as partial:
        partial.begin(bulk.job_of(file, model), notes.append)
        found = bulk.classify(file, model, partial, len_of)
        return [text for answers in found for text, _ in answers]


def len_of(_: int) -> None:
    """No progress is shown."""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_keep_their_order_and_their_columns(table: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    assert label(table, output, Numbered()) == [text for text in TEXTS if text]
    found = read_table(output)
    assert list(found.columns)[:2] == ["no", "metin"]
    assert found["metin"].tolist() == TEXTS
    scores = pd.to_numeric(found["tweetsent_negative"])
    expected = [float("nan") if row == 4 else row / 3e6 for row in range(ROWS)]
    assert scores.tolist() == pytest.approx(
        expected, abs=1e-9, nan_ok=True
    )  # as many digits as pandas' JSON
    assert found["tweetsent_label"].isin(["positive"]).tolist() == [bool(t) for t in TEXTS]
    assert [*tmp_path.glob("out*")] == [output]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(
    table: Path, tmp_path: Path, suffix: str
) -> None:
    whole, output = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    label(table, whole, Numbered())
    with pytest.raises(ModelError):
        label(table, output, Numbered(fails_at="metin 7"))
    assert not output.exists()

    said: list[str] = []
    again = Numbered()
    answered = label(table, output, again, said)

    assert again.classified == ["metin 6", "metin 7", "metin 8", "metin 9"]
    assert said == [f"{output}.partial: going on after 5 texts"]
    assert answered == [text for text in TEXTS if text]
    if suffix in {".csv", ".jsonl"}:
        assert output.read_bytes() == whole.read_bytes()
    pd.testing.assert_frame_equal(read_table(output), read_table(whole))


def change_input(path: Path) -> Numbered:
    path.write_text(path.read_text("utf-8").replace("metin 9", "metin 90"), "utf-8")
    return Numbered()


def change_model(_: Path) -> Numbered:
    return Numbered("m2")


@pytest.mark.parametrize(("change", "what"), [(change_input, "input"), (change_model, "model")])
def test_a_run_of_something_else_starts_anew(
    table: Path, tmp_path: Path, change: Any, what: str
) -> None:
    output = tmp_path / "out.csv"
    with pytest.raises(ModelError):
        label(table, output, Numbered(fails_at="metin 7"))
    said: list[str] = []
    again = change(table)
    label(table, output, again, said)
    assert said == [f"{output}.partial: is of another {what}: starting anew"]
    assert len(again.classified) == ROWS - 1
    assert set(read_table(output)["tweetsent_model"]) == {again.version}


def test_a_file_that_changes_while_it_is_read_gives_nothing(table: Path, tmp_path: Path) -> None:
    class Changing(Numbered):
        def classify_encoded(self, texts: Sequence[str], progress: Any) -> list[Scores]:
            with table.open("a") as file:
                file.write('{"metin": "metin 1"}\n')
            return super().classify_encoded(texts, progress)

    output = tmp_path / "out.csv"
    with pytest.raises(DataError, match="changed while it was read; run the command again"):
        label(table, output, Changing())
    assert not output.exists()
    assert not (tmp_path / "out.csv.partial").exists()


def test_tokens_are_made_beside_the_model_one_block_ahead(table: Path, tmp_path: Path) -> None:
    ready = threading.Event()

    class Waiting(Numbered):
        def encode(self, texts: Sequence[str]) -> list[str]:
            if "metin 3" in texts:
                ready.set()
            return super().encode(texts)

        def classify_encoded(self, texts: Sequence[str], progress: Any) -> list[Scores]:
            assert ready.wait(60)  # the second block's tokens come while the first is in work
            return super().classify_encoded(texts, progress)

    classifier = Waiting()
    label(table, tmp_path / "out.csv", classifier)
    (thread,) = classifier.threads
    assert thread != threading.current_thread().name


def test_a_bad_line_late_in_a_file_is_named_before_anything_is_classified(
    table: Path, tmp_path: Path
) -> None:
    with table.open("a") as file:
        file.write("{\n")
    with pytest.raises(DataError, match=r"in\.jsonl: line 11 is no JSON"):
        label(table, tmp_path / "out.csv", Numbered(fails_at="metin 0"))
    assert [*tmp_path.iterdir()] == [table]


def test_parquet_comes_back_with_the_kinds_it_had(tmp_path: Path) -> None:
    path, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    table = pa.table(
        {
            "metin": TEXTS,
            "n": pa.array([None, *range(ROWS - 1)], pa.int16()),
            "gün": pa.array([None] * 9 + [1], pa.date32()),
            "liste": [[1], None] * 5,
        }
    )
    pyarrow.parquet.write_table(table, path)
    label(path, output, Numbered())
    found = pyarrow.parquet.read_table(output)
    assert found.select(table.column_names).equals(table)
    assert found.column("tweetsent_positive").type == pa.float64()


def test_mixed_kinds_are_refused_before_anything_is_classified(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"metin": "m 1", "n": 1}\n' * 4 + '{"metin": "m 2", "n": "bir"}\n', "utf-8")
    with pytest.raises(DataError, match=r"out\.parquet: can't be written: "):
        label(path, tmp_path / "out.parquet", Numbered(fails_at="m 1"))
    label(path, tmp_path / "out.csv", Numbered())
    assert read_table(tmp_path / "out.csv")["n"].tolist() == ["1"] * 4 + ["bir"]


def test_what_no_sheet_holds_is_refused_before_anything_is_classified(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    write_table(pd.DataFrame({"metin": ["m 1"] * 4, "uzun": ["", "", "", "a" * 32_768]}), path)
    with pytest.raises(DataError, match=r"out\.xlsx: row 5 has a text of more than 32,767"):
        label(path, tmp_path / "out.xlsx", Numbered(fails_at="m 1"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_header_alone_becomes_a_header_alone(tmp_path: Path, suffix: str) -> None:
    path, output = tmp_path / "in.csv", tmp_path / f"out{suffix}"
    path.write_text("metin,no\n", "utf-8")
    assert label(path, output, Numbered()) == []
    if suffix == ".jsonl":
        assert output.read_bytes() == b""
    else:
        assert list(read_table(output).columns)[:3] == ["metin", "no", "tweetsent_label"]
        assert len(read_table(output)) == 0


def test_results_of_an_earlier_run_in_the_file_are_replaced(table: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    label(table, first, Numbered())
    label(first, second, Numbered("m2"))
    found = pyarrow.parquet.read_table(second)
    assert found.column_names == pyarrow.parquet.read_table(first).column_names
    assert set(found["tweetsent_model"].to_pylist()) == {"m2"}


_PEAK = """
import resource, sys
from pathlib import Path
from tests.tweetsent import test_bulk
from tweetsent import blocks
blocks.BLOCK_ROWS = 256
test_bulk.label(Path(sys.argv[1]), Path(sys.argv[2]), test_bulk.Numbered())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize(("suffix", "output"), [(".csv", ".csv"), (".jsonl", ".parquet")])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str, output: str) -> None:
    peaks = []
    for rows in (1_000, 20_000):
        path = tmp_path / f"{rows}{suffix}"
        filling = "x" * 2_000
        with path.open("w") as file:
            file.write("metin,no\n" if suffix == ".csv" else "")
            for row in range(rows):
                text = f"{filling} {row}"
                line = f"{text},1" if suffix == ".csv" else json.dumps({"metin": text, "no": 1})
                file.write(f"{line}\n")
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(path), str(tmp_path / f"{rows}out{output}")],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=250,
        )
        peaks.append(int(done.stdout) * 1024)
    grown = peaks[1] - peaks[0]
    assert grown < path.stat().st_size / 2, f"{grown:,} bytes more for {path.stat().st_size:,}"
