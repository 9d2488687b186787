"""Modeller in a browser: versions are compared, promoted and taken back; a run is watched."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from tests.corrections import save_corrections
from tests.training.test_gate import CHAMPION, LEARNT, TRUTH, answers, same
from tests.tweetsent.adapters import damage, make_adapter
from tests.tweetsent.ui.conftest import Pages
from training.gate import decide
from tweetsent.adapter import read_manifest, shipped_adapter, write_manifest
from tweetsent.figures import comparison_png, learning_curves_png
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import OWNER_ID, ActivatedBy, RunState, Trigger
from tweetsent.registry import Registry
from tweetsent.runs import Runs
from tweetsent.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHIPPED_VERSION = read_manifest(shipped_adapter()).version
WORSE = answers(TRUTH, same(40))
REFUSED = decide({"trkcetwit.csv": CHAMPION}, {"trkcetwit.csv": WORSE}, corrections=LEARNT)


def add(registry: Registry, folder: Path, version: str, *, wrong: int) -> None:
    """A version that was measured, with what a run draws of it."""
    adapter = make_adapter(folder, version)
    measured = answers(TRUTH, same(wrong))
    manifest = read_manifest(adapter)
    write_manifest(
        adapter, manifest.model_copy(update={"metrics": {"test.csv": measured.as_dict()}})
    )
    (adapter / "evaluation").mkdir()
    losses = [(step, 1 / (1 + step / 40)) for step in range(1, 200, 10)]
    scores = {"test.csv": [(66.0, 0.6), (132.0, 0.7), (198.0, 0.72)]}
    matrices = CHAMPION.metrics.confusion_matrix, measured.metrics.confusion_matrix
    for name, png in (
        ("learning-curves", learning_curves_png(losses, scores)),
        ("gate", comparison_png(*matrices, title="600 satır")),
    ):
        (adapter / "evaluation" / f"{name}.png").write_bytes(png)
    registry.add(adapter)


@pytest.fixture(scope="module")
def registry(pages: Pages, database: Engine, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Two versions, the second one refused by the run that made it."""
    registry = Registry.of(pages.settings, database)
    folder = tmp_path_factory.mktemp("made")
    add(registry, folder, "embedded-a1", wrong=20)
    registry.promote("embedded-a1", ActivatedBy.GATE, "run 1")
    add(registry, folder, "embedded-b2", wrong=40)
    lease = Runs(database).start(Trigger.SCHEDULE)
    lease.exported("0" * 64, 31)
    lease.made("embedded-b2")
    registry.refuse(
        "embedded-b2",
        REFUSED.reason,
        lambda session: lease.finish_with(
            session, RunState.REFUSED, REFUSED.reason, json.loads(json.dumps(REFUSED.as_dict()))
        ),
    )
    return registry


@pytest.fixture
def models(owner: "Page", registry: Registry) -> "Page":
    """The tab, with the refused version chosen."""
    owner.get_by_role("tab", name="Modeller").click()
    owner.locator("#version-detail img").first.wait_for()
    return owner


@pytest.fixture
def hold(pages: Pages) -> Iterator[Path]:
    """A file as long as which is there no version is loaded."""
    hold = pages.settings.tweetsent_data_dir / "hold"
    hold.touch()
    yield hold
    hold.unlink(missing_ok=True)


def answering(page: "Page") -> str:
    """The version that is said to answer."""
    return page.locator("#serving dl > div", has_text="Yanıt veren").locator("dd").inner_text()


