"""`tweetsent review` and `tweetsent export`: from corrections to a training set; no model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tweetsent.cli.console import can_ask, load_settings, print_json, report
from tweetsent.cli.database import open_engine
from tweetsent.errors import DataError
from tweetsent.records import OWNER_ID, Reason, ReviewItem

if TYPE_CHECKING:
    from tweetsent.store import Store

_ANSWERS = {"k": True, "r": False, "a": None}
_WHY = {
    Reason.DISAGREEMENT: "users disagree",
    Reason.SINGLE_VOICE: "one user's word, who did not send the message",
    Reason.MODEL_IS_SURE: "the model is very sure of another label",
    Reason.OFTEN_OVERRULED: "most corrections of its user were rejected",
    Reason.OFTEN_CONTRARY: "its user often contradicts a very sure model",
    Reason.ANONYMOUS: "an unknown visitor of the web page made it",
    Reason.SUSPICIOUS_LABEL: "models trained without it find its label improbable",
}
_KEYS = "k accepts, r rejects, a skips, q ends"


def review(
    json_output: bool = typer.Option(False, "--json", help="Print the queue as JSON on stdout."),
) -> None:
    """Accept or reject the corrections that wait, one after the other."""
    from tweetsent.store import open_store

    settings = load_settings()
    if not json_output and not can_ask():
        raise DataError(
            "review asks for each correction: run it at a terminal, or with --json for the queue"
        )
    store = open_store(settings, open_engine(settings))
    try:
        if json_output:
            queue = store.review_queue(train_on_forwards=settings.tweetsent_train_on_forwards)
            print_json([_fields(item) for item in queue])
        else:
            _ask_for_each(store, settings.tweetsent_train_on_forwards)
    finally:
        store.close()


def export(
    output: Path = typer.Option(..., "--output", help="The new folder of the snapshot."),
    parent: Path = typer.Option(None, "--parent", help="The snapshot that this one follows."),
    json_output: bool = typer.Option(False, "--json", help="Print the manifest on stdout."),
) -> None:
    """Write all that may be trained with now, masked, into an immutable folder."""
    from training.export import export_snapshot
    from tweetsent.store import open_store

    settings = load_settings()
    store = open_store(settings, open_engine(settings))
    try:
        manifest = export_snapshot(
            output,
            store,
            base_data=settings.tweetsent_base_data,
            train_on_forwards=settings.tweetsent_train_on_forwards,
            parent=parent,
            say=report,
        ).manifest
    finally:
        store.close()
    if json_output:
        print_json(manifest.model_dump(mode="json"))
        return
    for origin, counts in manifest.counts.items():
        shown = ", ".join(f"{count:,} {label}" for label, count in counts.items())
        typer.echo(f"{origin:<12} {sum(counts.values()):,} ({shown})")
    typer.echo(f"{'rows':<12} {manifest.rows:,} (sha256 {manifest.rows_sha256})")


def _fields(item: ReviewItem) -> dict[str, Any]:
    return {
        "correction_id": item.correction_id,
        "text": item.text,
        "model_label": item.scores.label.value,
        "model_confidence": item.scores.confidence,
        "user_label": item.label.value,
        "other_labels": {label.value: count for label, count in item.others.items()},
        "state": item.state.value,
        "reason": item.reason.value,
    }


def _ask_for_each(store: "Store", train_on_forwards: bool) -> None:
    after = 0
    while True:
        # Read anew each time: a word on one correction may settle others.
        queue = store.review_queue(train_on_forwards=train_on_forwards)
        following = [item for item in queue if item.correction_id > after]
        if not following:
            report(f"end of the queue, {len(queue):,} skipped" if queue else "nothing waits")
            return
        item = following[0]
        after = item.correction_id
        _show(item, left=len(following))
        key = _ask()
        if key == "q":
            return
        accept = _ANSWERS[key]
        if accept is not None and not store.review(
            OWNER_ID, item.correction_id, accept=accept, train_on_forwards=train_on_forwards
        ):
            report("it does not wait any more: somebody else decided it, or its user changed it")


def _show(item: ReviewItem, left: int) -> None:
    model = f"{item.scores.label.turkish} ({item.scores.confidence:.0%})"
    others = ", ".join(f"{label.turkish} x{count}" for label, count in item.others.items())
    typer.echo(f"\n{item.text}\n  model {model}, user {item.label.turkish}", nl=False)
    typer.echo(f", others {others}" if others else "")
    typer.echo(f"  {_WHY.get(item.reason, item.reason)}; {left:,} left")


def _ask() -> str:
    while True:
        key = str(typer.prompt(_KEYS, err=True)).strip().casefold()
        if key in {*_ANSWERS, "q"}:
            return key
