"""The record of how the bot is, and what counts as broken."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.bot.tiny import TinyClassifier, open_services, settings_for
from tweetsent import health
from tweetsent.health import Health, check_health
from tweetsent.settings import Settings
from tweetsent.store import Store


def state(
    *,
    database: bool = True,
    can_store: bool = True,
    model_answers: bool = True,
    contact: float | None = 1.0,
    uptime: float = 1000.0,
) -> Health:
    return Health(database, can_store, "v", model_answers, 0, contact, uptime, None, None, None)


@pytest.mark.parametrize(
    ("contact", "uptime", "is_silent"),
    [(119.0, 1000.0, False), (121.0, 1000.0, True), (None, 60.0, False), (None, 121.0, True)],
)
def test_silence_is_a_problem_of_bots_that_poll(
    contact: float | None, uptime: float, is_silent: bool
) -> None:
    found = state(contact=contact, uptime=uptime)

    assert found.problems(polls=True) == (["Telegram gives no updates"] if is_silent else [])
    assert found.problems(polls=False) == []


def test_a_lost_database_is_a_problem_of_every_bot() -> None:
    assert state(database=False).problems(polls=False) == ["the database gives no answer"]


def test_a_model_that_hangs_is_a_problem_of_every_bot() -> None:
    assert state(model_answers=False).problems(polls=False) == ["the model hangs"]


def test_a_database_that_only_reads_is_a_problem_of_every_bot() -> None:
    assert state(can_store=False).problems(polls=False) == ["updates can't be stored"]


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path) -> Settings:
    return settings_for(tmp_path, empty_database, "http://127.0.0.1:1", None)


def check(settings: Settings) -> Health:
    async def main() -> Health:
        service, retraining = open_services(settings, TinyClassifier())
        try:
            return await check_health(service, retraining)
        finally:
            await service.close()

    return asyncio.run(main())


def test_a_database_that_answers(settings: Settings) -> None:
    found = check(settings)

    assert (found.database, found.model, found.last_run) == (True, "tiny-1", None)


def test_a_database_that_hangs_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DATABASE_SECONDS", 0.05)
    monkeypatch.setattr(Store, "ping", lambda _: time.sleep(0.5))

    assert not check(settings).database
