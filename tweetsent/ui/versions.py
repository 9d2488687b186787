"""How versions of the model and retraining runs look on a page."""

from collections.abc import Sequence
from typing import Any

from bot import texts as bot_texts
from bot.texts.wording import moment
from tweetsent.labels import LABELS
from tweetsent.records import (
    ActivatedBy,
    Activation,
    ModelInfo,
    ModelState,
    ModelVersion,
    Run,
    RunState,
    RunStep,
)
from tweetsent.ui import fragments, texts

_FIRST_PICTURES = ("learning-curves", "gate")


def serving(info: ModelInfo) -> str:
    """Which version answers and which one should, since when and by whom."""
    entries = [(texts.ANSWERING, info.version)]
    if info.is_pinned:
        return fragments.numbers(entries) + fragments.note(texts.PINNED)
    now = info.serving
    if now is None:
        return fragments.numbers([*entries, (texts.SERVING, texts.SHIPPED)])
    entries += [
        (texts.SERVING, now.model.version),
        (texts.SINCE, moment(now.activation.at)),
        (texts.BY, bot_texts.models.activated_by(now.activation)),
        (texts.PREVIOUS, now.previous or texts.NO_PREVIOUS),
    ]
    note = texts.NOT_LOADED if is_loading(info) else ""
    if info.fault is not None:
        note = texts.not_loadable(info.fault)
    return fragments.numbers(entries) + (fragments.note(note) if note else "")


def is_loading(info: ModelInfo) -> bool:
    """Whether the version that should answer does not yet, but may at any moment."""
    is_behind = info.serving is not None and info.serving.model.version != info.version
    return is_behind and info.fault is None


def versions(models: Sequence[ModelVersion]) -> str:
    """All versions, the newest first, with the macro-F1 of each file that any was measured on."""
    if not models:
        return fragments.note(texts.NO_VERSIONS)
    files = list(dict.fromkeys(name for model in models for name in model.macro_f1))
    rows = []
    for model in models:
        state = texts.STATES[model.state]
        rows.append(
            [
                model.version,
                f"{state}, {texts.DELETED}" if model.deleted_at else state,
                moment(model.created_at),
                *(_score(model.macro_f1.get(name)) for name in files),
            ]
        )
    active = [place for place, one in enumerate(models) if one.state is ModelState.ACTIVE]
    head = [*texts.VERSION_COLUMNS, *(f"{texts.MACRO_F1}: {name}" for name in files)]
    return fragments.table(texts.VERSIONS, head, rows, active[0] if active else None)


def comparison(beside: ModelVersion | None, model: ModelVersion) -> str:
    """Every measure of a version, beside those of another one; a table for each file."""
    own = _measures(model)
    others = _measures(beside) if beside and beside.version != model.version else {}
    if not own:
        return fragments.note(texts.NOT_MEASURED)
    tables = []
    for file, measures in own.items():
        title, other = texts.comparison(file), others.get(file)
        if beside is None or other is None:
            rows = [[name, texts.score(value)] for name, value in measures.items()]
            tables.append(fragments.table(title, [texts.MEASURED, model.version], rows))
            continue
        rows = [
            [
                name,
                texts.score(other[name]),
                texts.score(value),
                texts.score(value - other[name], signed=True),
            ]
            for name, value in measures.items()
            if name in other
        ]
        head = [texts.MEASURED, beside.version, model.version, texts.DIFFERENCE]
        tables.append(fragments.table(title, head, rows))
    return "".join(tables)


def _measures(model: ModelVersion) -> dict[str, dict[str, float]]:
    """Numbers by file and what they measure; what no version of this code wrote is left out."""
    found = {}
    for file, result in model.metrics.items():
        if not isinstance(result, dict):
            continue
        labels = result.get("per_class") or {}
        values = {
            texts.MACRO_F1: model.macro_f1.get(file),
            texts.ACCURACY: result.get("accuracy"),
            texts.CALIBRATION: result.get("ece"),
            **{
                texts.recall(label.turkish): one.get("recall")
                for label in LABELS
                if (one := labels.get(label.value) or {}).get("support")
            },
        }
        found[file] = {name: value for name, value in values.items() if isinstance(value, float)}
    return found


