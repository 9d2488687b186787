"""Grouped cross-validation of a training recipe: no near-copy is on both sides of a fold.

    python benchmarks/cross_validation.py FOLDS SEEDS SETTING=VALUE… -- FILE LABEL_MAP…

FOLDS and SEEDS are lists such as 0,1; FILE and LABEL_MAP may be repeated; the settings are fields
of TrainingSettings. Prints macro-F1 of every file's held-out rows for each fold and seed (two-class
accuracy where a file has no neutral), and mean ± standard deviation over the runs.
"""

import statistics
import sys
import tempfile
from collections import defaultdict
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from training.crossfit import with_expectations
from training.data import Example, Source, parse_label_map, read_labelled
from training.duplicates import resolve_duplicates
from training.evaluation import evaluate
from training.memory import Memory
from training.qlora import Listener, fine_tune
from training.settings import TrainingSettings
from training.splits import folds
from tweetsent.classifier import Classifier
from tweetsent.model import LabelScorer, choose_device, find_base_model
from tweetsent.prompt import PromptEncoder
from tweetsent.settings import Settings

COUNT = 5
SPLIT_SEED = 0
QUIET = Listener(lambda _: None, lambda _: None, lambda *_: None, lambda: False)


def main(arguments: list[str]) -> None:
    """Train and measure once for each fold and seed."""
    recipe, files = (
        arguments[: arguments.index("--")],
        arguments[arguments.index("--") + 1 :],
    )
    chosen, seeds = ([int(number) for number in part.split(",")] for part in recipe[:2])
    base_settings = TrainingSettings(**_values(recipe[2:]))
    rows = [
        replace(row, source=Path(file).name)
        for file, codes in zip(files[::2], files[1::2], strict=True)
        for row in read_labelled(Source(Path(file), label_map=parse_label_map(codes))).examples
    ]
    splits = folds(resolve_duplicates(rows).kept, COUNT, SPLIT_SEED)
    settings = Settings.load()
    device = choose_device(settings.tweetsent_device)
    base = find_base_model(settings.tweetsent_base_model, settings.tweetsent_cache_dir, _say)
    results: dict[str, list[float]] = defaultdict(list)
    for fold in chosen:
        training, unseen = splits[fold]
        for seed in seeds:
            scores: dict[str, float] = {}

            def score(
                epoch: int,
                scorer: LabelScorer,
                encoder: PromptEncoder,
                unseen: list[Example] = unseen,
                scores: dict[str, float] = scores,
            ) -> dict[str, float]:
                classifier = Classifier(
                    scorer, encoder, device, temperature=1.0, version=f"epoch {epoch}"
                )
                scores.update(_scores(classifier, unseen))
                return {}

            seeded = replace(base_settings, seed=seed)
            with tempfile.TemporaryDirectory() as scratch:
                done = Path(scratch) / "folds"
                expected = with_expectations(
                    base, training, seeded, device, QUIET, Memory.AUTO, done
                )
            fine_tune(base, expected, seeded, device, QUIET, score=score)
            for name, value in scores.items():
                results[name].append(value)
            _say(f"fold {fold}, seed {seed}: {_line({n: [v] for n, v in scores.items()})}")
    _say(f"{sum(map(len, results.values())) // len(results)} runs: {_line(results)}")


def _values(settings: list[str]) -> dict[str, Any]:
    kinds = {field.name: type(field.default) for field in fields(TrainingSettings)}
    pairs = (setting.split("=") for setting in settings)
    return {name: kinds[name](value) for name, value in pairs}


def _scores(classifier: Classifier, rows: list[Example]) -> dict[str, float]:
    """After each epoch; the last one's stay."""
    result = {}
    for source in sorted({row.source for row in rows}):
        evaluation = evaluate(classifier, [row for row in rows if row.source == source])
        two_class = evaluation.two_class_accuracy
        result[source] = evaluation.metrics.macro_f1 if two_class is None else two_class
    return result


def _line(results: dict[str, list[float]]) -> str:
    return ", ".join(
        f"{name} {statistics.mean(values):.3f}"
        + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")
        for name, values in sorted(results.items())
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
