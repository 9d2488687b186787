"""The real bot against the loopback server: real service, real SQLite file, a tiny classifier."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot.running import run_bot
from tests.bot.botapi import TOKEN, BotApi
from tests.bot.tiny import ADMIN, TinyClassifier, open_services, settings_for
from tweetsent.database import create_engine_for
from tweetsent.redaction import install_redaction
from tweetsent.retrainer import COMMAND
from tweetsent.settings import Settings


class RunningBot:
    """`run_bot` in a thread of its own, on one database that outlives it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.classifier = TinyClassifier()
        self.command = COMMAND
        """What makes a retraining run."""
        self.error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread()

    def start(self) -> None:
        """Starts it; it listens a moment later."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Cancels it and waits until it has closed everything."""
        if self._thread.is_alive() and self._loop and self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        service, retraining = open_services(self.settings, self.classifier, self.command)
        try:
            await run_bot(self.settings, service, retraining)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        finally:
            await retraining.close()
            await service.close()


@pytest.fixture
def api() -> Iterator[BotApi]:
    server = BotApi()
    yield server
    server.close()


@pytest.fixture
def settings(tmp_path: Path, api: BotApi, empty_database: Path) -> Settings:
    return settings_for(tmp_path, empty_database, api.base_url, TOKEN)


@pytest.fixture
def free_address() -> str:
    """`host:port` where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    """The bot's database, beside the bot."""
    engine = create_engine_for(settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def bot(settings: Settings) -> Iterator[RunningBot]:
    """A bot that isn't started yet."""
    running = RunningBot(settings)
    yield running
    running.stop()


@pytest.fixture
def telegram(api: BotApi, bot: RunningBot, redacted_log: Callable[[], str]) -> Iterator[BotApi]:
    """Telegram with the bot listening; the bot must keep to the rules and keep secrets."""
    bot.start()
    yield api
    bot.stop()
    assert api.refusals == []
    assert TOKEN not in redacted_log()


@pytest.fixture
def redacted_log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What a log handler of the process, redacted as in production, has written."""
    caplog.set_level(logging.INFO)
    install_redaction([TOKEN])
    return lambda: caplog.text


@pytest.fixture
def admin() -> int:
    return ADMIN
