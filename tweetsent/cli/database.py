"""`tweetsent db` and `tweetsent stats`; neither loads a model."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tweetsent.cli.console import can_ask, load_settings, print_json, report
from tweetsent.errors import ConfigError
from tweetsent.labels import LABELS
from tweetsent.pseudonyms import KEY_FILE, has_key
from tweetsent.records import Scope
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


group = typer.Typer(no_args_is_help=True, help="The database.")


@group.callback()
def _group() -> None:
    pass


@group.command()
def upgrade() -> None:
    """Create the database or bring it to this version's schema and to TWEETSENT_TEXT_KEY."""
    upgrade_database(load_settings())
    report("the database is up to date")


def upgrade_database(settings: Settings, older: str = "every older backup") -> None:
    """Bring the database to what this version and the settings ask for; `older` stays as it is."""
    from tweetsent import database
    from tweetsent.text_key import encrypt_texts

    database.upgrade(settings.database_url)
    done = encrypt_texts(settings)
    if done and done.count:
        how, rest = (
            ("encrypted", "holds them in plain: delete it")
            if done.were_plain
            else ("encrypted with the new key", "needs the old one: keep that as long as it")
        )
        report(f"{done.count:,} texts are {how} now; {older} still {rest}")


@group.command()
def backup(
    file: Path = typer.Argument(None, help="Where to; by default a new file in data/backups."),
) -> None:
    """Copy the database into a new file, while bots go on writing, and check the copy.

    Save beside it, once and in another place, the key of the pseudonyms (data/pseudonym.key or
    TWEETSENT_PSEUDONYM_KEY), without which the bot recognises nobody, TWEETSENT_TEXT_KEY, if
    you use it, without which no text can be read, the trained models (data/models) and the data
    sets (data/snapshots). PostgreSQL's needs pg_dump. /unut does not reach backups.
    """
    from tweetsent.backups import back_up, default_target

    settings = load_settings()
    file = file or default_target(settings.database_url, settings.tweetsent_data_dir)
    revision = back_up(settings.database_url, file)
    report(f"the backup is complete and checked; the database is at the revision {revision}")
    report(f"not in it, save them too: {_beside(settings)}")
    typer.echo(file)


@group.command()
def restore(
    file: Path = typer.Argument(..., help="A backup made by `tweetsent db backup`."),
    yes: bool = typer.Option(False, "--yes", help="Don't ask."),
) -> None:
    """Replace the database by a backup and bring it to this version's schema.

    Refuses a damaged or newer backup, and while a bot or another process uses the database. What is
    replaced is kept as a .bak beside the database, or on PostgreSQL as a .dump beside the backup.
    Updates that waited when the backup was taken are marked as failed, so that nobody is answered
    twice.
    """
    from tweetsent.backups import check_backup
    from tweetsent.backups import restore as put_back
    from tweetsent.text_key import require_key_of

    settings = load_settings()
    revision = check_backup(settings.database_url, file)
    if not has_key(settings):
        raise ConfigError(
            f"there is no key of the pseudonyms: put {KEY_FILE} back into "
            f"{settings.tweetsent_data_dir} or set TWEETSENT_PSEUDONYM_KEY first, "
            "or the bot recognises nobody in the backup"
        )
    if not yes:
        if not can_ask():
            raise ConfigError("this replaces the database: --yes says that it may")
        typer.confirm(f"Replace the database by this backup of revision {revision}?", abort=True)
    require_key_of(settings, file)
    restored = put_back(settings.database_url, file)
    if restored.replaced:
        report(f"what was replaced is in {restored.replaced}")
    if restored.given_up:
        report(
            f"{restored.given_up:,} updates waited when the backup was taken; they are marked as "
            "failed, since most were answered after it"
        )
    upgrade_database(settings, str(file))
    report("the backup is restored and up to date")


def _beside(settings: Settings) -> str:
    """What belongs to the bot's state but not to its database."""
    from tweetsent.text_key import is_encrypted

    folder = settings.tweetsent_data_dir
    key = "TWEETSENT_PSEUDONYM_KEY" if settings.tweetsent_pseudonym_key else folder / KEY_FILE
    keys = f"{key} (in another place: it tells who is who)"
    if is_encrypted(settings.database_url):  # whether this shell has the key or not
        keys += ", TWEETSENT_TEXT_KEY (the texts can't be read without it)"
    folders = [path for path in (folder / "models", settings.snapshots) if path.exists()]
    return ", ".join([keys, *map(str, folders)])


def stats(
    days: int = typer.Option(
        None, "--days", min=1, max=3650, help="Only today and the days before, in UTC."
    ),
    model: str = typer.Option(None, "--model", help="Only this version's predictions."),
    json_output: bool = typer.Option(False, "--json", help="Print JSON on stdout."),
) -> None:
    """Show counts, and accuracy against the users' corrections."""
    from tweetsent.store import open_store

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
