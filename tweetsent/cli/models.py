"""`tweetsent predict`, `evaluate`, `train` and `average`."""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tweetsent.cli.console import (
    can_ask,
    load_settings,
    print_json,
    print_json_list,
    progress_bar,
    report,
    stop_on_interrupt,
    training_progress,
)
from tweetsent.errors import DataError, StoppedError, UnknownLabelError
from tweetsent.labels import Label, Scores, parse_label
from tweetsent.text import clean

if TYPE_CHECKING:
    from training.data import Code, LabelledData, Source
    from training.evaluation import Evaluation
    from training.qlora import Progress
    from training.settings import TrainingSettings
    from tweetsent.classifier import Classifier
    from tweetsent.model import BaseModel
    from tweetsent.settings import Settings

_JSON = typer.Option(False, "--json", help="Print JSON on stdout and nothing else there.")
_MODEL = typer.Option(None, "--model", help="Folder of an adapter; default: TWEETSENT_ADAPTER.")
_LONGEST_EXAMPLE = 120
_FOUND = "found by its name or its cells when not given"
_TEXT_COLUMN = typer.Option(None, "--text-column", help=f"Its column of texts; {_FOUND}.")
_TEXT_COLUMNS = typer.Option(
    None, "--text-column", help=f"Column of the texts, one per file; {_FOUND}."
)
_LABEL_COLUMNS = typer.Option(
    None, "--label-column", help=f"Column of the labels, one per file; {_FOUND}."
)
_LABEL_MAPS = typer.Option(
    [],
    "--label-map",
    help="What the codes in the label column mean, such as 0=neutral,1=negative,2=positive; "
    "3=- leaves rows out; one per file, '-' for a file that names its labels.",
)


def predict(
    texts: list[str] = typer.Argument(None, metavar="[TEXT]...", help="Texts to classify."),
    input_file: Path = typer.Option(None, "--input", help="A file of texts instead."),
    text_column: str = _TEXT_COLUMN,
    output: Path = typer.Option(None, "--output", help="Write the file with results here."),
    model: str = _MODEL,
    json_output: bool = _JSON,
) -> None:
    """Classify texts given as arguments or in a file (.xlsx, .csv, .tsv, .jsonl, .parquet)."""
    if bool(texts) == bool(input_file):
        raise typer.BadParameter("give either texts or --input FILE")
    if output and not input_file:
        raise typer.BadParameter("--output goes with --input")
    if output and output.resolve() == input_file.resolve():
        raise typer.BadParameter("--output would overwrite --input")
    if input_file:
        _predict_file(input_file, text_column, output, model, json_output)
        return
    if not all(clean(text) for text in texts):
        raise DataError("there is nothing to classify in an empty text")
    classifier = _load(load_settings(), model)
    answers = zip(texts, classifier.classify(texts), strict=True)
    _print_predictions(answers, classifier.version, json_output)


def _predict_file(
    path: Path, column: str | None, output: Path | None, model: str | None, json_output: bool
) -> None:
    from training.columns import SAMPLE_ROWS, find_text_column
    from tweetsent import bulk
    from tweetsent.blocks import BlockReader
    from tweetsent.files import check_output
    from tweetsent.partial import partial_output

    if output:
        check_output(output)
    settings = load_settings()
    notes: list[str] = []
    reader = BlockReader(path, notes.append)
    name = column or find_text_column(reader.head().head(SAMPLE_ROWS), path)
    if not column:
        notes.insert(0, f"{path}: texts are in column {name!r}")
    with progress_bar("reading", None) as advance:
        file = bulk.survey(reader, name, output, notes.append, advance)
    for note in notes:
        report(note)
    if file.texts < file.rows:
        report(f"rows without a text stay without a label: {file.rows - file.texts}")
    with ExitStack() as stack:
        partial = stack.enter_context(partial_output(output)) if output else None
        classifier = _load(settings, model)
        done = partial.begin(bulk.job_of(file, classifier), report) if partial else 0
        advance = stack.enter_context(progress_bar("classifying", file.texts, done))
        answers = chain.from_iterable(bulk.classify(file, classifier, partial, advance))
        try:
            if json_output or not output:
                _print_predictions(answers, classifier.version, json_output)
            else:
                deque(answers, maxlen=0)
        except KeyboardInterrupt:
            again = "; the same command goes on from here" if output else ""
            raise StoppedError(f"stopped{again}") from None
    if output:
        report(f"{output}: {file.rows} rows")


