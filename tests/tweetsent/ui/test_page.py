"""What all tabs share: who is refused, and what errors say; the browser's tests show the rest."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.testclient import TestClient

from bot.limits import RateLimiter
from tests.bot.tiny import TinyClassifier, open_services, settings_for
from tweetsent.errors import DataError, Flaw, StoreError
from tweetsent.ui.access import OWNER_COOKIE, OWNER_PATH, Access
from tweetsent.ui.app import build_app
from tweetsent.ui.page import Page, telling


@pytest.fixture
def shared(tmp_path: Path, empty_database: Path) -> Iterator[Page]:
    settings = settings_for(tmp_path, empty_database, "https://api.telegram.org", None)
    settings = settings.model_copy(
        update={"tweetsent_user_rate": 2, "tweetsent_ui_password": SecretStr("x" * 12)}
    )
    services = open_services(settings, TinyClassifier())
    access = Access(password="x" * 12)
    yield Page(settings, *services, access, tmp_path, RateLimiter(2, 60.0))
    services[0]._store.close()


def request(address: str, cookie: str = "") -> gr.Request:
    headers = [(b"cookie", cookie.encode())]
    return gr.Request(Request({"type": "http", "client": (address, 1), "headers": headers}))


def test_who_asks_too_often_waits_and_others_do_not(shared: Page) -> None:
    for _ in range(2):
        shared.admit(request("10.0.0.1"))
    with pytest.raises(gr.Error, match="Dakikada en çok 2 kez sorabilirsin"):
        shared.admit(request("10.0.0.1"))
    shared.admit(request("10.0.0.2"))
    token = shared.access.log_in("x" * 12)
    for _ in range(3):  # the owner has no limit
        shared.admit(request("10.0.0.1", f"{OWNER_COOKIE}={token}"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("x.csv: has no rows", Flaw.EMPTY), "Dosyada okunacak satır yok"),
        (StoreError("the disk is full"), "Şu an kayıtlarıma ulaşamıyorum"),
        (RuntimeError("a text of somebody"), "Bir şeyler ters gitti"),
    ],
)
def test_an_error_is_one_turkish_sentence(
    shared: Page, error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(gr.Error, match=said), telling(shared):
        raise error
    assert "somebody" not in caplog.text


def test_the_owners_pages_are_linked_where_there_are_some(shared: Page) -> None:
    for password, links in (("x" * 12, True), (None, False)):
        page = replace(shared, access=Access(password=password))
        front = TestClient(build_app(page)).get("/").text
        assert (f"{OWNER_PATH}/" in front) is links
