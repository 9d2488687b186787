"""Files that are sent to be labelled: there and back, questions, limits, faults and restarts."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from openpyxl.workbook import Workbook
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot import labeller, texts, transport
from tests.bot.botapi import RESET_AFTERWARDS, BotApi, Fault
from tests.bot.conftest import RunningBot
from tweetsent.errors import Flaw
from tweetsent.files import read_table
from tweetsent.settings import Settings
from tweetsent.tables import FileRow, PredictionRow

GROUP = -100
TEXTS = ["harika bir film", "berbat bir film", "film dün izlendi", "harika bir film", "123"]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_DELAYS_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(labeller, "RETRY_DELAYS_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(labeller, "PROGRESS_SECONDS", 0.0)


def xlsx(*rows: list[Any], **hidden: list[list[Any]]) -> bytes:
    book = Workbook()
    book.active.title = "Veri"
    for row in rows:
        book.active.append(row)
    for title, cells in hidden.items():
        sheet = book.create_sheet(title)
        sheet.sheet_state = "hidden"
        for row in cells:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def table(*texts: str) -> bytes:
    return xlsx(["metin", "puan"], *([text, number] for number, text in enumerate(texts)))


def documents(api: BotApi, count: int = 1) -> list[bytes]:
    """What the bot sent back."""
    return [call.files["document"] for call in api.wait_calls("sendDocument", count)]


def wait_status(api: BotApi, words: str, chat: int = 7) -> dict[str, Any]:
    """The bot's message that says so, as it is now."""

    def find() -> dict[str, Any] | None:
        return next((one for one in api.sent(chat) if words in one.get("text", "")), None)

    return dict(api.wait(find))


def rows(database: Engine) -> list[FileRow]:
    with Session(database) as session:
        return list(session.scalars(select(FileRow).order_by(FileRow.id)))


def cancel(message: dict[str, Any]) -> str:
    return str(message["reply_markup"]["inline_keyboard"][-1][0]["callback_data"])


def test_a_workbook_comes_back_labelled_with_a_summary_and_a_chart(
    telegram: BotApi, database: Engine, settings: Settings, tmp_path: Path
) -> None:
    message_id = telegram.send(document=telegram.upload("Yorumlar.XLSX", table(*TEXTS)))

    (content,) = documents(telegram)
    wait_status(telegram, "hazır")
    (sent,) = telegram.of("sendDocument")
    path = tmp_path / "result.xlsx"
    path.write_bytes(content)
    labelled = read_table(path)
    assert list(labelled.columns) == [
        *("metin", "puan", "Duygu", "Güven", "Olumsuz", "Tarafsız", "Olumlu")
    ]
    assert labelled["metin"].tolist() == TEXTS
    assert labelled["puan"].tolist() == ["0", "1", "2", "3", "4"]
    assert labelled["Duygu"].tolist() == ["Olumlu", "Olumsuz", "Tarafsız", "Olumlu", ""]
    assert labelled["Güven"].tolist() == ["0.93", "0.88", "0.6", "0.93", ""]
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["tweetsent", "Özet"]
    assert [[cell.value for cell in row] for row in book["Özet"].iter_rows(max_col=3)] == [
        ["Duygu", "Satır", "Pay"],
        ["Olumsuz", 1, 0.25],
        ["Tarafsız", 1, 0.25],
        ["Olumlu", 2, 0.5],
        ["Söz bulunmayan", 1, None],
        ["Toplam", 5, None],
    ]
    assert len(book["Özet"]._charts) == 1
    assert sent.result["reply_to_message"]["message_id"] == message_id
    caption = sent.result["caption"]
    assert "5 satır" in caption
    assert "😊 Olumlu: 2 (%50)" in caption
    assert "Söz bulunmayan satır: 1" in caption
    assert telegram.of("sendPhoto")[0].files["photo"].startswith(b"\x89PNG")
    (row,) = rows(database)
    assert (row.state, row.upload) == ("done", None)
    with Session(database) as session:
        assert session.scalars(select(PredictionRow)).all() == []
    assert list((settings.tweetsent_data_dir / "files").iterdir()) == []


