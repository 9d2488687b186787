"""The running pages and a browser to look at them.

With UI_PICTURES=1 the tests write what they see to docs/pictures, for the README.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from filelock import FileLock
from sqlalchemy import Engine

from tests.bot.tiny import settings_for
from tests.training.test_screening import wordy
from tweetsent.database import create_engine_for
from tweetsent.labels import Label
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[3]
PASSWORD = "correct-horse-battery"
PICTURES = ROOT / "docs" / "pictures"
MISLABELLED, *CREDIBLE = sorted(wordy(90), key=lambda row: row.label is not Label.POSITIVE)
NEAR = (
    "Kargo bugün geldi, kutusu biraz ezilmiş ama içindeki her şey sağlam çıktı, yine alırım",
    "Kargo bugün geldi, kutusu biraz ezilmiş ama içindeki her şey sapasağlam, yine de alırım",
)
FORMULA = "=1+1 eder, ara beni: 0532 123 45 67"
BASE_DATA = [
    (MISLABELLED.text, Label.NEGATIVE),
    *((row.text, row.label) for row in CREDIBLE),
    *zip(NEAR, (Label.POSITIVE, Label.NEUTRAL), strict=True),
    (FORMULA, Label.NEUTRAL),
]
"""What runs of the pages would train on."""
_PATIENCE_SECONDS = 90.0
_DESKTOP, _PHONE = (1100, 900), (390, 844)


@dataclass(frozen=True)
class Pages:
    """A process of the pages."""

    url: str
    settings: Settings
    log: Path


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Pages]:
    with running_pages(tmp_path_factory.mktemp("ui"), empty_database) as pages:
        yield pages


@contextmanager
def running_pages(folder: Path, empty_database: Path) -> Iterator[Pages]:
    """Until the end of the block, which Ctrl-C makes, whatever goes on."""
    settings = settings_for(folder, empty_database, "https://api.telegram.org", None)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    pages = Pages(f"http://127.0.0.1:{port}", settings, folder / "log")
    base = folder / "base.csv"
    pd.DataFrame(BASE_DATA, columns=["text", "label"]).to_csv(base, index=False)  # as it stands
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TWEETSENT")},
        "TWEETSENT_DATA_DIR": str(settings.tweetsent_data_dir),
        "TWEETSENT_UI_PASSWORD": PASSWORD,
        "TWEETSENT_USER_RATE": "60",
        "TWEETSENT_BASE_DATA": str(base),
        "PYTHONPATH": str(ROOT),
    }
    with pages.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.tweetsent.ui.process", str(port)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(pages, process)
        yield pages
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE_SECONDS) == 0
    assert re.search("Traceback|without completing", pages.log.read_text("utf-8")) is None
    assert list((settings.tweetsent_data_dir / "ui").iterdir()) == []


def _wait_for(pages: Pages, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            urllib.request.urlopen(pages.url, timeout=_PATIENCE_SECONDS).close()
            return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, pages.log.read_text("utf-8")
            assert time.monotonic() < until, pages.log.read_text("utf-8")
            time.sleep(0.1)


@pytest.fixture(scope="module")
def database(pages: Pages) -> Iterator[Engine]:
    """The pages' database, beside their process."""
    engine = create_engine_for(pages.settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    # Tests run in several processes, of which one installs it.
    with FileLock(Path(tempfile.gettempdir()) / "tweetsent-chromium.lock"):
        program = shutil.which("chromium") or _installed_chromium()
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=1e3 * _PATIENCE_SECONDS)
    with sync_api.sync_playwright() as playwright:
        # To draw with no GPU is cheaper than with one that is imitated.
        arguments = ["--disable-gpu", *(["--no-sandbox"] if os.getuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def _installed_chromium() -> str:
    """Debian's, where we may install it; else the tests say why they are skipped."""
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    packages = ["chromium", "fonts-noto-color-emoji"]
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    for command in (["apt-get", "update"], install):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
        if done.returncode:
            pytest.skip(f"Chromium can't be installed: {done.stderr.strip().splitlines()[-1:]}")
    return "/usr/bin/chromium"


@pytest.fixture(scope="module")
def context(browser: "Browser") -> "BrowserContext":
    """What keeps the pages' scripts, so that not every test reads and compiles them anew."""
    return browser.new_context(
        locale="en-US",  # the pages are in Turkish nevertheless
    )


@pytest.fixture
def page(context: "BrowserContext", pages: Pages) -> Iterator["Page"]:
    """A tab of somebody who was never here; nothing on it may come from elsewhere or fail."""
    context.clear_cookies()
    context.set_offline(False)
    page = context.new_page()
    page.set_viewport_size(dict(zip(("width", "height"), _DESKTOP, strict=True)))
    page.set_default_timeout(1e3 * _PATIENCE_SECONDS)
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    yield page
    page.close()
    local = (pages.url, "data:", "blob:")
    assert [url for url in asked if not url.startswith(local)] == []
    assert problems == []


@pytest.fixture
def owner(page: "Page", pages: Pages) -> "Page":
    """A browser in which the owner is logged in, on the first of their tabs."""
    page.goto(f"{pages.url}/yonetim/")
    page.get_by_label("Parola").fill(PASSWORD)
    page.get_by_role("button", name="Giriş yap").click()
    page.get_by_role("button", name="Çıkış yap").wait_for()
    return page


@pytest.fixture
def picture(page: "Page") -> Callable[[str], None]:
    """Writes the page for the README, where it is asked for: as on a desk and on a phone."""

    def take(name: str) -> None:
        if not os.environ.get("UI_PICTURES"):
            return
        PICTURES.mkdir(exist_ok=True)
        for kind, scheme, (width, height) in (
            ("desktop", "light", _DESKTOP),
            ("phone", "dark", _PHONE),
        ):
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
            page.wait_for_timeout(400)
            page.screenshot(path=PICTURES / f"ui-{name}-{kind}.png", full_page=True)

    return take
