"""/disa_aktar: the Excel file of the corrections that may be trained with."""

import io
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from bot import texts
from tests.bot.botapi import BotApi
from tests.bot.test_console import chat
from tests.bot.tiny import settings_for
from training.export import export_snapshot
from training.snapshot import XLSX
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.settings import Settings
from tweetsent.store import Store


def test_the_file_is_that_of_a_snapshot_of_the_corrections(
    telegram: BotApi, settings: Settings, database: Engine, admin: int, tmp_path: Path
) -> None:
    telegram.send("/onay", user=admin)
    telegram.send("harika, yaz bana: ada@example.org", user=admin)
    answer = telegram.wait_sent(2, admin)[-1]
    telegram.send("/duzelt olumsuz", user=admin, reply_to_message=answer)
    telegram.send("berbat")  # nobody corrects it
    telegram.wait_sent(3, admin)
    telegram.send("/disa_aktar", user=admin)

    sent = telegram.wait_sent(4, admin)[-1]

    assert sent["caption"].startswith("📎 Eğitimde kullanılabilecek düzeltmeler: 1 satır.\n")
    (call,) = telegram.of("sendDocument")
    store = Store(database, Pseudonymiser(load_key(settings)), admin_ids={admin})
    export_snapshot(tmp_path / "set", store, base_data=None, train_on_forwards=False)
    assert call.files["document"] == (tmp_path / "set" / XLSX).read_bytes()
    (row,) = pd.read_excel(io.BytesIO(call.files["document"])).to_dict("records")
    assert (row["text"], row["label"]) == ("harika, yaz bana: [eposta]", "negative")


def test_without_consent_there_is_nothing_to_export(telegram: BotApi, admin: int) -> None:
    telegram.send("harika", user=admin)
    telegram.send("/duzelt -", user=admin, reply_to_message=telegram.wait_sent(1, admin)[0])
    telegram.wait_sent(3, admin)
    telegram.send("/disa_aktar", user=admin)

    assert telegram.wait_sent(4, admin)[-1]["text"] == texts.export.NOTHING


def test_the_terminal_saves_it_and_sends_no_announcements(
    tmp_path: Path, empty_database: Path
) -> None:
    settings = settings_for(tmp_path, empty_database, "http://127.0.0.1:1", None)
    answers = chat(settings, "harika", "/1", "/disa_aktar", "/duyuru merhaba")

    path = Path(answers[2].splitlines()[-1])
    assert path.parent == settings.tweetsent_data_dir / "chat"
    assert path.name.endswith(".xlsx")
    assert pd.read_excel(path)["text"].tolist() == ["harika"]
    assert answers[3] == texts.announcements.ONLY_ON_TELEGRAM
