"""Dene in a browser: a text, its words, a correction, consent, a file, and what goes wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from sqlalchemy import Engine, text

from tests.tweetsent.ui.conftest import Pages, running_pages
from tweetsent.records import OWNER_ID
from tweetsent.ui.fragments import STRONGEST

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_CONTRAST = """([kind, strength]) => {
  const mark = document.querySelector("#words mark");
  mark.className = kind;
  mark.style.setProperty("--ts", strength);
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const style = getComputedStyle(mark);
  let page = mark.parentElement;
  while (parts(getComputedStyle(page).backgroundColor)[3] === 0) page = page.parentElement;
  const below = parts(getComputedStyle(page).backgroundColor);
  const [red, green, blue, alpha = 1] = parts(style.backgroundColor);
  const seen = [red, green, blue].map((part, at) => part * alpha + below[at] * (1 - alpha));
  const light = colour => {
    const [r, g, b] = colour.map(part => part / 255).map(
      part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const both = [light(parts(style.color)), light(seen)];
  return Math.max(...both) / Math.min(...both);
}"""
"""The contrast of a word with its colour, by the formula of WCAG 2."""
EVIL = '<img src=x onerror=alert(1)> harika <script>alert(2)</script> & "oldu"'


def ask(page: "Page", pages: Pages, written: str) -> None:
    page.goto(pages.url)
    page.get_by_label("Metin", exact=True).fill(written)
    page.get_by_role("button", name="Duygusunu söyle").click()


def rows(database: Engine, query: str) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_text_is_labelled_corrected_and_consented_to(
    page: "Page", pages: Pages, database: Engine, picture: Callable[[str], None]
) -> None:
    ask(page, pages, "Film harika ama sonu biraz uzun geldi")
    page.locator("#result").get_by_text("😊 Olumlu · %93").wait_for()
    assert page.get_by_role("img", name="Olumlu %93").is_visible()
    assert page.locator("#result").get_by_text("Model: tiny-1").is_visible()
    decisive = page.locator("#words mark", has_text="harika")
    decisive.wait_for()
    assert decisive.get_attribute("title") == "+73 puan"

    page.get_by_role("button", name="✏️ 😞 Olumsuz").click()
    page.get_by_text("✏️ Düzelttim: 😊 Olumlu → 😞 Olumsuz. Teşekkürler!").wait_for()
    assert page.locator("#correct button.primary").all_inner_texts() == ["✏️ 😞 Olumsuz"]
    page.locator("#consent").get_by_role("button", name="Evet, kullan").click()
    page.locator("#consent").wait_for(state="hidden")
    assert page.locator("#decided").get_by_text("Eğitim izni: verdin").is_visible()
    made = rows(
        database,
        "SELECT p.label, c.label, c.state, c.reason, u.consent FROM corrections c "
        "JOIN predictions p ON p.id = c.prediction_id JOIN users u ON u.id = c.user_id",
    )
    assert made[-1] == ("positive", "negative", "pending", "anonymous", "granted")
    page.locator("#privacy").get_by_text("Gizlilik ve eğitim izni").click()
    page.locator("#consent-state").get_by_text("Eğitim izni: verdin").wait_for()
    picture("dene")

    box = page.get_by_label("Metin", exact=True)
    box.fill("Bugün berbat")
    box.press("Enter")
    page.locator("#result").get_by_text("😞 Olumsuz · ").wait_for()
    assert page.locator("#correct button.primary").count() == 0

    page.locator("#erase").click()
    page.locator("#erase-yes").click()
    page.get_by_text("yazdığın her şeyi sildim").wait_for()
    assert rows(database, "SELECT id FROM predictions WHERE text LIKE 'Film%'") == []
    page.locator("#correct").wait_for(state="hidden")
    assert page.locator("#result .ts-label, #words mark").count() == 0


@pytest.fixture
def release(pages: Pages) -> Iterator[Path]:
    """Written, it lets those go on that wait for it."""
    path = pages.settings.tweetsent_data_dir / "release"
    yield path
    path.unlink(missing_ok=True)


def test_the_next_text_waits_for_no_words_and_gets_those_of_no_other(
    page: "Page", pages: Pages, release: Path
) -> None:
    ask(page, pages, "ağır ama harika bir gün")
    words = page.locator("#words")
    words.get_by_text("Kelimelerin etkisi hesaplanıyor").wait_for()
    box = page.get_by_label("Metin", exact=True)
    box.fill("berbat bir gün")
    box.press("Enter")
    words.locator("mark", has_text="berbat").wait_for()
    box.fill("berbat ve ağır bir gün")
    box.press("Enter")
    words.get_by_text("Kelimelerin etkisi hesaplanıyor").wait_for()
    box.fill("enfes bir gün")
    box.press("Enter")
    words.locator("mark", has_text="enfes").wait_for()
    release.touch()
    box.fill("bugün ağır")
    box.press("Enter")
    words.locator("mark", has_text="ağır").wait_for()
    assert words.locator("mark").all_inner_texts() == ["bugün", "ağır"]


def test_html_in_a_text_is_shown_as_text(page: "Page", pages: Pages) -> None:
    ask(page, pages, EVIL)
    page.locator("#words mark", has_text="harika").wait_for()
    assert page.locator("#words .ts-words").inner_text() == EVIL
    assert page.locator("#words img, #words script").count() == 0


def test_the_keyboard_is_enough(page: "Page", pages: Pages) -> None:
    page.goto(pages.url)
    page.locator("#ask").wait_for()  # Gradio draws one part after the other
    page.get_by_label("Metin", exact=True).press_sequentially("berbat bir gün")
    page.keyboard.press("Tab")
    page.locator("#ask:focus").wait_for()
    page.keyboard.press("Enter")
    page.locator("#words mark", has_text="berbat").wait_for()
    page.locator("#to-positive").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Düzelttim: 😞 Olumsuz → 😊 Olumlu").wait_for()


def test_what_was_written_survives_a_lost_connection(page: "Page", pages: Pages) -> None:
    page.goto(pages.url)
    page.locator("#ask").wait_for()
    page.context.set_offline(True)
    page.get_by_label("Metin", exact=True).fill("berbat bir gün")
    page.locator("#ask").click()
    page.get_by_text("Sunucuyla bağlantı koptu").wait_for()
    page.context.set_offline(False)
    page.get_by_text("sayfayı yeniledim").wait_for()
    assert page.get_by_label("Metin", exact=True).input_value() == "berbat bir gün"
    page.locator("#ask").click()
    page.locator("#words mark", has_text="berbat").wait_for()
    page.reload()
    page.locator("#ask").wait_for()
    assert page.get_by_label("Metin", exact=True).input_value() == ""


def test_without_words_a_sentence_says_what_is_missing(page: "Page", pages: Pages) -> None:
    ask(page, pages, "   ")
    page.get_by_text("Önce bir metin yaz.").wait_for()
    page.get_by_label("Metin", exact=True).fill("https://x.com/ali/status/1797")
    page.locator("#ask").click()
    page.get_by_text("metni kopyalayıp buraya yapıştırır mısın?").wait_for()


def test_a_list_shows_its_lines_and_an_unread_text_why(page: "Page", pages: Pages) -> None:
    ask(page, pages, "1. harika bir yer\n2. berbat servis\n3. yarın açık")
    page.locator("#words").get_by_text("😞 %88 berbat servis").wait_for()
    page.get_by_text("Kelimelerin etkisini yalnızca tek parçalı").wait_for()
    page.get_by_label("Metin", exact=True).fill("😍😍")
    page.get_by_role("button", name="Duygusunu söyle").click()
    page.get_by_text("değerlendirebileceğim bir söz bulamadım").wait_for()
    page.locator(".toast-title").get_by_text("Olmadı", exact=True).wait_for()
    page.get_by_role("button", name="Kapat").first.wait_for()
    page.locator("#result .error").wait_for(state="attached")
    assert page.locator("#result .error").is_hidden()  # nothing is drawn over what was there


def test_words_can_be_read_on_their_colours(page: "Page", pages: Pages) -> None:
    ask(page, pages, "harika bir gün")
    page.locator("#words mark").first.wait_for()
    for scheme in ("light", "dark"):
        page.evaluate("is => document.body.classList.toggle('dark', is)", scheme == "dark")
        for kind in ("", "ts-against"):
            assert page.evaluate(_CONTRAST, [kind, STRONGEST]) >= 4.5, (scheme, kind)


def test_a_failing_model_is_one_sentence(page: "Page", pages: Pages) -> None:
    ask(page, pages, "bu metin bozuk çöktü")
    page.get_by_text("Şu an mesajları değerlendiremiyorum").wait_for()
    assert "bu metin" not in pages.log.read_text("utf-8")


def test_a_file_comes_back_labelled(page: "Page", pages: Pages, tmp_path: Path) -> None:
    path = tmp_path / "anket.csv"
    path.write_text(
        "görüş,yorum\nürün harika çıktı,kargo berbat bir halde\n,kargo geldi bugün\n", "utf-8"
    )
    page.goto(pages.url)
    page.locator("#file-part").get_by_text("Bir dosyayı etiketle").click()
    page.locator("#file").get_by_text("Dosyayı buraya sürükle").wait_for()
    page.locator("#file input[type=file]").set_input_files(path)
    page.get_by_text("Metin olabilecek birden çok sütun var.").wait_for()
    page.get_by_label("Metinlerin sütunu").click()
    page.get_by_role("option", name="yorum").click()
    page.get_by_role("button", name="Etiketle", exact=True).click()
    page.get_by_text("😞 Olumsuz: 1 (%50)").wait_for()
    assert page.get_by_role("img", name="2 metnin duygusu").is_visible()
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "anket-duygu.csv"
    labelled = pd.read_csv(download.value.path())
    assert list(labelled["Duygu"]) == ["Olumsuz", "Tarafsız"]
    folder = pages.settings.tweetsent_data_dir / "ui"
    kept = [one for one in folder.rglob("*") if one.is_file() and one.stat().st_size]
    assert [one.name for one in kept] == ["anket-duygu.csv"]


def test_a_file_in_work_leaves_no_room_for_another(
    page: "Page", pages: Pages, tmp_path: Path, release: Path
) -> None:
    path = tmp_path / "liste.txt"
    path.write_text("ağır bir gün\nharika bir gün\n", "utf-8")
    page.goto(pages.url)
    page.locator("#file-part").get_by_text("Bir dosyayı etiketle").click()
    start = page.get_by_role("button", name="Etiketle", exact=True)
    assert start.is_disabled()
    choose = page.locator("#file input[type=file]")
    choose.set_input_files(path)
    start.click()
    page.locator("#file-status").get_by_text("Dosya okunuyor").wait_for()
    choose.wait_for(state="detached")
    assert start.is_disabled()
    page.get_by_role("button", name="Durdur", exact=True).click()
    page.get_by_text("Durdurdum ve dosyanı sildim.").wait_for()
    assert not list((pages.settings.tweetsent_data_dir / "ui").rglob("liste*"))
    page.locator("#stop-file").wait_for(state="hidden")
    assert page.locator("#file-status p").count() == 0

    choose.set_input_files(path)
    start.click()
    page.get_by_role("button", name="Durdur", exact=True).wait_for()
    choose.wait_for(state="detached")
    release.touch()
    page.get_by_text("😊 Olumlu: 1 (%50)").wait_for()
    choose.wait_for(state="attached")
    assert page.locator("#stop-file").is_hidden()
    choose.set_input_files(path)  # what was said of the one before goes
    page.locator("#download").wait_for(state="hidden")
    page.get_by_text("😊 Olumlu: 1 (%50)").wait_for(state="hidden")
    page.locator("#file-status").get_by_text("Sütun").wait_for()
    page.locator("#file").get_by_label("Temizle").click()
    page.locator("#file-status p").wait_for(state="hidden")
    assert start.is_disabled()


def test_a_file_in_work_keeps_no_process_from_stopping(
    browser: "Browser", tmp_path: Path, empty_database: Path
) -> None:
    path = tmp_path / "liste.txt"
    path.write_text("ağır bir gün\nharika bir gün\n", "utf-8")
    page = browser.new_page()
    with running_pages(tmp_path, empty_database) as pages:
        page.goto(pages.url)
        page.locator("#file-part").get_by_text("Bir dosyayı etiketle").click()
        page.locator("#file input[type=file]").set_input_files(path)
        page.get_by_role("button", name="Etiketle", exact=True).click()
        page.get_by_text("Dosya okunuyor").wait_for()
        while not (pages.settings.tweetsent_data_dir / "held").exists():
            page.wait_for_timeout(50)
    page.close()


def test_an_unreadable_file_says_why(page: "Page", pages: Pages, tmp_path: Path) -> None:
    page.goto(pages.url)
    page.locator("#file-part").get_by_text("Bir dosyayı etiketle").click()
    for name, said in (
        ("tablo.xlsx", "Adı .xlsx ama Excel dosyası değil"),
        ("resim.png", "Bu tür dosyaları okuyamıyorum"),
    ):
        path = tmp_path / name
        path.write_bytes(b"no workbook")
        page.locator("#file input[type=file]").set_input_files(path)
        page.get_by_text(said).wait_for()
        page.locator("#file").get_by_text(path.stem).wait_for(state="hidden")


def test_a_file_that_is_too_large_is_not_even_sent(page: "Page", pages: Pages) -> None:
    page.goto(pages.url)
    page.locator("#file-part").get_by_text("Bir dosyayı etiketle").click()
    choose = page.locator("#file input[type=file]")
    choose.wait_for(state="attached")
    most = pages.settings.tweetsent_file_mb
    large = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a" * (most * 1_000_000 + 1)}
    choose.set_input_files(large)
    page.get_by_text(f"Dosya çok büyük; en çok {most} MB okurum.").wait_for()
    assert choose.input_value() == ""
    assert page.get_by_role("button", name="Etiketle", exact=True).is_disabled()


def test_the_column_is_named_and_a_failure_leaves_nothing_behind(
    page: "Page", pages: Pages, tmp_path: Path
) -> None:
    path = tmp_path / "anket.csv"
    path.write_text("yorum,baslik\nbu bozuk bir ürün,hiç iyi bir ürün değil\n", "utf-8")
    page.goto(pages.url)
    page.locator("#file-part").get_by_text("Bir dosyayı etiketle").click()
    page.locator("#file input[type=file]").set_input_files(path)
    status = page.locator("#file-status")
    status.get_by_text("Sütun: yorum").wait_for()
    page.get_by_role("button", name="Etiketle", exact=True).click()
    page.get_by_text("Şu an mesajları değerlendiremiyorum").wait_for()
    status.locator("p").wait_for(state="hidden")
    assert page.locator("#file").get_by_text("anket").is_hidden()


def test_the_owner_writes_as_the_terminal_does(
    owner: "Page", pages: Pages, database: Engine
) -> None:
    from tweetsent.pseudonyms import Pseudonymiser, load_key

    ask(owner, pages, "sahibinden harika bir söz")
    owner.locator("#words mark", has_text="harika").wait_for()
    pseudonym = Pseudonymiser(load_key(pages.settings)).user(OWNER_ID)
    assert rows(
        database,
        "SELECT p.text FROM predictions p JOIN users u ON u.id = p.user_id "
        f"WHERE u.pseudonym = '{pseudonym}'",
    ) == [("sahibinden harika bir söz",)]
