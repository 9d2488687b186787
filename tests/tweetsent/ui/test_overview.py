"""Durum in a browser: a correction shows in the numbers, pictures can be taken home."""

import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, update

from tests.tweetsent.ui.conftest import Pages
from tests.tweetsent.ui.test_try_it import ask
from tweetsent.labels import LABELS, Scores
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import Incoming
from tweetsent.sessions import writing
from tweetsent.store import Store
from tweetsent.tables import PredictionRow, utc_now

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def numbers(page: "Page") -> dict[str, str]:
    names, values = (page.locator(f"#numbers {tag}").all_inner_texts() for tag in ("dt", "dd"))
    return dict(zip(names, values, strict=True))


def test_what_was_tried_and_corrected_shows(owner: "Page", pages: Pages) -> None:
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
    assert shown["Yanıtların yarısı en geç"].endswith(" ms")
    assert shown["Yanıtların %99'u en geç"].endswith(" ms")
    assert owner.get_by_text("Makro-F1 1 düzeltmeye dayanıyor; incelenmemiş").is_visible()
    assert owner.get_by_text("30 düzeltmeden azıyla").is_visible()
    assert owner.locator("#pictures img").count() == 5
    with owner.expect_download() as download:
        owner.locator("#pictures a").first.click()
    assert download.value.suggested_filename == "gunler.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def fill(pages: Pages, database: Engine) -> None:
    """Two hundred messages of the last twenty days, a quarter of them judged."""
    store = Store(database, Pseudonymiser(load_key(pages.settings)))
    draw = random.Random(1)
    for number in range(200):
        scores = [draw.random() ** 3 + 0.01 for _ in LABELS]
        made = store.save_prediction(
            Incoming(number % 9 + 100, number, number, f"söz {number}"),
            Scores(*(score / sum(scores) for score in scores)),
            model_version="v2" if number < 90 else "v1",
            prompt_version="p1",
            latency_ms=80 + 200 * draw.random() ** 4,
        )
        with writing(database) as session:
            age = timedelta(days=20 * number / 200)
            session.execute(
                update(PredictionRow)
                .where(PredictionRow.id == made.id)
                .values(created_at=utc_now() - age)
            )
        if number % 4 == 0:
            is_right = draw.random() < made.scores.confidence
            right = made.scores.label if is_right else draw.choice(LABELS)
            store.correct(number % 9 + 100, made.id, right)


def test_periods_and_versions_are_shown_alone(
    owner: "Page", pages: Pages, database: Engine, picture: Callable[[str], None]
) -> None:
    fill(pages, database)
    owner.reload()
    expect = pytest.importorskip("playwright.sync_api").expect
    total = owner.locator("#numbers dd").first
    expect(total).to_have_text(re.compile("^20[0-9]$"))
    assert owner.get_by_text("düzeltmeye dayanıyor;").is_visible()
    assert owner.get_by_text("30 düzeltmeden azıyla").count() == 0
    expect(owner.locator("#pictures img")).to_have_count(5)
    picture("durum")
    for choice, option, left in (
        ("Model sürümü", "v1", "110"),
        ("Dönem", "Son 7 gün", "0"),
        ("Model sürümü", "v2", r"[67]\d"),
    ):
        owner.get_by_label(choice).click()
        owner.get_by_role("option", name=option).click()
        expect(total).to_have_text(re.compile(f"^{left}$"))


def refusing(status: int, detail: str) -> "Callable[[Route], None]":
    return lambda route: route.fulfill(status=status, json={"detail": detail})


def test_what_gradio_refuses_is_said_in_turkish(owner: "Page") -> None:
    gradio = pytest.importorskip("gradio")
    with pytest.raises(gradio.Error) as gone:
        gradio.Dropdown([0, 7]).preprocess(8)
    for refuse, said in (
        (refusing(422, gone.value.message), "Seçtiğin artık listede yok."),
        (refusing(503, "Queue is full. Max size is 64."), "Şu an çok istek var."),
    ):
        owner.route("**/queue/join*", refuse)
        owner.locator("#refresh").click()
        owner.get_by_test_id("toast-text").get_by_text(said).first.wait_for()
        owner.unroute("**/queue/join*")
