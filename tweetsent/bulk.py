"""Files of any size through a classifier: texts in, the same rows with their scores out, in order.

The next block is read and turned into tokens, and the last one written, beside the model's work.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tweetsent import __version__
from tweetsent.blocks import BLOCK_ROWS, BlockReader
from tweetsent.errors import DataError
from tweetsent.files import text_column
from tweetsent.labels import LABELS, Scores
from tweetsent.misread import check_letters
from tweetsent.partial import Partial
from tweetsent.sealed import sha256_of
from tweetsent.text import clean
from tweetsent.writers import check_fits, table_writer

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tweetsent.classifier import Classifier

Item = TypeVar("Item")
Progress = Callable[[int], None]
Answers = list[tuple[str, Scores]]
_FIRST_ROW = 2  # of a sheet, below the header


@dataclass(frozen=True, slots=True)
class Survey:
    """A file that was read once to its end, so that a bad line shows before long work."""

    reader: BlockReader
    column: str
    rows: int
    texts: int
    """Rows that have a text; the others get no label."""
    output: Path | None
    schema: "pa.Schema | None"
    """That of an output in .parquet."""


def survey(
    reader: BlockReader,
    column: str,
    output: Path | None,
    say: Callable[[str], None],
    progress: Progress,
) -> Survey:
    """Read a file and count its texts; `progress` gets the rows read since it was last called.

    Raises DataError for what can't be read, seems misread, or doesn't fit into the output.
    """
    suffix = output.suffix.lower() if output else ""
    rows = texts = 0

    def cells() -> Iterator[str]:
        nonlocal rows, texts
        for block in reader.blocks(None if suffix == ".xlsx" else [column], say):
            if output and suffix == ".xlsx":
                check_fits(block, output, _FIRST_ROW + rows)
            found = text_column(block, column, reader.path)
            rows += len(found)
            texts += sum(1 for cell in found if clean(cell))
            progress(len(found))
            yield from found

    text_column(reader.head(), column, reader.path)
    schema = _with_result_fields(reader.schema(output)) if output and suffix == ".parquet" else None
    check_letters(cells(), reader.path, say)
    return Survey(reader, column, rows, texts, output, schema)


def classify(
    file: Survey, classifier: "Classifier", partial: Partial | None, progress: Progress
) -> Iterator[Answers]:
    """The texts of each block with their scores; `progress` gets the texts done since last.

    With `partial` the rows and their results are written as it goes, and what an earlier run left
    there is not classified again. Raises DataError.
    """
    blocks = _blocks(file, classifier, partial, progress)
    if partial is None:
        yield from (block.answers for block in blocks)
        return
    with table_writer(partial.draft, schema=file.schema) as write:

        def record(block: _Answered) -> None:
            write(_with_results(block, classifier.version))

        with _behind(record) as record_behind:
            for block in blocks:
                record_behind(block)
                yield block.answers
    if file.reader.has_changed():
        partial.drop()
        raise DataError(f"{file.reader.path}: changed while it was read; run the command again")
    partial.complete()


def job_of(file: Survey, classifier: "Classifier") -> dict[str, object]:
    """What the results hang on; where one of these differs, so may they."""
    return {
        "input": sha256_of(file.reader.path),
        "kind of input": file.reader.path.suffix.lower(),
        "text column": file.column,
        "model": classifier.version,
        "device": classifier.device.type,
        "precision": classifier.precision,
        "version of tweetsent": __version__,
        "block size": BLOCK_ROWS,
    }


@dataclass(frozen=True, slots=True)
class _Prepared:
    number: int
    table: "pd.DataFrame"
    rows: list[int]
    """Those that have a text."""
    texts: list[str]
    scores: list[Scores] | None
    """Those of an earlier run; where there are none, `tokens` are to be classified."""
    tokens: list[list[int]]


@dataclass(frozen=True, slots=True)
class _Answered:
    table: "pd.DataFrame"
    rows: list[int]
    answers: Answers


def _blocks(
    file: Survey, classifier: "Classifier", partial: Partial | None, progress: Progress
) -> Iterator[_Answered]:
    with closing(_ahead(_prepared(file, classifier, partial))) as blocks:
        for block in blocks:
            scores = block.scores
            if scores is None:
                scores = classifier.classify_encoded(block.tokens, progress)
                if partial:
                    partial.save(block.number, scores)
            answers = list(zip(block.texts, scores, strict=True))
            yield _Answered(block.table, block.rows, answers)


def _prepared(
    file: Survey, classifier: "Classifier", partial: Partial | None
) -> Iterator[_Prepared]:
    columns = [file.column] if partial is None else None
    for number, table in enumerate(file.reader.blocks(columns)):
        cells = text_column(table, file.column, file.reader.path)
        rows = [row for row, cell in enumerate(cells) if clean(cell)]
        texts = [cells[row] for row in rows]
        scores = partial.load(number) if partial else None
        tokens = classifier.encode(texts) if scores is None else []
        yield _Prepared(number, table, rows, texts, scores, tokens)


def _ahead(items: Iterator[Item]) -> Generator[Item]:
    """The items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as worker:
        following = worker.submit(next, items, None)
        while (item := following.result()) is not None:
            following = worker.submit(next, items, None)
            yield item


@contextmanager
def _behind(act: Callable[[Item], None]) -> Iterator[Callable[[Item], None]]:
    """The same action in a thread, while its caller does the next one's work; errors come late."""
    with ThreadPoolExecutor(1, thread_name_prefix="behind") as worker:
        before: Future[None] | None = None

        def submit(item: Item) -> None:
            nonlocal before
            if before:
                before.result()
            before = worker.submit(act, item)

        yield submit
        if before:
            before.result()


def _with_results(block: _Answered, version: str) -> "pd.DataFrame":
    table = block.table
    scores: list[Scores | None] = [None] * len(table)
    for row, (_, score) in zip(block.rows, block.answers, strict=True):
        scores[row] = score
    labels = [score.label if score else None for score in scores]
    table["tweetsent_label"] = [label.value if label else None for label in labels]
    table["tweetsent_label_tr"] = [label.turkish if label else None for label in labels]
    for label in LABELS:
        table[f"tweetsent_{label}"] = [score.of(label) if score else None for score in scores]
    table["tweetsent_model"] = version
    return table


def _with_result_fields(schema: "pa.Schema") -> "pa.Schema":
    """The schema of a table that has results added."""
    import pyarrow as pa

    names = ["label", "label_tr", *LABELS, "model"]
    fields = {field.name: field for field in schema}
    for name in names:
        kind = pa.float64() if name in LABELS else pa.string()
        fields[f"tweetsent_{name}"] = pa.field(f"tweetsent_{name}", kind)
    return pa.schema(fields.values())