def test_each_text_is_scored_once(telegram: BotApi, bot: RunningBot) -> None:
    telegram.send(document=telegram.upload("a.xlsx", table(*TEXTS)))
    documents(telegram)
    assert sorted(bot.classifier.texts) == sorted({text for text in TEXTS if text != "123"})


@pytest.mark.parametrize("encoding", ["utf-8", "cp1254"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_csv_comes_back_as_a_csv(
    telegram: BotApi, tmp_path: Path, encoding: str, separator: str
) -> None:
    lines = [f"yorum{separator}yıl", f"harika iş{separator}2024", f"=berbat iş{separator}2025"]
    content = "\r\n".join(lines).encode(encoding)
    telegram.send(document=telegram.upload("a.csv", content), caption="bunu etiketle")

    (result,) = documents(telegram)
    path = tmp_path / "result.csv"
    path.write_bytes(result)
    labelled = read_table(path)
    assert labelled["yıl"].tolist() == ["2024", "2025"]
    assert labelled["yorum"].tolist() == ["harika iş", "'=berbat iş"]
    assert labelled["Duygu"].tolist() == ["Olumlu", "Olumsuz"]
    assert "Olumlu: 1" in telegram.of("sendDocument")[0].result["caption"]


def test_the_lines_of_a_txt_come_back_as_a_workbook(telegram: BotApi) -> None:
    content = "harika bir gün\n\nberbat bir gün\n".encode()
    telegram.send(document=telegram.upload("günlük.txt", content))

    (result,) = documents(telegram)
    labelled = pd.read_excel(io.BytesIO(result))
    assert labelled["Metin"].tolist() == ["harika bir gün", "berbat bir gün"]
    assert labelled["Duygu"].tolist() == ["Olumlu", "Olumsuz"]


def test_no_cell_of_the_result_is_a_formula(telegram: BotApi) -> None:
    content = xlsx(["metin", "=1+1"], ["+harika bir iş", "x"], ["@berbat -1", "=HYPERLINK(1)"])
    telegram.send(document=telegram.upload("a.xlsx", content))

    (result,) = documents(telegram)
    sheet = openpyxl.load_workbook(io.BytesIO(result))["tweetsent"]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)


def test_hidden_sheets_are_not_read_and_the_user_is_told(telegram: BotApi) -> None:
    content = xlsx(["metin"], ["harika bir iş"], Sır=[["metin"], ["berbat bir iş"]])
    telegram.send(document=telegram.upload("a.xlsx", content))

    documents(telegram)
    caption = telegram.of("sendDocument")[0].result["caption"]
    assert "Sayfa: Veri" in caption
    assert "Gizli sayfaları okumam: Sır" in caption
    assert "Olumsuz: 0" in caption


TWO = xlsx(["yorum", "mesaj"], ["harika bir iş", "berbat bir iş"], ["harika bir gün", "x y z"])


def test_the_user_says_which_of_two_columns_holds_the_texts(telegram: BotApi) -> None:
    telegram.send(document=telegram.upload("a.xlsx", TWO))
    question = wait_status(telegram, "hangi sütunda")
    assert "2. mesaj: “berbat bir iş”" in question["text"]
    buttons = [row[0]["text"] for row in question["reply_markup"]["inline_keyboard"]]
    assert buttons == ["1. yorum", "2. mesaj", "✖️ İptal"]

    second = question["reply_markup"]["inline_keyboard"][1][0]["callback_data"]
    telegram.press(question, second)
    telegram.press(question, second)

    documents(telegram)
    wait_status(telegram, "hazır")
    assert "Sütun: mesaj" in telegram.of("sendDocument")[0].result["caption"]
    assert len(telegram.of("sendDocument")) == 1


def test_the_question_survives_a_restart(telegram: BotApi, bot: RunningBot) -> None:
    telegram.send(document=telegram.upload("a.xlsx", TWO))
    question = wait_status(telegram, "hangi sütunda")
    telegram.settle()
    bot.stop()
    bot.start()
    telegram.press(question, question["reply_markup"]["inline_keyboard"][0][0]["callback_data"])

    documents(telegram)
    assert "Sütun: yorum" in telegram.of("sendDocument")[0].result["caption"]


def test_a_new_file_takes_the_place_of_one_that_only_waits(
    telegram: BotApi, database: Engine
) -> None:
    telegram.send(document=telegram.upload("a.xlsx", TWO))
    question = wait_status(telegram, "hangi sütunda")
    telegram.send(document=telegram.upload("b.xlsx", table(*TEXTS)))
    documents(telegram)
    wait_status(telegram, "hazır")

    query = telegram.press(question, cancel(question))
    telegram.wait(lambda: [c for c in telegram.of("answerCallbackQuery") if query in str(c.params)])
    assert [row.state for row in rows(database)] == ["cancelled", "done"]


def test_messages_are_answered_meanwhile_and_another_file_is_not_taken(
    telegram: BotApi, bot: RunningBot
) -> None:
    telegram.send(document=telegram.upload("a.xlsx", table("bekle harika", "berbat")))
    telegram.wait(lambda: bot.classifier.waiting)
    telegram.send("harika")
    wait_status(telegram, "Olumlu · %93")
    telegram.send(document=telegram.upload("b.xlsx", table(*TEXTS)))
    wait_status(telegram, texts.files.ALREADY_ONE)
    telegram.send(document=telegram.upload("c.xlsx", table(*TEXTS)), user=8)
    telegram.wait(lambda: any("caption" in one for one in telegram.sent(8)))

    bot.classifier.release.set()
    assert len(documents(telegram, 2)) == 2


def test_only_the_sender_cancels_and_twice_does_no_harm(
    telegram: BotApi, bot: RunningBot, database: Engine, settings: Settings
) -> None:
    mention = [{"type": "mention", "offset": 0, "length": 10}]
    document = telegram.upload("a.xlsx", table("bekle harika", "berbat"))
    telegram.send(
        document=document, chat=GROUP, caption="@duygu_bot bunu", caption_entities=mention
    )
    telegram.wait(lambda: bot.classifier.waiting)
    status = telegram.wait(lambda: telegram.sent(GROUP))[0]

    telegram.press(status, cancel(status), user=8)
    telegram.wait_calls("answerCallbackQuery")
    assert [row.state for row in rows(database)] == ["running"]
    telegram.press(status, cancel(status))
    telegram.press(status, cancel(status))
    answers = telegram.wait_calls("answerCallbackQuery", 3)

    assert [answer.params["text"] for answer in answers] == [
        *(texts.files.NOT_YOURS, texts.answers.BUTTON_DONE, texts.files.TOO_LATE)
    ]
    wait_status(telegram, texts.files.CANCELLED, GROUP)
    assert [(row.state, row.upload) for row in rows(database)] == [("cancelled", None)]
    assert list((settings.tweetsent_data_dir / "files").iterdir()) == []
    telegram.send(document=telegram.upload("b.xlsx", table("harika bir iş")))
    assert len(documents(telegram)) == 1


def test_a_file_in_work_is_done_again_after_a_stop(
    telegram: BotApi, bot: RunningBot, settings: Settings
) -> None:
    telegram.send(document=telegram.upload("a.xlsx", table("bekle harika", "berbat")))
    telegram.wait(lambda: bot.classifier.waiting)
    telegram.settle()
    bot.stop()
    # What a process that was killed leaves behind.
    left = settings.tweetsent_data_dir / "files" / "tmp1"
    left.mkdir()
    (left / "file.xlsx").write_bytes(b"x")
    bot.classifier.release.set()
    bot.start()

    documents(telegram)
    wait_status(telegram, "hazır")
    assert not left.exists()
    assert len([one for one in telegram.sent() if "text" in one]) == 1


def test_what_may_have_been_sent_before_a_stop_is_not_sent_twice(
    telegram: BotApi, bot: RunningBot, database: Engine
) -> None:
    telegram.send(document=telegram.upload("a.xlsx", table("bekle harika", "berbat")))
    telegram.wait(lambda: bot.classifier.waiting)
    telegram.settle()
    bot.stop()
    with Session(database) as session:
        session.scalars(select(FileRow)).one().state = "delivering"  # type: ignore[assignment]
        session.commit()
    bot.start()

    wait_status(telegram, texts.files.INTERRUPTED)
    assert telegram.of("sendDocument") == []


def test_a_file_that_ends_the_bot_again_and_again_is_given_up(
    telegram: BotApi, bot: RunningBot
) -> None:
    telegram.send(document=telegram.upload("a.xlsx", table("bekle harika")))
    for _ in range(3):
        telegram.wait(lambda: bot.classifier.waiting)
        telegram.settle()
        bot.stop()
        bot.classifier.waiting = 0
        bot.start()

    wait_status(telegram, texts.files.INTERRUPTED)


def test_the_same_message_delivered_again_is_one_file(telegram: BotApi) -> None:
    message = telegram.message(document=telegram.upload("a.xlsx", table(*TEXTS)))
    telegram.push({"message": message})
    documents(telegram)
    telegram.push({"message": message})
    telegram.send("harika")
    wait_status(telegram, "Olumlu · %93")
    assert len(telegram.of("sendDocument")) == 1


@pytest.mark.parametrize("method", ["getFile", "download", "sendDocument", "sendMessage"])
def test_faults_on_the_way_are_waited_out(telegram: BotApi, method: str) -> None:
    telegram.faults[method] += [Fault.of(500, "Internal Server Error")] * 4
    telegram.send(document=telegram.upload("a.xlsx", table(*TEXTS)))

    assert len(documents(telegram)) == 1
    wait_status(telegram, "hazır")


def test_a_result_that_may_have_arrived_is_not_sent_again(telegram: BotApi) -> None:
    telegram.faults["sendDocument"].append(RESET_AFTERWARDS)
    telegram.send(document=telegram.upload("a.xlsx", table(*TEXTS)))

    wait_status(telegram, "hazır")
    assert len(telegram.of("sendDocument")) == 1
    assert len(telegram.of("sendPhoto")) == 1


def test_a_file_that_telegram_lost_is_asked_for_again(
    api: BotApi, bot: RunningBot, database: Engine
) -> None:
    bot.start()
    document = api.upload("a.xlsx", b"x")
    del api.files[document["file_id"]]
    api.send(document=document)

    wait_status(api, texts.files.UNREACHABLE)
    assert [row.state for row in rows(database)] == ["failed"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("bozuk bir model", texts.errors.MODEL), ("sistem çöktü yine", texts.errors.OTHER)],
)
def test_a_broken_model_is_one_sentence_and_a_log_line_without_texts(
    telegram: BotApi, redacted_log: Callable[[], str], text: str, reason: str
) -> None:
    telegram.send(document=telegram.upload("gizli adım.xlsx", table(text)))

    wait_status(telegram, texts.files.failed(reason))
    assert text not in redacted_log()
    assert "gizli" not in redacted_log()