def _print_predictions(
    answers: Iterable[tuple[str, Scores]], version: str, json_output: bool
) -> None:
    if json_output:
        print_json_list(
            {
                "text": text,
                "label": score.label.value,
                "label_tr": score.label.turkish,
                "scores": score.as_dict(),
                "model": version,
            }
            for text, score in answers
        )
        return
    for text, score in answers:
        typer.echo(f"{score.label.turkish:<9} {score.confidence:4.0%}  {clean(text)}")


def evaluate(
    data: Path = typer.Option(..., "--data", help="A labelled file."),
    text_column: str = _TEXT_COLUMN,
    label_column: str = typer.Option(
        None, "--label-column", help=f"Its column of labels; {_FOUND}."
    ),
    label_map: str = typer.Option(
        None, "--label-map", help="What its codes mean, such as 0=neutral,1=negative,2=positive."
    ),
    model: str = _MODEL,
    folder: Path = typer.Option(None, "--report", help="Write JSON and picture to this folder."),
    json_output: bool = _JSON,
) -> None:
    """Measure a model on a labelled file."""
    from training.data import Source, parse_label_map, read_labelled

    settings = load_settings()
    labels = parse_label_map(label_map) if label_map else None
    part = read_labelled(Source(data, text_column, label_column, labels))

    from training import evaluation

    if folder:
        evaluation.make_folder(folder)
    _tell_notes([part], report)
    classifier = _load(settings, model)
    with progress_bar("classifying", len(part.examples)) as advance:
        result = evaluation.evaluate(classifier, part.examples, advance)
    if folder:
        evaluation.write_report(result, folder, data.stem)
        report(f"report in {folder}")
    _print_evaluations({data.name: result}, json_output)


