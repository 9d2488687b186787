"""Files made to take a machine down: refused in little memory and time, and the rest goes on."""

import asyncio
import io
import os
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests.tweetsent.bombs import BOMBS, OK, sheet, workbook
from tweetsent import uploads
from tweetsent.errors import DataError, Flaw
from tweetsent.files import SHEETS, Sheets
from tweetsent.labelling import read_upload
from tweetsent.uploads import read_apart


def read(path: Path, rows: int = 10) -> list[list[str]]:
    return asyncio.run(read_apart(path, rows)).to_numpy().tolist()


def test_a_table_comes_over_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "Veri"
    for row in [["metin", "no"], ["çok güzel 😊", 1], ["=A1", None]]:
        book.active.append(row)
    book.create_sheet("Gizli").sheet_state = "hidden"
    book.save(path)

    table = asyncio.run(read_apart(path, 10))

    assert table.equals(read_upload(path, 10))
    assert table.attrs[SHEETS] == Sheets("Veri", (), ("Gizli",))


def test_what_is_wrong_comes_over_too(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("metin\niyi\n" * 6, "utf-8")
    with pytest.raises(DataError, match="more than 10 rows") as caught:
        read(path)
    assert caught.value.flaw is Flaw.ROWS


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BOMBS[name]())
    with pytest.raises(DataError):
        read(path)


def test_what_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = (*uploads._READER[:-1], "tests.tweetsent.slow_reader")
    monkeypatch.setattr(uploads, "_READER", reader)
    with pytest.raises(DataError, match="takes more than 60 s") as caught:
        read(tmp_path / "a.csv")
    assert caught.value.flaw is Flaw.SLOW


def test_a_cancelled_reader_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(sheet("<x/>" * 20_000_000)))

    async def cancel() -> None:
        before = children()
        task = asyncio.create_task(read_apart(path, 10))
        while not (ours := children() - before):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not ours & children()

    asyncio.run(cancel())


def children() -> set[int]:
    """Processes that this one started and has not seen the end of."""
    own = os.getpid()
    return {
        int(pid)
        for task in Path(f"/proc/{own}/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def test_no_entity_reads_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("gizli", "utf-8")
    path = tmp_path / "a.xlsx"
    entity = f'<!DOCTYPE l [<!ENTITY a SYSTEM "file://{secret}">]>'
    path.write_bytes(
        workbook(entity + sheet("<row><c t='inlineStr'><is><t>&a;</t></is></c></row>"))
    )
    with pytest.raises(DataError) as caught:
        read_upload(path, 10)
    assert "gizli" not in str(caught.value)


def test_a_member_that_lies_about_its_size_gives_no_more(tmp_path: Path) -> None:
    content = bytearray(workbook(sheet(OK) + " " * 1_000_000))
    directory = content.rindex(b"xl/worksheets/sheet1.xml") - 46
    content[directory + 24 : directory + 28] = (600).to_bytes(4, "little")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.getinfo("xl/worksheets/sheet1.xml").file_size == 600
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_upload(path, 10)
