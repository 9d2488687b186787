"""What the base model knows before any training: asked as it is, and after a few examples.

    python benchmarks/prompting.py TRAIN VALID TEXT_COLUMN LABEL_COLUMN LABEL_MAP

Prints macro-F1 on VALID, or two-class accuracy where there is no neutral. The examples are drawn
from TRAIN, as many of each label, with three seeds.
"""

import random
import statistics
import sys
from pathlib import Path

from training.data import Example, Source, parse_label_map, read_labelled
from training.evaluation import Evaluation, evaluate
from tweetsent.classifier import Classifier
from tweetsent.labels import LABELS
from tweetsent.model import (
    LabelScorer,
    choose_device,
    find_base_model,
    load_plain,
    load_tokenizer,
)
from tweetsent.prompt import Prompt, PromptEncoder
from tweetsent.settings import Settings

SHOTS = (0, 1, 4)  # of each label
SEEDS = (1, 2, 3)


def main(train: str, valid: str, text: str, label: str, codes: str) -> None:
    """Score one validation file in every way."""
    labels = parse_label_map(codes)
    known = read_labelled(Source(Path(train), text, label, labels)).examples
    unseen = read_labelled(Source(Path(valid), text, label, labels)).examples
    settings = Settings.load()
    device = choose_device(settings.tweetsent_device)
    base = find_base_model(settings.tweetsent_base_model, settings.tweetsent_cache_dir, _say)
    model = load_plain(base, device, base.quantization)
    tokenizer = load_tokenizer(base)
    for shots in SHOTS:
        results = []
        for seed in SEEDS if shots else SEEDS[:1]:
            encoder = PromptEncoder(tokenizer, _prompt(known, shots, seed))
            scorer = LabelScorer(model, encoder.label_ids).eval()
            classifier = Classifier(scorer, encoder, device, temperature=1.0, version=base.name)
            results.append(_score(evaluate(classifier, unseen)))
        spread = statistics.stdev(results) if len(results) > 1 else 0.0
        _say(
            f"{Path(valid).name}: {shots} examples of each label: "
            f"{statistics.mean(results):.3f} ± {spread:.3f}"
        )


def _prompt(known: list[Example], shots: int, seed: int) -> Prompt:
    """The prompt of training with solved examples before it."""
    plain = Prompt()
    rng = random.Random(seed)
    present = [label for label in LABELS if any(row.label is label for row in known)]
    rows = [
        row
        for label in present
        for row in rng.sample([row for row in known if row.label is label], shots)
    ]
    rng.shuffle(rows)
    solved = "".join(
        f"{plain.prefix} {row.text}{plain.suffix}{plain.label_words[LABELS.index(row.label)]}\n\n"
        for row in rows
    )
    return Prompt(prefix=solved + plain.prefix)


def _score(evaluation: Evaluation) -> float:
    two_class = evaluation.two_class_accuracy
    return evaluation.metrics.macro_f1 if two_class is None else two_class


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