def train(
    data: list[Path] = typer.Option(..., "--data", help="A labelled file; may be repeated."),
    text_columns: list[str] = _TEXT_COLUMNS,
    label_columns: list[str] = _LABEL_COLUMNS,
    label_maps: list[str] = _LABEL_MAPS,
    valid: list[Path] = typer.Option(
        [],
        "--valid",
        help="A labelled file to calibrate and measure on, read like the data file of the same "
        "position; may be repeated. Without one, a tenth of the data is held out.",
    ),
    output: Path = typer.Option(..., "--output", help="Folder of the adapter; must not exist."),
    base_model: str = typer.Option(
        None, "--base-model", help="Base model; default: TWEETSENT_BASE_MODEL."
    ),
    start_from: Path = typer.Option(
        None, "--start-from", help="Folder of an adapter to train further; default: a fresh one."
    ),
    epochs: int = typer.Option(3, help="Passes over the data."),
    batch_size: int = typer.Option(32, help="Texts in a step."),
    learning_rate: float = typer.Option(2e-4, help="Peak learning rate."),
    lora_rank: int = typer.Option(16, help="Rank of the adapter."),
    augment: float = typer.Option(
        0.0, help="Chance that a text is rewritten as other users would type it."
    ),
    label_smoothing: float = typer.Option(0.0, help="Share of the target spread over all labels."),
    language_modelling: float = typer.Option(
        0.0, help="Weight of the loss of the texts' own next tokens, beside that of the labels."
    ),
    self_distillation: float = typer.Option(
        0.0,
        help="Share of each text's target that models trained without it decide: helps where "
        "labels are noisy, takes five times as long.",
    ),
    patience: int = typer.Option(
        0, help="Stop after so many epochs without a better score and keep the best; 0: never."
    ),
    keep_near_copies: bool = typer.Option(
        False,
        "--keep-near-copies",
        help="Train also on rows much like validation rows; those are then measured apart.",
    ),
    memory: str = typer.Option(
        "auto", help="fast, low (little GPU memory) or auto: low on GPUs under 12 GiB."
    ),
    tensorboard: Path = typer.Option(None, help="Write TensorBoard logs to this folder."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be done."),
    seed: int = typer.Option(42, help="Seed of weights, order, dropout and rewritings."),
    json_output: bool = _JSON,
) -> None:
    """Fine-tune a base model by QLoRA and write an adapter folder."""
    from training.data import read_labelled, require_two_labels

    sources = _sources(data, text_columns, label_columns, label_maps)
    if len(valid) > len(sources):
        raise DataError("there are more --valid files than --data files")
    settings = load_settings()
    read = [_read_asking(source, may_ask=not json_output) for source in sources]
    parts = [part for part, _ in read]
    valid_parts = [
        read_labelled(replace(source, path=path))
        for (_, source), path in zip(read, valid, strict=False)
    ]
    require_two_labels(parts)

    from training import run
    from training.estimate import estimate
    from training.memory import Memory
    from training.plan import make_plan
    from training.processes import join
    from training.publish import require_new
    from training.qlora import Listener
    from training.settings import TrainingSettings
    from training.tensorboard import tensorboard_logs
    from tweetsent.model import choose_device

    require_new(output)
    training_settings = TrainingSettings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        lora_rank=lora_rank,
        augment=augment,
        label_smoothing=label_smoothing,
        language_modelling=language_modelling,
        self_distillation=self_distillation,
        patience=patience,
        seed=seed,
    )
    mode = Memory.parse(memory)
    device = choose_device(settings.tweetsent_device)
    with join(device) as (device, is_main):
        tell = report if is_main else _ignore
        _tell_notes([*parts, *valid_parts], tell)
        plan = make_plan(parts, valid_parts, keep_near_copies=keep_near_copies)
        for line in plan.lines():
            tell(line)
        base = _find_base(settings, base_model, start_from, training_settings, tell)
        expected = estimate(plan, base, training_settings, mode, device)
        tell(expected.line())
        if dry_run:
            if json_output and is_main:
                print_json({"plan": plan.as_dict(), "estimate": expected.as_dict()})
            return
        with (
            training_progress(is_main) as (bar, say),
            tensorboard_logs(tensorboard if is_main else None) as logs,
            stop_on_interrupt(tell) as should_stop,
        ):

            def on_step(at: "Progress") -> None:
                bar(at)
                logs.on_step(at)

            listener = Listener(say, on_step, logs.on_scores, should_stop)
            try:
                results = run.train(
                    plan, base, training_settings, output, device, listener, mode, start_from
                )
            except StoppedError:
                if is_main:
                    raise
                raise typer.Exit(130) from None  # said once, by the first process
    if is_main:
        report(f"adapter in {output}")
        _print_evaluations(results, json_output)


def average(
    adapters: list[Path] = typer.Argument(..., help="Folders of adapters of one base model."),
    valid: list[Path] = typer.Option(
        ..., "--valid", help="A labelled file to calibrate and measure on; may be repeated."
    ),
    text_columns: list[str] = _TEXT_COLUMNS,
    label_columns: list[str] = _LABEL_COLUMNS,
    label_maps: list[str] = _LABEL_MAPS,
    output: Path = typer.Option(..., "--output", help="Folder of the mean; must not exist."),
    lora_rank: int = typer.Option(32, help="Rank of the mean."),
    json_output: bool = _JSON,
) -> None:
    """Average adapters that differ in their seeds: steadier than each of them."""
    from training.data import read_labelled

    sources = _sources(valid, text_columns, label_columns, label_maps)
    settings = load_settings()
    parts = [read_labelled(source) for source in sources]
    _tell_notes(parts, report)

    from training import average as averaging
    from tweetsent.adapter import read_manifest
    from tweetsent.model import choose_device, find_base_model

    first = read_manifest(adapters[0])
    base = find_base_model(
        first.base_model, settings.tweetsent_cache_dir, report, first.base_revision
    )
    results = averaging.average(
        adapters,
        base,
        lora_rank,
        parts,
        output,
        choose_device(settings.tweetsent_device),
        report,
    )
    report(f"adapter in {output}")
    _print_evaluations(results, json_output)


