"""Veri in a browser: counts, what is worth a look, and files without what users took back."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import openpyxl
import pandas as pd
import pytest
from sqlalchemy import Engine

from tests.corrections import save_corrections
from tests.tweetsent.ui.conftest import MISLABELLED, NEAR, Pages
from training.export import export_snapshot
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import RunState, Trigger
from tweetsent.runs import Runs, snapshot_of
from tweetsent.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Download, Page

KEEPS, WITHDRAWS = 501, 502
TEXTS = {KEEPS: "<b>Pilav</b> taş gibiydi", WITHDRAWS: "Düğün salonu buz gibiydi"}


@pytest.fixture(scope="module")
def store(pages: Pages, database: Engine) -> Store:
    """With the set of a run, whose base data is that of the pages; one consent is withdrawn."""
    settings = pages.settings
    store = Store(database, Pseudonymiser(load_key(settings)), snapshots=settings.snapshots)
    for user, text in TEXTS.items():
        save_corrections(store, user, [text])
    lease = Runs(database).start(Trigger.CLI)
    export_snapshot(
        snapshot_of(settings.snapshots, lease.run_id),
        store,
        base_data=pages.log.parent / "base.csv",
        train_on_forwards=False,
    )
    lease.finish(RunState.FAILED, "stopped")
    store.set_consent(WITHDRAWS, False)
    return store


@pytest.fixture
def data(owner: "Page", store: Store) -> "Page":
    """The tab, with the set of the run chosen."""
    owner.get_by_role("tab", name="Veri").click()
    owner.locator("#set-counts img").wait_for()
    return owner


def cells(page: "Page", place: str) -> list[list[str]]:
    return [row.split("\t") for row in page.locator(f"{place} tbody tr").all_inner_texts()]


def made(page: "Page", button: str) -> "Download":
    page.get_by_role("button", name=button).click()
    page.locator("#set-prepared").get_by_text("maskelendi").wait_for()
    with page.expect_download() as download:
        page.locator("#set-download").click()
    return download.value


def test_a_set_is_counted_and_searched(data: "Page", picture: Callable[[str], None]) -> None:
    (listed,) = cells(data, "#sets")
    assert [listed[0], *listed[2:]] == ["Eğitim #1", "95", "93", "2"]
    counts = cells(data, "#set-counts")
    assert counts[1] == ["Düzeltmeler", "2", "0", "0", "2", "%2"]
    assert counts[2][4:] == ["95", "%100"]

    data.locator("#inspect").press("Enter")
    found = data.locator("#inspection")
    # A process that gives way to everything else on the machine.
    found.get_by_text("Şüpheli etiketler: 1").wait_for(timeout=250_000)
    assert found.get_by_text("1 düzeltme çıkarıldı").is_visible()
    rows = cells(data, "#inspection")
    assert rows[0] == [MISLABELLED.text, "😞 Olumsuz", "😊 Olumlu", "Temel veri"]
    assert [row[:2] for row in rows[1:]] == [["1", text] for text in NEAR]
    picture("veri")


def test_files_hold_no_formula_no_number_and_nothing_taken_back(data: "Page") -> None:
    download = made(data, "CSV hazırla")
    assert download.suggested_filename == "veri-000001.csv"
    table = pd.read_csv(download.path(), encoding="utf-8-sig")
    assert len(table) == 94
    assert TEXTS[KEEPS] in set(table["text"])
    assert TEXTS[WITHDRAWS] not in set(table["text"])
    assert [text for text in table["text"] if "1+1" in text] == ["'=1+1 eder, ara beni: [telefon]"]

    data.get_by_label("Veri kümesi", exact=True).click()
    data.get_by_role("option", name="Şimdi eğitilse").click()
    data.locator("#set-counts").get_by_text("94").first.wait_for()
    download = made(data, "Excel hazırla")
    assert download.suggested_filename == "veri-yeni.xlsx"
    sheet = openpyxl.load_workbook(io.BytesIO(download.path().read_bytes())).active
    assert sheet is not None
    (formula,) = (row[0] for row in sheet.iter_rows() if "1+1" in str(row[0].value))
    assert (formula.data_type, formula.value) == ("s", "=1+1 eder, ara beni: [telefon]")


def test_what_is_erased_is_in_no_set_any_more(data: "Page", store: Store, database: Engine) -> None:
    store.own.erase(KEEPS)
    data.locator("#inspect").click()
    data.get_by_text("Bu veri kümesi artık yok.").wait_for()
    data.locator("#data-refresh").click()
    data.locator("#sets").get_by_text("Henüz veri kümesi yok").wait_for()
    data.get_by_label("Veri kümesi", exact=True).click()
    data.get_by_role("option", name="Şimdi eğitilse").click()
    data.locator("#set-counts").get_by_text("93").first.wait_for()
