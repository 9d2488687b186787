"""The command tree; each group of commands is a module beside this one."""

import typer

from tweetsent import __version__
from tweetsent.cli import corrections, database, doctor, registry, retraining, serving
from tweetsent.cli import models as model_commands

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Sentiment of Turkish messages: olumsuz, tarafsız or olumlu.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tweetsent {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


app.command()(serving.run)
app.command()(serving.bot)
app.command()(serving.chat)
app.command()(serving.ui)
app.command()(model_commands.predict)
app.command()(model_commands.evaluate)
app.command()(model_commands.train)
app.command()(model_commands.average)
app.command()(retraining.retrain)
app.command()(corrections.review)
app.command()(corrections.export)
app.command()(database.stats)
app.command()(doctor.doctor)
app.add_typer(database.group, name="db")
app.add_typer(registry.group, name="models")
