"""The conversation in the terminal: the same handlers on standard input and output."""

import asyncio
import io
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest
from telegram import Bot

from bot import reports, texts
from bot.console import run_chat
from bot.terminal_api import TerminalApi
from tests.bot.botapi import PATIENCE_SECONDS
from tests.bot.tiny import TinyClassifier, open_services, settings_for
from tweetsent.database import create_engine_for
from tweetsent.records import RunState, Trigger
from tweetsent.runs import Runs
from tweetsent.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path) -> Settings:
    return settings_for(tmp_path, empty_database, "http://127.0.0.1:1", None)


class Recorder(io.StringIO):
    """Keeps what is written apart: the bot writes each answer at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)


def chat(settings: Settings, *lines: str) -> list[str]:
    """What the bot writes to the lines, by answer."""
    stdout = Recorder()

    async def main() -> None:
        service, retraining = open_services(settings, TinyClassifier())
        try:
            stdin = io.StringIO("".join(f"{line}\n" for line in lines))
            await run_chat(settings, service, retraining, stdin=stdin, stdout=stdout)
        finally:
            await service.close()

    asyncio.run(main())
    return [text.removesuffix("\n\n") for text in stdout.written]


def labels(settings: Settings) -> list[str]:
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        query = "SELECT label FROM corrections WHERE superseded_at IS NULL ORDER BY id"
        return [row[0] for row in database.execute(query)]


def test_every_line_is_answered_in_order(settings: Settings) -> None:
    answers = chat(settings, "Bugün harika", "", "   ", "berbat", "😊", "/yardım")

    assert answers[0].startswith("😊 Olumlu · %93")
    assert answers[0].endswith(
        "[1] ✅ Doğru  [2] ✏️ 😞 Olumsuz  [3] ✏️ 😐 Tarafsız  (seçmek için /1, /2, /3)"
    )
    assert answers[1].startswith("😞 Olumsuz")
    assert answers[2:] == [texts.answers.NO_WORDS, texts.guide.HELP_FOR_ADMINS]


def test_a_number_presses_a_button(settings: Settings) -> None:
    answers = chat(settings, "/1", "harika", "/2", "/2", "/4", "/0")

    assert answers[0] == texts.terminal.NO_BUTTON
    assert "😊 Olumlu → 😞 Olumsuz" in answers[2]
    assert "✅ Kaydettim: 😞 Olumsuz" in answers[3]
    assert answers[4:] == [texts.terminal.NO_BUTTON, texts.terminal.NO_BUTTON]
    assert labels(settings) == ["negative"]


def test_duzelt_corrects_the_last_answer(settings: Settings) -> None:
    answers = chat(settings, "/duzelt olumlu", "berbat", "harika", "😊", "/düzelt nötr", "/duzelt")

    assert answers[0] == texts.answers.CORRECT_WHAT
    last = texts.answers.last_message("harika")
    assert answers[4].startswith(f"{last}✏️ Düzelttim: 😊 Olumlu → 😐 Tarafsız. Teşekkürler!\n[1]")
    assert answers[5].startswith(f"{last}{texts.answers.CORRECT_WHICH}\n[1]")
    assert labels(settings) == ["neutral"]


def test_the_same_line_in_a_later_conversation_is_a_new_message(settings: Settings) -> None:
    chat(settings, "harika", "harika")
    answers = chat(settings, "harika", "/stats")

    assert "💬 Tahmin: 3" in answers[1]


def test_stats_save_the_picture(settings: Settings) -> None:
    answers = chat(settings, "harika", "/1", "/stats")

    assert "eğitim izni olan: 1" in answers[2]
    caption, path = answers[3].splitlines()
    assert caption == texts.statistics.PICTURE_CAPTION
    assert Path(path).parent == settings.tweetsent_data_dir / "chat"
    assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_the_file_of_ones_data_is_saved_and_all_is_erased(settings: Settings) -> None:
    answers = chat(settings, "harika", "/1", "/verilerim", "/unut", "/1", "/gecmis")

    caption, path = answers[2].splitlines()
    assert caption == texts.own_data.FILE_CAPTION
    assert path.endswith("-verilerim.json")
    assert "harika" in Path(path).read_text(encoding="utf-8")
    assert "• 1 mesaj ve sonucu" in answers[3]
    assert answers[4:] == [texts.own_data.ERASED, texts.own_data.NO_HISTORY]


def test_documents_are_saved_with_their_ending(tmp_path: Path) -> None:
    stdout = io.StringIO()
    bot = Bot("0:none", request=TerminalApi(stdout, tmp_path))

    asyncio.run(bot.send_document(1, b"a;b", filename="tablo.csv", caption="Tablon"))

    caption, path = stdout.getvalue().split()
    assert (caption, Path(path).suffix, Path(path).read_bytes()) == ("Tablon", ".csv", b"a;b")


def test_a_broken_model_does_not_end_the_conversation(settings: Settings) -> None:
    answers = chat(settings, "bozuk", "harika")

    assert answers[0] == texts.errors.MODEL
    assert answers[1].startswith("😊")


def test_a_run_is_followed_to_its_report_and_left_for_the_admins_to_hear_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "FOLLOW_SECONDS", 0.02)
    engine = create_engine_for(settings.database_url)
    runs = Runs(engine)
    runs.start(Trigger.SCHEDULE).finish(RunState.FAILED, "no space left")
    lease = runs.start(Trigger.CLI)
    stdout = Recorder()

    async def until(words: str) -> None:
        async with asyncio.timeout(20):
            while words not in "".join(stdout.written):
                await asyncio.sleep(0.01)

    async def main() -> None:
        service, retraining = open_services(settings, TinyClassifier())
        reading, writing = os.pipe()
        os.write(writing, b"/egit\n")
        with os.fdopen(reading) as stdin:
            talk = run_chat(settings, service, retraining, stdin=stdin, stdout=stdout)
            conversation = asyncio.create_task(talk)
            await until("🎓 Eğitim #2\n⏳ veriler")
            lease.finish(RunState.FAILED, "stopped")
            await until("Ayrıntı: stopped")
            os.close(writing)
            await conversation
        await service.close()

    asyncio.run(main())
    assert "no space left" not in "".join(stdout.written)
    assert [run.id for run in iter(runs.claim_report, None) if run] == [1, 2]
    engine.dispose()


def start(settings: Settings, stdin: int | IO[bytes]) -> subprocess.Popen[bytes]:
    data_dir = str(settings.tweetsent_data_dir)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bot.chat_process"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TWEETSENT_DATA_DIR": data_dir},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_pipe_with_broken_bytes_and_no_last_newline(settings: Settings) -> None:
    process = start(settings, stdin=subprocess.PIPE)

    output, errors = process.communicate(b"harika \xff\xfe\r\n\nberbat", timeout=PATIENCE_SECONDS)

    assert process.returncode == 0, errors
    found = re.findall("^(.) Olum[a-z]+ · %", output.decode(), re.MULTILINE)
    assert found == ["😊", "😞"]
    assert ">" not in output.decode()
    assert errors == b""


@pytest.mark.parametrize(
    ("rest", "most"), [(b"berbat\n" * 2000, 1999), (b"berbat", 0)], ids=["lines", "half a line"]
)
def test_control_c_ends_a_piped_conversation(settings: Settings, rest: bytes, most: int) -> None:
    process = start(settings, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"harika\n" + rest)
    process.stdin.flush()
    process.stdout.read(1)

    # A hang must not hang the tests.
    killer = threading.Timer(20, process.kill)
    killer.start()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    killer.cancel()

    assert process.returncode == 0
    assert output.decode().count("😞 Olumsuz · %") <= most
    assert errors == b""


def test_a_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"harika\xff\nberbat\n")
    with (tmp_path / "lines").open("rb") as lines:
        process = start(settings, stdin=lines)
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0, errors
    assert output.decode().count("👇") == 2


def test_a_terminal_gets_a_prompt_and_control_c_ends_quietly(settings: Settings) -> None:
    terminal, side = pty.openpty()
    process = start(settings, stdin=side)
    os.write(terminal, b"harika\n")
    assert process.stdout is not None
    first = process.stdout.read(len(b"> \xf0\x9f\x98\x8a"))

    # A hang must not hang the tests.
    threading.Timer(20, process.kill).start()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert first.decode() == "> 😊"
    assert process.returncode == 0
    assert errors == b""
    os.close(terminal)
    os.close(side)


def test_the_owners_corrections_need_no_review(settings: Settings) -> None:
    assert chat(settings, "enfes", "/1", "/inceleme")[-1] == texts.review.end(skipped=0)
    with sqlite3.connect(settings.tweetsent_data_dir / "tweetsent.db") as database:
        rows = database.execute("SELECT state, reason FROM corrections").fetchall()
    assert rows == [("accepted", "admin")]


def test_the_owner_has_consented_until_they_take_it_back(settings: Settings) -> None:
    chat(settings, "güzel")
    assert "onay verdin" in chat(settings, "/gizlilik")[0]
    chat(settings, "/onay_geri")
    assert "onay vermedin" in chat(settings, "/gizlilik")[0]


def test_duygu_is_answered_and_can_be_corrected(settings: Settings) -> None:
    asked, corrected, hint = chat(settings, "/duygu harika bir gün", "/duzelt olumsuz", "/duygu")

    assert asked.startswith("😊 Olumlu · %93")
    assert "✏️ Düzelttim: 😊 Olumlu → 😞 Olumsuz" in corrected
    assert hint == texts.chats.ASK_WHAT