def _find_base(
    settings: "Settings",
    name: str | None,
    start: Path | None,
    training: "TrainingSettings",
    tell: Callable[[str], None],
) -> "BaseModel":
    """The base model to train on; where there is an adapter to start from, one that it fits."""
    from training.start import read_start
    from tweetsent.adapter import read_manifest
    from tweetsent.classifier import find_base

    if name:
        settings = settings.model_copy(update={"tweetsent_base_model": name})
    base = find_base(settings, read_manifest(start) if start else None, tell)
    if start:
        tell(f"starting from {read_start(start, base, training).version}")
    return base


def _ignore(_: str) -> None:
    """Takes the lines of all processes but the first."""


def _sources(
    data: list[Path], texts: list[str] | None, labels: list[str] | None, maps: list[str]
) -> "list[Source]":
    """One reading rule for each file; a rule given once holds for all."""
    from training.data import Source, parse_label_map

    def spread(values: list[str] | list[None], option: str) -> list[str] | list[None]:
        if len(values) not in {1, len(data)}:
            raise DataError(f"give {option} once, or once for each of the {len(data)} files")
        return values * len(data) if len(values) == 1 else values

    rules = zip(
        data,
        spread(texts or [None], "--text-column"),
        spread(labels or [None], "--label-column"),
        spread(maps or [None], "--label-map"),
        strict=True,
    )
    return [
        Source(path, text, label, None if codes in {None, "-"} else parse_label_map(codes))
        for path, text, label, codes in rules
    ]


def _read_asking(source: "Source", may_ask: bool) -> "tuple[LabelledData, Source]":
    """Read a file; where codes need a meaning and a person is there, ask for it.

    Returns the source with the label map that the person gave, for the other files read like it.
    """
    from training.data import UnmappedCodesError, read_labelled

    try:
        return read_labelled(source), source
    except UnmappedCodesError as error:
        if not (may_ask and can_ask()):
            raise
        codes = error.codes
    report(
        f"{source.path}: what do these labels mean? Answer olumsuz, tarafsız or olumlu, or - to "
        "leave their rows out."
    )
    label_map = {code.value: _ask(code) for code in codes}
    entries = ",".join(f"{value}={label or '-'}" for value, label in label_map.items())
    report(f'next time: --label-map "{entries}"')
    source = replace(source, label_map=label_map)
    return read_labelled(source), source


def _ask(code: "Code") -> Label | None:
    report(f"{code.value}: {code.rows:,} rows, such as")
    for text in code.texts:
        report(f"    {text[:_LONGEST_EXAMPLE]}")
    while True:
        answer = typer.prompt(f"{code.value} means", err=True)
        if answer.strip() == "-":
            return None
        try:
            return parse_label(answer)
        except UnknownLabelError as error:
            report(str(error))


def _tell_notes(parts: "list[LabelledData]", tell: Callable[[str], None]) -> None:
    for part in parts:
        for note in part.notes:
            tell(note)


def _load(settings: "Settings", model: str | None) -> "Classifier":
    from tweetsent.classifier import load_classifier

    if model:
        if not Path(model).expanduser().is_dir():
            raise DataError(f"--model {model}: there is no such folder")
        settings = settings.model_copy(update={"tweetsent_adapter": model})
    return load_classifier(settings, report)


def _print_evaluations(results: "dict[str, Evaluation]", json_output: bool) -> None:
    from training.evaluation import pool

    if json_output:
        shape = pool(list(results.values())).as_dict()
        if len(results) > 1:
            shape["by_file"] = {name: result.as_dict() for name, result in results.items()}
        print_json(shape)
        return
    for name, result in results.items():
        for line in result.lines(name):
            typer.echo(line)
