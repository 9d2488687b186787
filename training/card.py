"""The model card (README.md) of an adapter folder, written from its manifest."""

from typing import Any

from tweetsent.adapter import Manifest
from tweetsent.labels import LABELS

AVERAGE_OF = "average of"
"""The setting that lists the adapters that were averaged."""


def model_card(manifest: Manifest) -> str:
    """Markdown after Mitchell et al. 2019, arXiv:1810.03993."""
    words = ", ".join(
        f"`{word}` = {label.turkish}"
        for label, word in zip(LABELS, manifest.prompt.label_words, strict=True)
    )
    datasets = "\n".join(
        f"| {data.name} | {data.rows:,} | `{data.sha256[:12]}` |" for data in manifest.datasets
    )
    settings = "\n".join(f"| {name} | {value} |" for name, value in manifest.training.items())
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.libraries.items())
    escaped_suffix = manifest.prompt.suffix.replace("\n", "\\n")
    return f"""# {manifest.version}

A LoRA adapter that makes `{manifest.base_model}` (revision `{manifest.base_revision[:12]}`,
quantisation {manifest.quantization}) tell whether a Turkish message is Olumsuz, Tarafsız or
Olumlu. {_made(manifest.training)} on {manifest.created_at[:10]}{_started(manifest.started_from)}.

**Meant for** short Turkish messages and tweets, as an aid to a person. **Not meant for** decisions
about people, for other languages or for long documents. Irony, news about bad events told
neutrally, and spelling far from the training texts are where it errs most.

It reads `{manifest.prompt.prefix} <text>{escaped_suffix}` and scores the next token:
{words}.
Scores are divided by the temperature {manifest.temperature}.

## Results

The temperature was fitted on these rows; where a seed or a setting was chosen by them as well, they
flatter. The interval is for other rows of the same kind, by bootstrap; another training seed moves
the score as well. Where a file has no neutral rows, macro-F1 counts a label that can't be right
there: look at the accuracy between the other two. Measured on {manifest.measured_on}.

{_results(manifest.metrics)}

## Data

| file | rows | SHA-256 |
|---|---|---|
{datasets}

## Training

| setting | value |
|---|---|
{settings}

{manifest.training_seconds:.0f} s on {manifest.machine}, the measuring after each epoch
included{_kept(manifest.epoch)}; {libraries}.
"""


def _made(training: dict[str, Any]) -> str:
    if AVERAGE_OF in training:
        return "Averaged by `tweetsent average` from adapters of `tweetsent train`"
    return "Trained by `tweetsent train`"


def _started(version: str | None) -> str:
    return "" if version is None else f", further than `{version}`, which it started from"


def _kept(epoch: int | None) -> str:
    return "" if epoch is None else f"; the weights are those of epoch {epoch}"


def _results(metrics: dict[str, Any]) -> str:
    lines = [
        "| file | n | accuracy | macro-F1 | weighted F1 | MCC | ECE | macro-F1, 95 % interval "
        "| two-class accuracy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in metrics.items():
        values = " | ".join(
            f"{result[key]:.3f}" for key in ("accuracy", "macro_f1", "weighted_f1", "mcc", "ece")
        )
        low, high = result["intervals"]["macro_f1"]
        two_class = result["two_class_accuracy"]
        lines.append(
            f"| {name} | {result['n']:,} | {values} | {low:.3f} to {high:.3f} "
            f"| {'' if two_class is None else f'{two_class:.3f}'} |"
        )
    for name, result in metrics.items():
        lines += ["", f"{name}:", "", "| label | precision | recall | F1 | rows |"]
        lines.append("|---|---|---|---|---|")
        for label in LABELS:
            row = result["per_class"][label.value]
            lines.append(
                f"| {label.turkish} | {row['precision']:.3f} | {row['recall']:.3f} "
                f"| {row['f1']:.3f} | {row['support']} |"
            )
    return "\n".join(lines)
