"""/model and /geri_al: what admins see and may do, and that nobody else may."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot import texts
from tests.bot.botapi import BotApi, Params
from tests.bot.conftest import RunningBot
from tests.bot.test_corrections import buttons
from tests.tweetsent.adapters import damage, make_adapter
from tweetsent.adapter import read_manifest, shipped_adapter
from tweetsent.faults import Faults
from tweetsent.records import ActivatedBy, FaultKind
from tweetsent.registry import Registry
from tweetsent.settings import Settings

SHIPPED_VERSION = read_manifest(shipped_adapter()).version


@pytest.fixture
def registry(settings: Settings, database: Engine, tmp_path: Path) -> Registry:
    """The bot's registry, with two versions added."""
    registry = Registry.of(settings, database)
    for version in ("a-1", "b-2"):
        registry.add(make_adapter(tmp_path / "made", version))
    return registry


def question(telegram: BotApi, admin: int) -> Params:
    telegram.send("/geri_al", user=admin)
    return telegram.wait_sent(1, admin)[0]


def told(telegram: BotApi, admin: int, said: str) -> list[str]:
    return [sent["text"] for sent in telegram.sent(admin) if said in sent["text"]]


def edited(telegram: BotApi) -> str:
    return str(telegram.wait_calls("editMessageText")[-1].params["text"])


def test_strangers_are_refused(telegram: BotApi, registry: Registry) -> None:
    registry.promote("a-1", ActivatedBy.CLI)
    telegram.send("/model")
    telegram.send("/geri_al")

    assert [sent["text"] for sent in telegram.wait_sent(2)] == [texts.guide.ADMINS_ONLY] * 2


def test_before_the_first_promotion(telegram: BotApi, admin: int) -> None:
    telegram.send("/model", user=admin)
    telegram.send("/geri_al", user=admin)

    model, back = (sent["text"] for sent in telegram.wait_sent(2, admin))

    assert model.startswith("🤖 Model: tiny-1\nKurulumla gelen model")
    assert back == texts.models.ROLL_BACK_NOWHERE


def test_the_model_is_shown_with_its_history(
    telegram: BotApi, bot: RunningBot, database: Engine, registry: Registry, admin: int
) -> None:
    registry.promote("a-1", ActivatedBy.GATE, "0,71 → 0,73")
    telegram.send("/model", user=admin)
    assert "Etkin sürüm: a-1 (⏳ henüz yüklenmedi)" in telegram.wait_sent(1, admin)[0]["text"]
    faults = Faults(database)
    faults.note("a-1", FaultKind.LOADING, "it is damaged")
    telegram.send("/model", user=admin)
    telegram.wait(lambda: told(telegram, admin, "Etkin sürüm: a-1 (⚠️ yüklenemedi: it is damaged)"))
    faults.forget("a-1", FaultKind.LOADING)
    bot.classifier.version = "a-1"
    telegram.send("/model", user=admin)

    (text,) = telegram.wait(lambda: told(telegram, admin, "🤖 Model: a-1\n"))
    lines = text.splitlines()

    assert lines[0] == "🤖 Model: a-1"
    assert lines[1].endswith("(UTC) · yeniden eğitimde daha iyi çıktı")
    assert lines[2:] == [
        "📝 0,71 → 0,73",
        "🎯 v.csv: Makro-F1 0,50",
        f"↩️ Önceki: {SHIPPED_VERSION} (/geri_al)",
        "🗂 Kayıtlı sürüm: 3",
    ]


def test_going_back_asks_first_and_is_recorded(
    telegram: BotApi, registry: Registry, admin: int
) -> None:
    registry.promote("a-1", ActivatedBy.CLI)
    registry.promote("b-2", ActivatedBy.CLI)
    asked = question(telegram, admin)
    assert asked["text"] == texts.models.roll_back_question("b-2", "a-1")

    yes = buttons(asked)[0]
    telegram.press(asked, yes, user=admin)

    assert edited(telegram) == texts.models.rolled_back("a-1")
    assert registry.history("a-1")[0].by is ActivatedBy.ADMIN
    telegram.press(asked, yes, user=admin)  # a second tap goes no further back
    telegram.wait_calls("editMessageText", 2)
    assert edited(telegram) == texts.models.ROLL_BACK_REFUSED
    active = registry.active()
    assert active is not None
    assert active.version == "a-1"


def test_no_leaves_the_model_alone(telegram: BotApi, registry: Registry, admin: int) -> None:
    registry.promote("a-1", ActivatedBy.CLI)
    asked = question(telegram, admin)

    telegram.press(asked, buttons(asked)[1], user=admin)

    assert edited(telegram) == texts.models.ROLL_BACK_CANCELLED
    assert len(registry.history("a-1")) == 1


def test_a_strangers_press_does_nothing(telegram: BotApi, registry: Registry, admin: int) -> None:
    registry.promote("a-1", ActivatedBy.CLI)
    asked = question(telegram, admin)

    telegram.press(asked, buttons(asked)[0], user=7)

    (answer,) = telegram.wait_calls("answerCallbackQuery")
    assert (answer.params["text"], answer.params["show_alert"]) == (texts.guide.ADMINS_ONLY, "true")
    assert len(registry.history("a-1")) == 1
    assert telegram.of("editMessageText") == []


def test_a_damaged_version_before_is_said(
    telegram: BotApi, registry: Registry, admin: int, settings: Settings
) -> None:
    registry.promote("a-1", ActivatedBy.CLI)
    registry.promote("b-2", ActivatedBy.CLI)
    damage(settings.tweetsent_data_dir / "models" / "a-1")
    asked = question(telegram, admin)

    telegram.press(asked, buttons(asked)[0], user=admin)

    assert edited(telegram) == texts.models.ROLL_BACK_DAMAGED
