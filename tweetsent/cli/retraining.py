"""`tweetsent retrain`: one run, in this process; the bot starts it as a child."""

from typing import TYPE_CHECKING

import typer

from tweetsent.cli.console import (
    load_settings,
    print_json,
    report,
    stop_on_interrupt,
    training_progress,
)
from tweetsent.cli.database import open_engine
from tweetsent.limits import explaining_memory, limit_memory, limit_this_process
from tweetsent.records import Run, RunState, Trigger

if TYPE_CHECKING:
    from tweetsent.settings import Settings


def retrain(
    trigger: Trigger = typer.Argument(Trigger.CLI, hidden=True, metavar=""),
    json_output: bool = typer.Option(False, "--json", help="Print the run as JSON on stdout."),
) -> None:
    """Train a new version with the accepted corrections; it serves if it is better."""
    settings = load_settings()
    with explaining_memory():
        run = _run(settings, trigger)
    if json_output:
        print_json(_fields(run))
        return
    if run.state is RunState.PROMOTED:
        report(f"{run.model_version} serves from now on")
    else:
        report(f"{run.model_version} was refused, and what served before serves on: {run.reason}")


def _run(settings: "Settings", trigger: Trigger) -> Run:
    threads = limit_this_process(settings.tweetsent_retrain_threads)
    from tweetsent.adapter import read_manifest
    from tweetsent.readiness import require_ready
    from tweetsent.registry import Registry
    from tweetsent.runs import Runs
    from tweetsent.store import open_store

    engine = open_engine(settings)
    store = open_store(settings, engine)
    runs = Runs(engine)
    try:
        require_ready(settings, store, runs, trigger)  # said before the libraries are loaded
        import torch

        torch.set_num_threads(threads)

        from training.challenge import RECIPE
        from training.qlora import Listener
        from training.retraining import Workshop, retrain
        from tweetsent.classifier import find_base
        from tweetsent.model import choose_device

        limit_memory(settings.tweetsent_retrain_memory_gb)
        shop = Workshop(settings, store, runs, Registry.of(settings, engine))
        serving = shop.serving()
        base = find_base(settings, read_manifest(serving) if serving else None, report)
        with training_progress(True) as (bar, say), stop_on_interrupt(report) as should_stop:
            return retrain(
                shop,
                trigger,
                base,
                RECIPE,
                choose_device(settings.tweetsent_device),
                Listener(say, bar, lambda *_: None, should_stop),
            )
    finally:
        store.close()


def _fields(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "state": run.state.value,
        "model": run.model_version,
        "corrections": run.corrections,
        "snapshot": run.snapshot,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "reason": run.reason,
        "decision": run.decision,
    }
