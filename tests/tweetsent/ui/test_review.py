"""İnceleme in a browser: by keyboard, many at once, and back again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from tests.corrections import save_corrections
from tests.tweetsent.ui.conftest import Pages
from tests.tweetsent.ui.test_try_it import rows
from tweetsent.labels import Scores
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAID = "Fena değil ama pahalı", "Kargo üç günde anca geldi", "Bir daha mı, asla"
_KEYS_AT_ONCE = """keys => keys.forEach(key => document.body.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true })))"""
EVIL = "<b>kalın</b><script>alert(1)</script>"


def states(database: Engine) -> list[str]:
    return [str(state) for (state,) in rows(database, "SELECT state FROM corrections ORDER BY id")]


def execute(database: Engine, statement: str) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture(scope="module")
def waiting(pages: Pages, database: Engine) -> None:
    """Four corrections of which the model is sure that they are wrong."""
    store = Store(database, Pseudonymiser(load_key(pages.settings)))
    for number, text in enumerate((EVIL, *SAID), 101):
        save_corrections(store, number, [text], scores=Scores(0.01, 0.02, 0.97))


@pytest.mark.usefixtures("waiting")
def test_the_queue_is_worked_off_and_words_are_taken_back(
    page: "Page", pages: Pages, database: Engine, picture: Callable[[str], None]
) -> None:
    page.goto(f"{pages.url}/yonetim/")
    page.get_by_label("Parola").fill("correct-horse-battery")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="İnceleme").click()
    item, said = page.locator("#review-item"), page.locator("#review-said")
    item.get_by_text(f"“{EVIL}”").wait_for()
    assert item.locator("b, script").count() == 0

    assert page.locator("#review-undo").is_disabled()
    page.keyboard.press("k")
    item.get_by_text(f"“{SAID[0]}”").wait_for()
    assert states(database) == ["accepted", "pending", "pending", "pending"]
    page.keyboard.press("r")
    item.get_by_text(f"“{SAID[1]}”").wait_for()
    assert states(database) == ["accepted", "rejected", "pending", "pending"]
    page.keyboard.press("g")
    item.get_by_text(f"“{SAID[0]}”").wait_for()
    said.get_by_text("Geri aldım").wait_for()
    assert states(database) == ["accepted", "pending", "pending", "pending"]
    page.keyboard.press("a")
    item.get_by_text(f"“{SAID[1]}”").wait_for()

    page.locator("#bulk").get_by_text("Toplu karar").click()
    assert page.locator("#bulk-reject").is_disabled()
    page.get_by_title("Hepsini seç ya da bırak").check()
    page.get_by_role("button", name="❌ Seçilenleri reddet (3)").wait_for()
    page.get_by_title("Hepsini seç ya da bırak").uncheck()
    page.get_by_role("button", name="❌ Seçilenleri reddet", exact=True).wait_for()
    for text in (SAID[0], SAID[2]):
        page.get_by_label(f"“{text}”").check()
    picture("inceleme")
    page.get_by_role("button", name="❌ Seçilenleri reddet (2)").click()
    said.get_by_text("2 düzeltmeyi reddettim.").wait_for()
    assert states(database) == ["accepted", "rejected", "pending", "rejected"]
    page.locator("#review-undo").click()
    said.get_by_text("Geri aldım").wait_for()
    assert states(database) == ["accepted", "pending", "pending", "pending"]

    for shown in ("“" + SAID[1], "“" + SAID[2], "Sıranın sonu. Atlananlar: 3"):
        page.keyboard.press("a")
        item.get_by_text(shown).wait_for()
    assert page.locator("#review-accept").is_disabled()
    page.keyboard.press("k")
    page.keyboard.press("a")
    item.get_by_text(f"“{SAID[0]}”").wait_for()
    assert states(database) == ["accepted", "pending", "pending", "pending"]
    page.keyboard.press("g")
    item.get_by_text(f"“{EVIL}”").wait_for()
    assert states(database) == ["pending"] * 4
    assert page.locator("#review-undo").is_disabled()


@pytest.mark.usefixtures("waiting")
def test_a_key_decides_on_nothing_that_was_not_seen(owner: "Page", database: Engine) -> None:
    owner.get_by_role("tab", name="İnceleme").click()
    item = owner.locator("#review-item")
    item.get_by_text(f"“{EVIL}”").wait_for()
    owner.evaluate(_KEYS_AT_ONCE, ["k", "r"])  # whichever comes first
    owner.get_by_text("henüz görünmüyordu").wait_for()
    item.get_by_text(f"“{SAID[0]}”").wait_for()
    first, *others = states(database)
    assert first in {"accepted", "rejected"}
    assert others == ["pending"] * 3
    owner.keyboard.press("g")
    item.get_by_text(f"“{EVIL}”").wait_for()


@pytest.mark.usefixtures("waiting")
def test_what_was_decided_before_an_error_is_taken_back_too(
    owner: "Page", database: Engine
) -> None:
    owner.get_by_role("tab", name="İnceleme").click()
    owner.locator("#bulk").get_by_text("Toplu karar").click()
    said, undo = owner.locator("#review-said"), owner.locator("#review-undo")
    owner.get_by_label(f"“{SAID[1]}”").check()
    execute(database, "UPDATE corrections SET state = 'accepted' WHERE id = 3")
    owner.locator("#bulk-accept").click()
    said.get_by_text("0 düzeltmeyi kabul ettim. 1 tanesi artık beklemiyordu.").wait_for()
    assert undo.is_disabled()
    execute(database, "UPDATE corrections SET state = 'pending' WHERE id = 3")
    for text in (SAID[0], SAID[2]):
        owner.get_by_label(f"“{text}”").check()
    execute(
        database,
        "CREATE TRIGGER full BEFORE UPDATE ON corrections WHEN OLD.id = 4 "
        "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    owner.locator("#bulk-accept").click()
    owner.locator(".toast-title.error").wait_for()
    assert states(database)[1:] == ["accepted", "pending", "pending"]
    execute(database, "DROP TRIGGER full")
    undo.click()
    said.get_by_text("Geri aldım").wait_for()
    assert states(database)[1:] == ["pending"] * 3
