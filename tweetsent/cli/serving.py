"""`tweetsent run`, `bot`, `chat` and `ui`: the same services, over Telegram, in the terminal or in
the browser."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import typer

from tweetsent.cli.console import load_settings, report
from tweetsent.errors import ConfigError
from tweetsent.permissions import exposed
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from tweetsent.classifier import Classifier
    from tweetsent.retraining import RetrainingService
    from tweetsent.service import SentimentService

    Transport = Callable[[SentimentService, RetrainingService], Awaitable[None]]

log = logging.getLogger(__name__)


def run() -> None:
    """Upgrade the database and start the bot; without TELEGRAM_BOT_TOKEN, chat in the terminal."""
    from tweetsent.cli.database import upgrade_database

    settings = load_settings()
    upgrade_database(settings)
    if settings.telegram_bot_token:
        _serve_telegram(settings)
    else:
        report(
            "TELEGRAM_BOT_TOKEN is not set, so this is `tweetsent chat`; put a token into .env "
            "(see .env.example) or the environment for the Telegram bot"
        )
        _serve_terminal(settings)


def bot() -> None:
    """Answer on Telegram, by polling, or by a webhook where TELEGRAM_WEBHOOK_URL is set."""
    settings = load_settings()
    if not settings.telegram_bot_token:
        raise ConfigError(
            "TELEGRAM_BOT_TOKEN is not set: put the token from @BotFather into .env, "
            "or use `tweetsent chat`"
        )
    _serve_telegram(settings)


def chat() -> None:
    """Answer in the terminal: the bot's handlers and database, no token, no network."""
    _serve_terminal(load_settings())


def ui(
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(7860, min=0, max=65_535, help="Port to listen on."),
    name: list[str] = typer.Option(
        [], help="A name by which others call it, for example that of the proxy before it."
    ),
) -> None:
    """Show the pages in the browser: try the model, and after a login watch and steer it."""
    from tweetsent.cli.database import open_engine
    from tweetsent.ui.app import check_address, listening, run_ui

    settings = load_settings()
    check_address(settings, host, name)
    with listening(host, port):  # what is wrong is told before the model is loaded
        open_engine(settings).dispose()
    report("loading the model")
    # Gradio takes as long to import as the model to load, so it is there when the model is.
    Thread(target=import_module, args=["gradio"], daemon=True).start()
    _serve(settings, partial(run_ui, settings, host=host, port=port, names=name))


def _serve_telegram(settings: Settings) -> None:
    from bot.running import run_bot

    _serve(settings, partial(run_bot, settings))


def _serve_terminal(settings: Settings) -> None:
    from bot.console import run_chat

    _serve(
        settings,
        partial(run_chat, settings, stdin=sys.stdin, stdout=sys.stdout),
    )


def _serve(settings: Settings, transport: "Transport") -> None:
    """Build classifier, store and services, hand these to a transport, close all after it."""
    from tweetsent.cli.database import open_engine
    from tweetsent.store import open_store

    engine = open_engine(settings)  # before the model's libraries, which take seconds
    for warning in exposed(settings):
        log.warning("%s", warning)
    store = open_store(settings, engine)

    from tweetsent import language
    from tweetsent.batching import BatchingClassifier
    from tweetsent.classifier import load_classifier
    from tweetsent.registry import Registry
    from tweetsent.retention import sweep_daily
    from tweetsent.retrainer import Retrainer
    from tweetsent.retraining import RetrainingService
    from tweetsent.runs import Runs
    from tweetsent.service import SentimentService
    from tweetsent.watcher import Watcher

    def load(adapter: Path | None) -> "Classifier":
        changes = {"tweetsent_adapter": str(adapter)} if adapter else {}
        return load_classifier(settings.model_copy(update=changes), report)

    # An adapter that was named is used, whatever the registry says.
    registry = Registry.of(settings, engine) if settings.tweetsent_adapter == "auto" else None
    watcher = Watcher(registry, load, store.faults) if registry else None
    # Held by nothing else, so that a swap frees it.
    batching = BatchingClassifier(watcher.first() if watcher else load(None))
    language.prepare()

    async def serve() -> None:
        async with AsyncExitStack() as stack:  # one that can't be closed keeps none of the others
            stack.callback(batching.close)
            service = SentimentService(
                store, batching, registry, train_on_forwards=settings.tweetsent_train_on_forwards
            )
            stack.push_async_callback(service.close)
            if watcher:
                stack.callback(asyncio.create_task(watcher.run(batching)).cancel)
            if settings.tweetsent_keep_days:
                sweep = sweep_daily(service, settings.tweetsent_keep_days)
                stack.callback(asyncio.create_task(sweep).cancel)
            retraining = RetrainingService(settings, store, Runs(engine), Retrainer())
            stack.push_async_callback(retraining.close)
            retraining.schedule()
            await transport(service, retraining)

    asyncio.run(serve())
