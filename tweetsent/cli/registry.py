"""`tweetsent models`: the versions of the model, and which one serves."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tweetsent.cli.console import load_settings, print_json, report
from tweetsent.cli.database import open_engine
from tweetsent.errors import DataError, ModelError
from tweetsent.records import ActivatedBy, Activation, ModelVersion
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from tweetsent.registry import Registry

group = typer.Typer(no_args_is_help=True, help="The versions of the model, and which one serves.")

_JSON = typer.Option(False, "--json", help="Print JSON on stdout and nothing else there.")
_VERSION = typer.Argument(..., help="A version, as `tweetsent models list` shows it.")
_REASON = typer.Option("", "--reason", help="Why, for the history.")


@group.callback()
def _group() -> None:
    pass


@group.command("list")
def list_versions(json_output: bool = _JSON) -> None:
    """List the versions, the newest first."""
    models = _open(load_settings()).list()
    if json_output:
        print_json([_fields(model) for model in models])
        return
    if not models:
        report("no versions yet: the shipped adapter serves where it fits the base model")
    for model in models:
        state = model.state + (", deleted" if model.deleted_at else "")
        typer.echo(f"{model.version:<32} {state:<20} {_time(model.created_at)}  {_scores(model)}")


@group.command()
def show(version: str = _VERSION, json_output: bool = _JSON) -> None:
    """Show one version: where it comes from, its metrics, when it served."""
    registry = _open(load_settings())
    model, history = registry.get(version), registry.history(version)
    if json_output:
        print_json(_fields(model) | {"activations": [_fields(entry) for entry in history]})
        return
    for name, value in _fields(model).items():
        if name != "metrics":
            typer.echo(f"{name.replace('_', ' '):<16} {'–' if value in {None, ''} else value}")
    typer.echo(f"{'macro f1':<16} {_scores(model) or '–'}")
    for entry in history:
        reason = f": {entry.reason}" if entry.reason else ""
        typer.echo(f"{'activated':<16} {_time(entry.at)} by {entry.by}{reason}")


@group.command()
def promote(version: str = _VERSION, reason: str = _REASON, json_output: bool = _JSON) -> None:
    """Let a version serve; running bots switch to it without a restart."""
    settings = load_settings()
    registry = _open(settings)
    _merge(settings, registry.verified_folder(registry.get(version)))
    _tell_active(settings, registry.promote(version, ActivatedBy.CLI, reason), json_output)


@group.command()
def rollback(reason: str = _REASON, json_output: bool = _JSON) -> None:
    """Let the version before serve again; repeated, it goes back further."""
    settings = load_settings()
    registry = _open(settings)
    serving = registry.serving()
    if serving and serving.previous:
        _merge(settings, registry.verified_folder(registry.get(serving.previous)))
    model = registry.rollback(ActivatedBy.CLI, reason)
    _tell_active(settings, model, json_output)


@group.command()
def add(
    folder: Path = typer.Argument(..., help="Folder of an adapter, as `tweetsent train` makes."),
    json_output: bool = _JSON,
) -> None:
    """Copy an adapter into the data folder, as a candidate to promote."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    settings = load_settings()
    registry = _open(settings)
    model = registry.add(folder)
    for version in registry.prune(settings.tweetsent_keep_models):
        report(f"{version} was deleted: TWEETSENT_KEEP_MODELS={settings.tweetsent_keep_models}")
    if json_output:
        print_json(_fields(model))
    else:
        typer.echo(f"{model.version}: {model.state}")


def _open(settings: Settings) -> "Registry":
    from tweetsent.registry import Registry

    return Registry.of(settings, open_engine(settings))


def _merge(settings: Settings, folder: Path) -> None:
    """Merge a version's weights before it serves, so that the bots of this machine need not.

    Only those of the embedded model are kept when they are merged.
    """
    from tweetsent.adapter import read_manifest
    from tweetsent.classifier import load_classifier
    from tweetsent.embedded import NAME

    if read_manifest(folder).base_model != NAME:
        return
    try:
        load_classifier(settings.model_copy(update={"tweetsent_adapter": str(folder)}), report)
    except ModelError as error:
        report(f"bots that can't load it, as here, serve on with the version before: {error}")


def _tell_active(settings: Settings, model: ModelVersion, json_output: bool) -> None:
    if settings.tweetsent_adapter != "auto":
        report("bots with TWEETSENT_ADAPTER set, as here, serve that adapter all the same")
    if json_output:
        print_json(_fields(model))
    else:
        typer.echo(f"{model.version} is active")


def _fields(record: ModelVersion | Activation) -> dict[str, Any]:
    return {
        name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in asdict(record).items()
    }


def _time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"


def _scores(model: ModelVersion) -> str:
    return ", ".join(f"{name} {score:.3f}" for name, score in model.macro_f1.items())
