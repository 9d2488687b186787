"""Durum in a browser: a correction shows in the numbers, pictures can be taken home."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.tweetsent.ui.conftest import Pages
from tests.tweetsent.ui.test_try_it import ask

if TYPE_CHECKING:
    from playwright.sync_api import Page


def numbers(page: "Page") -> dict[str, str]:
    names, values = (page.locator(f"#numbers {tag}").all_inner_texts() for tag in ("dt", "dd"))
    return dict(zip(names, values, strict=True))


def test_what_was_tried_and_corrected_shows(
    owner: "Page", pages: Pages, picture: Callable[[str], None]
) -> None:
    owner.get_by_text("Bu seçimde henüz tahmin yok.").wait_for()
    for text in ("harika bir gün", "berbat bir gün", "sıradan bir gün"):
        ask(owner, pages, text)
        owner.locator("#words mark").first.wait_for()
    owner.locator("#to-negative").click()
    owner.get_by_text("Düzelttim: 😐 Tarafsız → 😞 Olumsuz").wait_for()

    owner.goto(f"{pages.url}/yonetim/")
    owner.get_by_role("img", name="Güven ve doğruluk").wait_for()
    shown = numbers(owner)
    assert (shown["Tahmin"], shown["Düzeltme"], shown["Doğruluk"]) == ("3", "1", "%0")
    assert shown["Süre, %99"].endswith(" ms")
    assert owner.locator("#pictures img").count() == 5
    with owner.expect_download() as download:
        owner.locator("#pictures a").first.click()
    assert download.value.suggested_filename == "gunler.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    picture("durum")

    owner.get_by_label("Dönem").click()
    owner.get_by_role("option", name="Son 7 gün").click()
    owner.get_by_label("Model sürümü").click()
    owner.get_by_role("option", name="tiny-1").click()
    owner.wait_for_timeout(500)
    assert numbers(owner)["Tahmin"] == "3"
