"""`tweetsent db upgrade` and `tweetsent stats`; neither loads a model."""

from typing import TYPE_CHECKING

import typer

from tweetsent.cli.console import load_settings, print_json, report
from tweetsent.labels import LABELS
from tweetsent.records import OWNER_ID, Scope
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tweetsent.store import Store

group = typer.Typer(no_args_is_help=True, help="The database.")


@group.callback()
def _group() -> None:
    pass


@group.command()
def upgrade() -> None:
    """Create the database or bring it to this version's schema and to TWEETSENT_TEXT_KEY."""
    upgrade_database(load_settings())
    report("the database is up to date")


def upgrade_database(settings: Settings) -> None:
    """Bring the database to what this version and the settings ask for."""
    from tweetsent import database
    from tweetsent.text_key import encrypt_texts

    database.upgrade(settings.database_url)
    if count := encrypt_texts(settings):
        report(
            f"{count:,} texts are encrypted now; backups made before hold them as they were: "
            "delete these"
        )


def stats(
    days: int = typer.Option(
        None, "--days", min=1, max=3650, help="Only today and the days before, in UTC."
    ),
    model: str = typer.Option(None, "--model", help="Only this version's predictions."),
    json_output: bool = typer.Option(False, "--json", help="Print JSON on stdout."),
) -> None:
    """Show counts, and accuracy against the users' corrections."""
    settings = load_settings()
    store = open_store(settings, open_engine(settings))
    try:
        values = store.stats(
            Scope(days, model), train_on_forwards=settings.tweetsent_train_on_forwards
        )
    finally:
        store.close()
    fields = {
        "users": values.users,
        "predictions": values.predictions,
        "predictions_last_day": values.predictions_last_day,
        "by_label": {label.value: values.by_label[label] for label in LABELS},
        "by_model": values.by_model,
        "corrections": values.corrections,
        "confirmations": values.confirmations,
        "changes": values.changes,
        "trainable_corrections": values.trainable_corrections,
        "accuracy": values.accuracy,
        "macro_f1": values.macro_f1,
        "confusion_matrix": values.confusion.tolist(),
        "latency_ms_p50": values.latency_ms_p50,
        "latency_ms_p95": values.latency_ms_p95,
    }
    if json_output:
        print_json(fields)
        return
    for name, value in fields.items():
        shown = f"{value:.3f}" if isinstance(value, float) else value
        typer.echo(f"{name.replace('_', ' '):<22} {'–' if shown is None else shown}")


def open_engine(settings: Settings) -> "Engine":
    """The database of these settings; raises as `open_database`."""
    from tweetsent.text_key import open_database

    return open_database(settings)


def open_store(settings: Settings, engine: "Engine") -> "Store":
    """The store in a database."""
    from tweetsent.pseudonyms import Pseudonymiser, load_key
    from tweetsent.store import Store

    admin_ids = settings.tweetsent_admin_ids | {OWNER_ID}
    return Store(
        engine,
        Pseudonymiser(load_key(settings)),
        admin_ids=admin_ids,
        snapshots=settings.snapshots,
    )
