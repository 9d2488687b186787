"""/health, /metrics and /saglik: three views of one record."""

import sqlite3
from contextlib import closing
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from bot import texts
from tests.bot.botapi import BotApi, Fault
from tests.bot.conftest import RunningBot
from tests.bot.test_console import chat
from tweetsent import health
from tweetsent.records import RunState, Trigger
from tweetsent.runs import Runs
from tweetsent.settings import Settings


@pytest.fixture
def settings(settings: Settings, free_address: str) -> Settings:
    """Those of a bot that is looked after."""
    return settings.model_copy(update={"tweetsent_http_listen": free_address})


@pytest.fixture
def pages(telegram: BotApi, settings: Settings) -> httpx.Client:
    """The port's pages, once the bot listens."""
    telegram.wait_calls("setMyCommands")
    client = httpx.Client(base_url=f"http://{settings.tweetsent_http_listen}")
    telegram.wait(lambda: answers(client))
    return client


def answers(client: httpx.Client) -> bool:
    try:
        return bool(client.get("/health").json()["contact_age_seconds"])
    except httpx.ConnectError:
        return False


def samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """The values of /metrics by name and labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_bot_at_work_is_healthy(
    telegram: BotApi, pages: httpx.Client, database: Engine, admin: int
) -> None:
    Runs(database).start(Trigger.CLI).finish(RunState.FAILED, "no disk")
    telegram.send("harika")
    telegram.wait_sent()
    telegram.wait(lambda: pages.get("/health").json()["messages"])
    answer = pages.get("/health")

    state = answer.json()
    assert (answer.status_code, state["ok"], state["problems"]) == (200, True, [])
    assert (state["database"], state["model"], state["queue"]) == (True, "tiny-1", 0)
    assert 0 <= state["contact_age_seconds"] < state["uptime_seconds"]
    assert 0 < state["classification"]["p50"] <= state["messages"]["p95"]
    assert state["last_run"] == {"id": 1, "state": "failed"}


def test_a_database_that_does_not_answer_is_no_health(
    pages: httpx.Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DATABASE_SECONDS", 0.3)
    with closing(sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        answer = pages.get("/health")

    state = answer.json()
    assert (answer.status_code, state["ok"], state["database"]) == (503, False, False)
    assert state["problems"] == ["the database gives no answer"]
    assert state["last_run"] is None


def test_a_model_that_hangs_is_no_health(telegram: BotApi, pages: httpx.Client, admin: int) -> None:
    assert samples(pages)["tweetsent_model_answers",] == 1
    telegram.send("dondu", user=admin)
    telegram.wait_sent(1, admin)
    answer = pages.get("/health")
    telegram.send("/sağlık", user=admin)

    assert (answer.status_code, answer.json()["problems"]) == (503, ["the model hangs"])
    assert samples(pages)["tweetsent_model_answers",] == 0
    lines = telegram.wait_sent(2, admin)[1]["text"].splitlines()
    assert lines[2] == "🤖 Model: ❌ tiny-1 yanıt vermiyor"


def test_a_bot_that_gets_no_updates_is_not_healthy(
    telegram: BotApi, pages: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LONGEST_SILENCE_SECONDS", 0.3)
    telegram.faults["getUpdates"] += [Fault(502)] * 30
    telegram.wait(lambda: pages.get("/health").status_code == 503)

    assert pages.get("/health").json()["problems"] == ["Telegram gives no updates"]
    telegram.faults["getUpdates"].clear()


def test_what_happens_is_counted_without_anybodys_name(
    telegram: BotApi, pages: httpx.Client, bot: RunningBot
) -> None:
    telegram.send("harika", user=987654)
    answer = telegram.wait_sent(1, 987654)[0]
    right = answer["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    telegram.press(answer, right, user=987654)
    telegram.wait_calls("editMessageText")
    telegram.send("bozuk", user=987654)
    telegram.wait(lambda: samples(pages).get(("tweetsent_errors_total", "ModelError")))
    telegram.send("bekle", user=8)
    telegram.wait(lambda: bot.classifier.waiting)

    values = samples(pages)
    bot.classifier.release.set()
    assert values["tweetsent_updates_total", "message"] == 1
    assert values["tweetsent_updates_total", "callback_query"] == 1
    assert values["tweetsent_answers_total",] == 1
    assert values["tweetsent_corrections_total",] == 1
    assert values["tweetsent_classification_seconds_count",] == 1
    assert values["tweetsent_update_seconds_count", "message"] == 1
    assert values["tweetsent_queue_length",] == 1
    assert values["tweetsent_model_info", "tiny-1"] == 1
    assert values["process_resident_memory_bytes",] > 0
    text = pages.get("/metrics").text
    assert "987654" not in text
    assert "harika" not in text


def test_nothing_else_is_served(pages: httpx.Client) -> None:
    assert pages.get("/").status_code == 404
    assert pages.post("/health").status_code == 405


def test_admins_see_the_same_in_a_chat(
    telegram: BotApi, pages: httpx.Client, database: Engine, admin: int
) -> None:
    run = Runs(database).start(Trigger.CLI)
    telegram.send("harika", user=admin)
    telegram.wait_sent(1, admin)
    telegram.send("/sağlık", user=admin)

    lines = telegram.wait_sent(2, admin)[1]["text"].splitlines()

    assert lines[:3] == ["🩺 Sağlık", "🗄 Veritabanı: ✅ yanıt veriyor", "🤖 Model: tiny-1"]
    assert lines[3] == "📥 Sırada bekleyen ve işlenen: 1"
    assert lines[4].startswith("💬 Yanıt, son bir saat: ortanca ")
    assert lines[5].startswith("⚡ Değerlendirme, son bir saat: ortanca ")
    assert lines[6].endswith(" sn önce")
    assert lines[7].startswith("🎓 Son eğitim: #1, ")
    assert lines[7].endswith(", sürüyor")
    run.finish(RunState.FAILED, "over")


def test_strangers_are_refused(telegram: BotApi) -> None:
    telegram.send("/saglik")

    assert [sent["text"] for sent in telegram.wait_sent()] == [texts.guide.ADMINS_ONLY]


def test_the_terminal_shows_it_too(terminal_settings: Settings) -> None:
    lines = chat(terminal_settings, "/saglik")[0].splitlines()

    assert lines[4] == "💬 Yanıt, son bir saat: henüz yok"
    assert lines[-2] == "🎓 Son eğitim: henüz yok"
    assert lines[-1].startswith("⏱ Kesintisiz çalışma: ")


@pytest.fixture
def terminal_settings(settings: Settings) -> Settings:
    changes: dict[str, Any] = {"telegram_bot_token": None, "tweetsent_http_listen": None}
    return settings.model_copy(update=changes)