def gate(run: Run | None) -> str:
    """What the gate of the run said that made a version."""
    title = f"<h3>{texts.GATE}</h3>"
    if run is None or run.decision is None:
        return title + fragments.note(texts.GATE_UNKNOWN)
    return title + fragments.note(texts.run_title(run.id)) + _decision(run.decision)


def _decision(decision: dict[str, Any]) -> str:
    try:
        against = bot_texts.retraining.objections(decision)
        verdict = texts.GATE_REFUSED if against else texts.GATE_PASSED
        measured = bot_texts.retraining.measured(decision)
    except (KeyError, TypeError, ValueError):  # another version may have written it
        return fragments.note(texts.GATE_UNREADABLE)
    return fragments.paragraph(verdict) + fragments.lines([*against, *measured])


def life(model: ModelVersion, history: Sequence[Activation]) -> str:
    """When a version was added and when it began to serve; `history` is the newest first."""
    entries = [
        f"{moment(one.at)}: {bot_texts.models.activated_by(one)}"
        # The gate's reason, the number of its run, stands with what the gate said.
        + (f" ({one.reason})" if one.by is ActivatedBy.CLI and one.reason else "")
        for one in reversed(history)
    ]
    added = f"{moment(model.created_at)}: {texts.STATES[ModelState.CANDIDATE]}"
    return f"<h3>{texts.LIFE}</h3>" + fragments.lines([added, *entries])


def pictures(model: ModelVersion, drawn: dict[str, bytes]) -> str:
    """What was drawn of a version, its learning curves first."""
    first = [name for name in _FIRST_PICTURES if name in drawn]
    names = [*first, *(name for name in drawn if name not in first)]
    hint = "" if "learning-curves" in drawn else fragments.note(texts.NO_CURVES)
    return hint + fragments.figures(
        [
            fragments.figure(drawn[name], _picture_title(name), f"{model.version}-{name}")
            for name in names
        ]
    )


def _picture_title(name: str) -> str:
    if name in texts.PICTURE_TITLES:
        return texts.PICTURE_TITLES[name]
    ending = next(one for one in texts.PICTURE_KINDS if name.endswith(one))
    return f"{texts.PICTURE_KINDS[ending]}: {name.removesuffix(ending)}"


def run(run: Run | None) -> str:
    """Where the newest run stands, or how it ended."""
    if run is None:
        return fragments.note(texts.NO_RUN_YET)
    title = f"<h3>{texts.run_title(run.id)}</h3>"
    facts = fragments.note(" · ".join(bot_texts.retraining.facts(run)))
    if run.state is RunState.RUNNING:
        share = min(run.done / run.total, 1.0) if run.total else None
        names = [bot_texts.retraining.STEPS[step] for step in RunStep]
        return title + fragments.steps(names, [*RunStep].index(run.step), share) + facts
    ended = fragments.paragraph(bot_texts.retraining.ENDS[run.state])
    step = bot_texts.retraining.last_step(run)
    return (
        title
        + ended
        + facts
        + (fragments.note(step) if step else "")
        + (_decision(run.decision) if run.decision else "")
    )


def runs(made: Sequence[Run]) -> str:
    """Runs in a table, in their order."""
    if not made:
        return ""
    rows = [
        [
            str(one.id),
            moment(one.started_at),
            texts.RUN_STATES[one.state],
            one.model_version or "–",
            " · ".join(bot_texts.retraining.facts(one)),
        ]
        for one in made
    ]
    return fragments.table(texts.RUNS, texts.RUN_COLUMNS, rows)


def _score(value: float | None) -> str:
    return "–" if value is None else texts.score(value)