def asked_in_a_minute(page: "Page") -> int:
    """How often the tab asks by itself while the clock runs a minute ahead."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    with page.expect_request("**/?last"):  # requests are seen in their order
        page.evaluate("() => fetch('/?last')")
    return sum("queue/join" in url for url in asked)


def comes_to_rest(page: "Page") -> bool:
    """Whether the tab soon asks no more by itself; what it began before may still be on its way."""
    return any(asked_in_a_minute(page) == 0 for _ in range(5))


def active(registry: Registry) -> str | None:
    model = registry.active()
    return model.version if model else None


def test_versions_stand_side_by_side_and_the_gate_says_why(
    models: "Page", picture: Callable[[str], None]
) -> None:
    listed = models.locator("#versions tbody tr")
    assert [row.split("\t")[:2] for row in listed.all_inner_texts()] == [
        ["embedded-b2", "geçemedi"],
        [SHIPPED_VERSION, "eski"],
        ["embedded-a1", "etkin"],
    ]
    detail = models.locator("#version-detail")
    compared = [row.split("\t") for row in detail.locator("tbody tr").all_inner_texts()]
    assert compared[0] == ["Makro-F1", "0,900", "0,800", "−0,100"]
    assert ["Duyarlılık: Olumsuz", "0,900", "0,800", "−0,100"] in compared
    assert detail.get_by_text("Geçemedi; nedenleri:").is_visible()
    assert detail.get_by_text("trkcetwit.csv: Makro-F1 düştü (0,90 → 0,80)").is_visible()
    assert detail.get_by_role("img", name="Öğrenme eğrileri").is_visible()
    with models.expect_download() as download:
        detail.get_by_role("link", name="Grafiği indir").first.click()
    assert download.value.suggested_filename == "embedded-b2-learning-curves.png"
    picture("modeller")

    models.get_by_label("Sürüme yakından bak").click()
    models.get_by_role("option", name=SHIPPED_VERSION).click()
    detail.get_by_text("Bu sürümü bir yeniden eğitim getirmedi").wait_for()
    assert detail.get_by_text("kurulumla geldi").is_visible()
    detail.get_by_role("img", name="Güven ve doğruluk: trkcetwit_valid").wait_for()


def test_a_version_is_promoted_and_taken_back_after_a_confirmation(
    models: "Page", registry: Registry, hold: Path
) -> None:
    question = models.locator("#models-question")
    models.locator("#promote").click()
    question.get_by_text("Yerine embedded-b2 devreye alınsın mı?").wait_for()
    assert question.get_by_text("Otomatik karar onu geçirmemişti.").is_visible()
    models.locator("#models-no").click()
    question.wait_for(state="hidden")
    assert active(registry) == "embedded-a1"

    models.locator("#promote").press("Enter")
    models.locator("#models-no:focus").wait_for()
    models.keyboard.press("Shift+Tab")
    models.keyboard.press("Enter")
    models.get_by_text("embedded-b2 etkin.").wait_for()
    assert active(registry) == "embedded-b2"
    assert registry.history("embedded-b2")[0].by is ActivatedBy.ADMIN
    models.locator("#serving").get_by_text("bir yönetici etkinleştirdi").wait_for()
    head = models.locator("#version-detail thead tr").first.inner_text().split("\t")
    assert head[1:] == ["embedded-a1", "embedded-b2", "Fark"]  # beside what served before
    assert models.locator("#promote").is_disabled()
    assert models.locator("#why-not").inner_text() == "Bu sürüm zaten etkin."
    loading = models.locator("#serving").get_by_text("Etkin sürüm henüz yüklenmedi")
    loading.wait_for()
    assert answering(models) != "embedded-b2"
    hold.unlink()
    loading.wait_for(state="hidden")  # nobody pressed anything
    assert answering(models) == "embedded-b2"

    models.locator("#roll-back").click()
    question.get_by_text("Önceki sürüme, embedded-a1, dönülsün mü?").wait_for()
    models.locator("#models-yes").click()
    models.get_by_text("embedded-a1 yeniden etkin.").wait_for()
    assert active(registry) == "embedded-a1"
    models.locator("#serving").get_by_text("bir yönetici geri döndü").wait_for()


def test_what_changed_since_the_question_is_not_overruled(
    models: "Page", registry: Registry, pages: Pages
) -> None:
    models.locator("#promote").click()
    models.locator("#models-question").wait_for()
    registry.promote(SHIPPED_VERSION, ActivatedBy.CLI)
    models.locator("#models-yes").click()
    models.get_by_text("Bu arada başka bir sürüm etkinleşmiş").wait_for()
    assert active(registry) == SHIPPED_VERSION

    damage(pages.settings.tweetsent_data_dir / "models" / "embedded-b2")
    models.locator("#promote").click()
    models.locator("#models-question").wait_for()
    models.locator("#models-yes").click()
    models.get_by_text("Bu sürümün dosyaları bozuk").wait_for()
    assert active(registry) == SHIPPED_VERSION


def test_a_version_is_waited_for_only_as_long_as_it_may_come(
    models: "Page", registry: Registry, pages: Pages, database: Engine, hold: Path, tmp_path: Path
) -> None:
    add(registry, tmp_path, "embedded-c3", wrong=20)
    models.clock.install()
    models.reload()
    models.get_by_role("tab", name="Modeller").click()
    serving, failed = models.locator("#serving"), models.get_by_text("kayıtlarıma ulaşamıyorum")
    registry.promote("embedded-c3", ActivatedBy.CLI)
    models.locator("#models-refresh").click()
    serving.get_by_text("henüz yüklenmedi").wait_for()
    assert asked_in_a_minute(models) > 0
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE models RENAME TO gone")
    failed.wait_for()
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO models")
    assert comes_to_rest(models)

    models.locator("#models-refresh").click()
    damage(pages.settings.tweetsent_data_dir / "models" / "embedded-c3")
    hold.unlink()
    serving.get_by_text("Etkin sürüm yüklenemedi; eskisi yanıt veriyor.").wait_for()
    assert serving.get_by_text("is damaged").is_visible()
    assert comes_to_rest(models)

    registry.promote("embedded-a1", ActivatedBy.CLI)
    models.locator("#models-refresh").click()
    serving.get_by_text("yüklenemedi").wait_for(state="hidden")
    serving.get_by_text("henüz yüklenmedi").wait_for(state="hidden")
    assert answering(models) == "embedded-a1"
    assert comes_to_rest(models)


def test_a_run_is_refused_started_watched_stopped_and_followed_to_its_end(
    models: "Page", pages: Pages, database: Engine
) -> None:
    run, start = models.locator("#run"), models.locator("#run-start")
    base = pages.log.parent / "base.csv"
    base.rename(base.with_suffix(".away"))
    models.locator("#models-refresh").click()
    run.get_by_text("Ayarlarda adı geçen veri dosyası yok").wait_for()
    assert start.is_disabled()
    base.with_suffix(".away").rename(base)
    models.locator("#models-refresh").click()
    run.get_by_text("Ayarlarda adı geçen").wait_for(state="hidden")

    start.click()
    models.get_by_text("Eğitimde kullanılabilecek 0 düzeltme var; en az 20").wait_for()
    store = Store(database, Pseudonymiser(load_key(pages.settings)), admin_ids={OWNER_ID})
    save_corrections(store, OWNER_ID, (f"yorum {number}" for number in range(20)))

    start.click()
    run.get_by_text("eğitiliyor %50").wait_for()
    assert run.get_by_text("✓ veriler hazırlanıyor").is_visible()
    assert start.is_disabled()
    models.locator("#run-stop").click()
    models.locator("#models-yes").click()
    models.get_by_text("Eğitimi durdurdum").wait_for()
    run.get_by_text("Bir yönetici durdurdu; şimdiki model çalışmaya devam ediyor.").wait_for()

    start.click()
    run.get_by_text("eğitiliyor %50").wait_for()
    ended = {"state": "refused", "reason": REFUSED.reason, "decision": REFUSED.as_dict()}
    end = pages.settings.tweetsent_data_dir / "end"
    end.with_suffix(".new").write_text(json.dumps(ended), encoding="utf-8")
    end.with_suffix(".new").rename(end)
    run.get_by_text("Bitti: yeni model devreye alınmadı.").wait_for()  # nobody pressed anything
    assert run.get_by_text("trkcetwit.csv: Makro-F1 düştü (0,90 → 0,80)").is_visible()
    states = [row.split("\t")[2] for row in models.locator("#runs tbody tr").all_inner_texts()]
    assert states == ["🟡 geçemedi", "⏹ durduruldu", "🟡 geçemedi"]