def bomb() -> bytes:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 100_000_001)
    return buffer.getvalue()


OLE = bytes.fromhex("d0cf11e0a1b11ae1")


@pytest.mark.parametrize(
    ("name", "content", "flaw"),
    [
        ("a.xlsx", bomb(), Flaw.UNPACKED_SIZE),
        ("a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), Flaw.PROTECTED),
        ("a.xlsx", OLE + b"Workbook", Flaw.OLD_OFFICE),
        ("a.xlsx", b"metin\nharika\n", Flaw.NO_WORKBOOK),
        ("a.xlsx", table("harika")[:-200], Flaw.NO_WORKBOOK),
        ("a.csv", table("harika"), Flaw.WORKBOOK),
        ("a.txt", table("harika"), Flaw.WORKBOOK),
        ("a.csv", b"\0" * 10, Flaw.ENCODING),
        ("a.csv", b"metin\n", Flaw.EMPTY),
        ("a.csv", b"\n\n", Flaw.EMPTY),
        ("a.txt", b" \n\n", Flaw.EMPTY),
        ("a.xlsx", xlsx(), Flaw.EMPTY),
        ("a.csv", 'metin,yıl\n"harika,2024\n'.encode(), Flaw.QUOTE),
        ("a.csv", b"metin,b\nharika, ama,1\n", Flaw.CELLS),
        ("a.csv", b"bu film ne kadar da harika,1\nbu da,2\n", Flaw.NO_HEADER),
        ("a.xlsx", xlsx([f"s{n}" for n in range(201)], ["harika iş"]), Flaw.COLUMNS),
        ("a.txt", b"harika " * 5_000, Flaw.LONG_TEXT),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(
    telegram: BotApi, database: Engine, name: str, content: bytes, flaw: Flaw
) -> None:
    telegram.send(document=telegram.upload(name, content))

    wait_status(telegram, texts.files._FLAWS[flaw])
    assert [row.state for row in rows(database)] == ["failed"]


def test_a_workbook_damaged_inside_is_one_sentence(telegram: BotApi) -> None:
    content = table("harika").replace(b"xl/workbook.xml", b"xl/workbxxx.xml")
    telegram.send(document=telegram.upload("a.xlsx", content))
    wait_status(telegram, texts.files._BROKEN)


def test_no_column_of_texts_is_one_sentence(telegram: BotApi) -> None:
    telegram.send(document=telegram.upload("a.xlsx", xlsx(["ad", "yaş"], ["Ada", 3], ["Can", 4])))
    wait_status(telegram, texts.files.NO_TEXT_COLUMN)


def test_a_file_without_a_byte(telegram: BotApi) -> None:
    telegram.send(document=telegram.upload("a.csv", b""))
    wait_status(telegram, texts.files._FLAWS[Flaw.EMPTY])


@pytest.mark.parametrize("name", ["a.xls", "a.ods", "a.tsv"])
def test_other_tables_are_told_what_to_become(telegram: BotApi, name: str) -> None:
    telegram.send(document=telegram.upload(name, b"x"), caption="harika")
    wait_status(telegram, texts.files.OTHER_KIND)


def test_macros_make_no_difference(telegram: BotApi) -> None:
    telegram.send(document=telegram.upload("a.xlsm", table("harika bir iş")))
    assert "Duygu" in pd.read_excel(io.BytesIO(documents(telegram)[0])).columns


@pytest.fixture
def settings(settings: Settings) -> Settings:
    limits = {"tweetsent_file_mb": 1, "tweetsent_file_rows": 100, "tweetsent_files_per_day": 3}
    return settings.model_copy(update=limits)


def test_limits(telegram: BotApi) -> None:
    telegram.send(document=telegram.upload("a.csv", b"x" * 1_000_001))
    wait_status(telegram, texts.files.too_big(1))
    telegram.send(document=telegram.upload("a.csv", b"x" * 1_000_001, file_size=3))
    telegram.wait(lambda: len(telegram.sent()) == 2)
    telegram.wait(lambda: telegram.sent()[1]["text"] == texts.files.too_big(1))
    telegram.send(document=telegram.upload("a.txt", b"harika\n" * 101))
    wait_status(telegram, "en çok 100 olabilir")
    for count in range(1, 4):  # those that failed don't count
        telegram.send(document=telegram.upload("a.txt", b"harika\n" * 100))
        documents(telegram, count)
        telegram.wait(lambda n=count: len([s for s in telegram.sent() if "hazır" in str(s)]) == n)
    telegram.send(document=telegram.upload("a.txt", b"harika\n"))
    wait_status(telegram, texts.files.quota(3))


def test_progress_is_shown_in_one_message(telegram: BotApi) -> None:
    telegram.send(document=telegram.upload("a.xlsx", table(*TEXTS)))
    wait_status(telegram, "hazır")
    shown = [call.params["text"] for call in telegram.of("editMessageText")]
    assert any("%33" in text for text in shown)
    assert len([one for one in telegram.sent() if "text" in one]) == 1


def test_a_file_name_is_only_a_name(telegram: BotApi) -> None:
    name = "../../" + "ç" * 300 + "\x00.csv"
    telegram.send(document=telegram.upload(name, b"metin\nharika\n"))
    documents(telegram)
    assert len(telegram.of("sendDocument")[0].result["caption"]) < 1024
    telegram.send(document=telegram.upload("\u200b.csv", b"metin\nharika\n"))
    wait_status(telegram, texts.answers.UNSUPPORTED)
