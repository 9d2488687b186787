"""The guard before the pages, asked without a browser as an attacker would."""

import http.client
from urllib.parse import urlencode, urlsplit

import pytest

from tests.tweetsent.ui.conftest import PASSWORD, Pages
from tweetsent.ui.access import OWNER_COOKIE, VISITOR_COOKIE, Access

OWNER_URLS = (
    "/yonetim/config",
    "/yonetim/gradio_api/info",
    "/yonetim/gradio_api/queue/data?session_hash=x",
    "/%79onetim/config",
)


def ask(
    pages: Pages, path: str, body: str | None = None, **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(pages.url).netloc, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET" if body is None else "POST", path, body, named)
    answer = connection.getresponse()
    answer.text = answer.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
    return answer


def log_in(pages: Pages, password: str) -> http.client.HTTPResponse:
    body = urlencode({"password": password})
    return ask(pages, "/giris", body, Content_Type="application/x-www-form-urlencoded")


def test_only_a_login_opens_what_is_the_owners(pages: Pages) -> None:
    for path in OWNER_URLS:
        assert ask(pages, path).status == 401, path
        assert ask(pages, path, Cookie=f"{OWNER_COOKIE}=guessed").status == 401, path
    join = '{"fn_index": 0, "data": [], "session_hash": "x"}'
    assert ask(pages, "/yonetim/gradio_api/queue/join", join).status == 401
    assert ask(pages, "/yonetim/").getheader("Location") == "/giris"

    answer = log_in(pages, PASSWORD)
    assert (answer.status, answer.getheader("Location")) == (303, "/yonetim/")
    cookie = str(answer.getheader("Set-Cookie"))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = cookie.partition(";")[0]
    assert ask(pages, "/yonetim/config", Cookie=session).status == 200
    assert ask(pages, "/cikis", "", Cookie=session).status == 303
    assert ask(pages, "/yonetim/config", Cookie=session).status == 401


def test_other_names_and_other_sites_are_refused(pages: Pages) -> None:
    host = urlsplit(pages.url).netloc
    assert ask(pages, "/", Host="evil.example").status == 421
    assert ask(pages, "/", Host=host.replace("127.0.0.1", "localhost")).status == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        assert ask(pages, "/giris", "password=x", Origin=origin).status == 403, origin
    assert ask(pages, "/config", Sec_Fetch_Site="cross-site").status == 403
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(pages, "/", **followed).status == 200


def test_the_page_serves_no_files_and_no_description_of_itself(pages: Pages) -> None:
    database = pages.settings.tweetsent_data_dir / "tweetsent.db"
    for path in (database, "/etc/passwd", "pyproject.toml"):
        assert ask(pages, f"/gradio_api/file={path}").status in {403, 404}, path
    assert ask(pages, "/openapi.json").status == 404
    assert '"named_endpoints":{}' in ask(pages, "/gradio_api/info").text  # type: ignore[attr-defined]
    page = ask(pages, "/")
    assert "frame-ancestors 'none'" in str(page.getheader("Content-Security-Policy"))
    assert VISITOR_COOKIE in str(page.getheader("Set-Cookie"))


def test_who_asks_for_nothing_gets_nothing(pages: Pages) -> None:
    """As a page that was closed and comes back; the fixture looks for a traceback in the log."""
    answer = ask(pages, "/gradio_api/queue/data?session_hash=nobody")
    assert answer.status == 200
    assert ask(pages, "/").status == 200


def test_wrong_passwords_are_refused_and_soon_not_heard(pages: Pages) -> None:
    answers = [log_in(pages, f"guess-{number}") for number in range(10)]
    assert [answer.status for answer in answers] == [401] * 9 + [429]
    assert "Parola yanlış" in answers[0].text  # type: ignore[attr-defined]
    assert log_in(pages, PASSWORD).status == 429
    assert "guess-1" not in pages.log.read_text("utf-8")


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        *((host, True) for host in ("127.0.0.1:7860", "[::1]:7860", "10.0.0.5", "bot.example.org")),
        *((host, False) for host in ("evil.example", "127.0.0.1.evil.example", "", "[")),
    ],
)
def test_which_hosts_are_answered(host: str, is_ours: bool) -> None:
    names = {"127.0.0.1", "::1", "bot.example.org"}
    assert Access(names, any_address=True).answers_to(host) is is_ours


def test_no_cookie_makes_its_visitor_one_of_the_bots_users() -> None:
    access = Access()
    ids = {access.user_id({VISITOR_COOKIE: value}) for value in ("1", "42", "42", "é")}
    assert len(ids) == 3
    assert all(2**60 <= user_id < 2**63 for user_id in ids)
    assert access.log_in("") is None  # without a password nobody gets in
    assert "secret" not in repr(Access(password="secret"))
