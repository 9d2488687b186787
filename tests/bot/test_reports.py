"""/egit, the message that follows a run, and the reports: with real processes and a real database.

Only the training is played: `tests/bot/run_process.py`.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot import reports, texts
from tests.bot.botapi import BotApi, Fault
from tests.bot.conftest import RunningBot
from tests.corrections import save_corrections
from tests.training.test_gate import CHAMPION, LEARNT, TRUTH, answers, same
from training.gate import Decision, decide
from tweetsent.errors import Lack, NotReadyError
from tweetsent.faults import Faults
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import FaultKind, RunState, RunStep, Trigger
from tweetsent.runs import Runs
from tweetsent.settings import Settings
from tweetsent.store import Store

PROMOTED = decide({"trkcetwit.csv": CHAMPION}, {"trkcetwit.csv": CHAMPION}, corrections=LEARNT)
REFUSED = decide(
    {"trkcetwit.csv": CHAMPION}, {"trkcetwit.csv": answers(TRUTH, same(40))}, corrections=None
)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "FOLLOW_SECONDS", 0.05)
    monkeypatch.setattr("tweetsent.retraining._POLL_SECONDS", 0.02)
    monkeypatch.setattr("bot.transport._DELAYS_SECONDS", (0.01,))


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """A bot that may retrain."""
    (tmp_path / "base.csv").touch()
    return settings.model_copy(update={"tweetsent_base_data": tmp_path / "base.csv"})


@pytest.fixture
def bot(bot: RunningBot, settings: Settings) -> RunningBot:
    script = "-m", "tests.bot.run_process", str(settings.tweetsent_data_dir)
    bot.command = (sys.executable, *script)
    return bot


@pytest.fixture
def corrections(settings: Settings, database: Engine, admin: int) -> None:
    """As many accepted corrections as a run needs."""
    store = Store(
        database, Pseudonymiser(load_key(settings)), admin_ids=settings.tweetsent_admin_ids
    )
    save_corrections(store, admin, (f"yorum {number}" for number in range(20)))


def end(settings: Settings, state: RunState, reason: str, decision: Decision | None = None) -> None:
    """Let the run that waits come to its end."""
    kept = {"decision": decision.as_dict()} if decision else {}
    path = settings.tweetsent_data_dir / "end"
    path.with_suffix(".new").write_text(
        json.dumps({"state": state, "reason": reason} | kept), encoding="utf-8"
    )
    path.with_suffix(".new").rename(path)


def last_edit(telegram: BotApi) -> str:
    calls = telegram.of("editMessageText")
    return str(calls[-1].params["text"]) if calls else ""


@pytest.mark.usefixtures("corrections")
def test_a_run_is_followed_and_reported(telegram: BotApi, settings: Settings, admin: int) -> None:
    telegram.send("/egit", user=admin)
    shown = telegram.wait_sent(1, admin)[0]
    assert shown["text"].startswith("🎓 Eğitim #1\n⏳ ")
    telegram.wait(lambda: "▰▰▰▰▰▱▱▱▱▱ %50" in shown["text"] + last_edit(telegram))
    telegram.send("bugün harika")
    assert telegram.wait_sent(1)[0]["text"].startswith("😊 Olumlu")  # it answers meanwhile

    end(settings, RunState.PROMOTED, "", PROMOTED)

    telegram.wait(lambda: last_edit(telegram) == "🎓 Eğitim #1\n✅ Bitti: yeni model devrede.")
    report = telegram.wait_sent(2, admin)[1]
    assert report["caption"].splitlines() == [
        "🎓 Eğitim #1",
        "✅ Bitti: yeni model devrede.",
        "↩️ Geri dönmek için: /geri_al",
        "🤖 v-2",
        "31 düzeltme · 1 dakikadan kısa · bir yönetici başlattı",
        "",
        "🎯 trkcetwit.csv (600 satır): Makro-F1 0,90 → 0,90",
        "🎯 son düzeltmeler (40 satır): Makro-F1 0,32 → 0,77",
    ]
    assert telegram.of("sendPhoto")[0].files["photo"].startswith(b"\x89PNG")


def test_a_run_of_another_process_is_followed_too(
    telegram: BotApi, database: Engine, admin: int
) -> None:
    lease = Runs(database).start(Trigger.CLI)
    telegram.send("/egit", user=admin)
    assert telegram.wait_sent(1, admin)[0]["text"].startswith("🎓 Eğitim #1\n⏳ veriler")
    kept = json.loads(json.dumps(REFUSED.as_dict()))
    lease.finish(RunState.REFUSED, REFUSED.reason, kept)
    report = telegram.wait_sent(2, admin)[1]["caption"]
    assert "🟡 Bitti: yeni model devreye alınmadı." in report
    assert (
        "Neden devreye alınmadı?\n"
        "• trkcetwit.csv: Makro-F1 düştü (0,90 → 0,80)\n"
        "• trkcetwit.csv: Olumsuz mesajların daha azını buluyor (0,90 → 0,80)\n"
        "• trkcetwit.csv: Tarafsız mesajların daha azını buluyor (0,90 → 0,80)\n"
        "• trkcetwit.csv: Olumlu mesajların daha azını buluyor (0,90 → 0,80)\n"
        "• trkcetwit.csv: güven puanları daha az güvenilir (ECE 0,00 → 0,10)\n"
        "• son düzeltmeler: test için yalnızca 0 satır ayrılabildi; bu çok az\n"
    ) in report
    assert report.splitlines()[2] == "1 dakikadan kısa · komut satırından başladı"


def test_a_run_that_was_killed_is_reported_without_a_picture(
    bot: RunningBot, telegram: BotApi, database: Engine, admin: int
) -> None:
    telegram.message("merhaba", user=admin)
    run = subprocess.Popen((*bot.command, "schedule"))
    telegram.wait(lambda: any(run.step is RunStep.TRAINING for run in Runs(database).list()))
    run.kill()
    run.wait()
    report = telegram.wait_sent(1, admin)[0]["text"]
    assert report.splitlines()[1:] == [
        "⚠️ Yarıda kaldı; şimdiki model çalışmaya devam ediyor.",
        "31 düzeltme · 1 dakikadan kısa · zamanlamayla başladı",
        "",
        "Kaldığı adım: eğitim. Ayrıntı: its process ended without a word during training",
    ]


def test_a_run_that_an_admin_stopped_is_reported_as_such(
    telegram: BotApi, database: Engine, admin: int
) -> None:
    telegram.message("merhaba", user=admin)
    Runs(database).stop(Runs(database).start(Trigger.CLI).run_id)
    report = telegram.wait_sent(1, admin)[0]["text"]
    assert report.splitlines()[1:] == [
        "⏹ Bir yönetici durdurdu; şimdiki model çalışmaya devam ediyor.",
        "1 dakikadan kısa · komut satırından başladı",
        "",
        "Kaldığı adım: veri hazırlama.",
    ]


def test_a_run_is_reported_once_though_an_admin_can_not_be_reached(
    bot: RunningBot, api: BotApi, database: Engine, admin: int
) -> None:
    bot.settings = bot.settings.model_copy(
        update={"tweetsent_admin_ids": frozenset({admin, admin + 1})}
    )
    api.message("merhaba", user=admin)  # the other one never wrote to the bot
    Runs(database).start(Trigger.CLI).finish(RunState.FAILED, "stopped")
    bot.start()
    assert "Ayrıntı: stopped" in api.wait_sent(1, admin)[0]["text"]
    bot.stop()
    assert Runs(database).claim_report() is None


def test_a_decision_that_can_not_be_read_keeps_no_run_unreported(
    telegram: BotApi, database: Engine, admin: int, redacted_log: Callable[[], str]
) -> None:
    telegram.message("merhaba", user=admin)
    Runs(database).start(Trigger.CLI).finish(RunState.PROMOTED, "", {"sets": []})
    assert telegram.wait_sent(1, admin)[0]["text"] == (
        "🎓 Eğitim #1\n✅ Bitti: yeni model devrede."
    )
    drawn = REFUSED.as_dict() | {"frozen": []}  # nothing to draw, but words
    Runs(database).start(Trigger.CLI).finish(RunState.REFUSED, "", drawn)
    assert "Neden devreye alınmadı?" in telegram.wait_sent(2, admin)[1]["text"]
    assert "the decision of run 1 can't be read: KeyError" in redacted_log()
    assert "the decision of run 2 can't be drawn" in redacted_log()


def test_an_unexpected_error_is_logged_once_and_ends_no_reports(
    telegram: BotApi,
    database: Engine,
    admin: int,
    monkeypatch: pytest.MonkeyPatch,
    redacted_log: Callable[[], str],
) -> None:
    rounds = []

    def fail(runs: Runs) -> None:
        rounds.append(runs)
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(Runs, "sweep", fail)
        telegram.wait(lambda: len(rounds) > 2)
    telegram.message("merhaba", user=admin)
    Runs(database).start(Trigger.CLI).finish(RunState.FAILED, "stopped")
    assert "Ayrıntı: stopped" in telegram.wait_sent(1, admin)[0]["text"]
    assert redacted_log().count("reports can't be made: RuntimeError") == 1


def test_an_unexpected_error_does_not_end_a_message_that_follows_a_run(
    telegram: BotApi, database: Engine, admin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def fail(runs: Runs, run_id: int) -> None:
        looks.append(run_id)
        raise RuntimeError

    lease = Runs(database).start(Trigger.CLI)
    telegram.send("/egit", user=admin)
    with monkeypatch.context() as broken:
        broken.setattr(Runs, "get", fail)
        telegram.wait(lambda: len(looks) > 1)
    lease.finish(RunState.FAILED, "stopped")
    telegram.wait(lambda: "⚠️ Yarıda kaldı" in last_edit(telegram))


@pytest.mark.parametrize(
    "fault", [Fault.of(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), Fault(502)]
)
def test_without_the_photo_the_text_is_sent(
    telegram: BotApi, database: Engine, admin: int, fault: Fault
) -> None:
    telegram.message("merhaba", user=admin)
    telegram.faults["sendPhoto"].append(fault)
    Runs(database).start(Trigger.CLI).finish(RunState.PROMOTED, "", PROMOTED.as_dict())
    assert "🎯 trkcetwit.csv" in telegram.wait_sent(1, admin)[0]["text"]


def test_a_caption_is_cut_after_what_matters_and_a_message_later(
    telegram: BotApi, database: Engine, admin: int
) -> None:
    telegram.message("merhaba", user=admin)
    long = PROMOTED.as_dict()
    long["frozen"] = [part | {"name": "🙂" * 120} for part in long["frozen"] * 20]
    Runs(database).start(Trigger.CLI).finish(RunState.PROMOTED, "", long)
    caption = telegram.wait_sent(1, admin)[0]["caption"]
    assert "/geri_al" in caption
    assert caption.endswith("…")
    Runs(database).start(Trigger.CLI).finish(RunState.FAILED, "🙂" * 5000)
    text = telegram.wait_sent(2, admin)[1]["text"]
    assert len(text.encode("utf-16-le")) // 2 in {4095, 4096}


def test_a_report_is_sent_when_telegram_is_there_again(
    telegram: BotApi, database: Engine, admin: int
) -> None:
    telegram.message("merhaba", user=admin)
    telegram.faults["sendPhoto"].extend([Fault(502)] * 2)
    telegram.faults["sendMessage"].extend([Fault(502)] * 2)
    Runs(database).start(Trigger.CLI).finish(RunState.PROMOTED, "", PROMOTED.as_dict())
    assert "caption" in telegram.wait_sent(1, admin)[0]
    Runs(database).start(Trigger.CLI).finish(RunState.FAILED, "stopped")
    assert "Ayrıntı: stopped" in telegram.wait_sent(2, admin)[1]["text"]  # and nothing twice


@pytest.mark.usefixtures("corrections")
def test_a_run_that_another_process_began_meanwhile_is_followed(
    telegram: BotApi, database: Engine, admin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tweetsent.retraining.require_ready", lambda *_: Runs(database).start(Trigger.CLI)
    )
    telegram.send("/egit", user=admin)
    assert telegram.wait_sent(1, admin)[0]["text"].startswith("🎓 Eğitim #1\n⏳ veriler")
    assert len(Runs(database).list()) == 1


@pytest.mark.usefixtures("corrections")
def test_a_message_that_can_not_be_changed_for_a_while_catches_up(
    telegram: BotApi, settings: Settings, admin: int
) -> None:
    telegram.faults["editMessageText"].extend([Fault(502)] * 4)
    telegram.send("/egit", user=admin)
    telegram.wait_sent(1, admin)
    end(settings, RunState.FAILED, "no space left")
    telegram.wait(lambda: "⚠️ Yarıda kaldı" in last_edit(telegram))


def test_too_few_corrections_start_no_run(telegram: BotApi, database: Engine, admin: int) -> None:
    telegram.send("/egit", user=admin)
    text = telegram.wait_sent(1, admin)[0]["text"]
    assert text == texts.retraining.not_ready(NotReadyError(Lack.CORRECTIONS, 0, 20))
    assert Runs(database).list() == []


@pytest.mark.usefixtures("corrections")
def test_a_run_that_can_not_begin_says_why(bot: RunningBot, api: BotApi, admin: int) -> None:
    words = "import sys; sys.exit('tweetsent: error: the base data is gone')"
    bot.command = (sys.executable, "-c", words)
    bot.start()
    api.send("/egit", user=admin)
    text = api.wait_sent(1, admin)[0]["text"]
    assert text == texts.retraining.not_started("the base data is gone")


def test_strangers_start_nothing(telegram: BotApi, database: Engine) -> None:
    telegram.send("/egit")
    assert telegram.wait_sent()[0]["text"] == texts.guide.ADMINS_ONLY
    assert Runs(database).list() == []


@pytest.mark.usefixtures("corrections")
def test_a_bot_that_stops_ends_its_run(
    bot: RunningBot, telegram: BotApi, database: Engine, admin: int
) -> None:
    telegram.send("/egit", user=admin)
    telegram.wait_sent(1, admin)
    bot.stop()
    runs = Runs(database)
    runs.sweep()
    assert runs.list()[0].state is RunState.FAILED


def test_scores_that_are_no_numbers_are_told_to_the_admins_once(
    telegram: BotApi, admin: int
) -> None:
    telegram.send("/model", user=admin)
    telegram.wait_sent(1, admin)
    for number in (1, 2):
        telegram.send("bozuk")
        assert telegram.wait_sent(number)[-1]["text"] == texts.errors.MODEL

    told = telegram.wait_sent(2, admin)[1]["text"]
    assert told.startswith("⚠️ tiny-1 modeli bozuk sonuçlar veriyor")
    assert told.endswith("Ayrıntı: the weights are gone")
    telegram.send("/model", user=admin)
    assert telegram.wait_sent(3, admin)[2]["text"].startswith("🤖 Model: tiny-1")


def test_a_version_that_can_not_be_loaded_is_told_once_whatever_restarts(
    api: BotApi, bot: RunningBot, database: Engine, admin: int
) -> None:
    Faults(database).note("v-2", FaultKind.LOADING, "adapter v-2 is damaged")
    for start in (1, 2):
        api.send("/model", user=admin)
        bot.start()
        api.wait_sent(1 + start, admin)
        bot.stop()

    (told,) = [sent["text"] for sent in api.sent(admin) if "⚠️" in sent["text"]]
    assert told.splitlines() == [
        "⚠️ v-2 modeli yüklenemedi.",
        "Yanıtlar tiny-1 modelinden geliyor. Dosyaları onarılınca kendiliğinden devreye girer; "
        "vazgeçmek için: /geri_al",
        "Ayrıntı: adapter v-2 is damaged",
    ]
