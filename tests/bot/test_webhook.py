"""Updates that Telegram sends itself: who is let in, what is answered, nothing lost or doubled."""

import json
import re
import signal
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bot import fetching, webhook
from tests.bot.botapi import TOKEN, BotApi
from tests.bot.conftest import RunningBot
from tests.bot.test_running import process, run
from tweetsent.errors import ConfigError, StoreError, TelegramError
from tweetsent.inbox import Inbox
from tweetsent.settings import Settings

SECRET = "only-Telegram_knows-this"
URL = "https://bot.example.org/duygu"


@pytest.fixture
def settings(settings: Settings, api: BotApi, free_address: str) -> Settings:
    """Those of a bot behind a proxy."""
    api.proxied_to = f"http://{free_address}"
    return settings.model_copy(
        update={
            "telegram_webhook_url": URL,
            "telegram_webhook_listen": free_address,
            "telegram_webhook_secret": SecretStr(SECRET),
        }
    )


@pytest.fixture
def open_port(telegram: BotApi) -> BotApi:
    """Telegram with the webhook set."""
    telegram.wait_calls("setWebhook")
    return telegram


def post(
    api: BotApi, body: bytes, *, secret: str | None = SECRET, path: str = "/duygu"
) -> httpx.Response:
    headers = {} if secret is None else {webhook.SECRET_HEADER: secret}
    return httpx.post(f"{api.proxied_to}{path}", content=body, headers=headers)


def test_a_message_is_answered_without_a_question_for_updates(open_port: BotApi) -> None:
    open_port.send("harika")
    open_port.send("berbat")

    assert [answer["text"][0] for answer in open_port.wait_sent(2)] == ["😊", "😞"]
    (call,) = open_port.of("setWebhook")
    assert (call.params["url"], call.params["secret_token"]) == (URL, SECRET)
    assert json.loads(call.params["allowed_updates"]) == fetching.KINDS
    assert open_port.of("getUpdates") == open_port.of("deleteWebhook") == []


def test_the_same_update_twice_is_answered_once(open_port: BotApi) -> None:
    update = {"message": open_port.message("harika")}
    open_port.push(update, update_id=77)
    open_port.wait_sent()
    open_port.push(update, update_id=77)
    open_port.settle()
    open_port.send("berbat")

    assert [answer["text"][0] for answer in open_port.wait_sent(2)] == ["😊", "😞"]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", "ü"])
def test_who_does_not_know_the_secret_is_refused(
    open_port: BotApi, bot: RunningBot, secret: str | None
) -> None:
    body = json.dumps({"update_id": 1, "message": open_port.message("harika")}).encode()
    headers = [] if secret is None else [(webhook.SECRET_HEADER.encode(), secret.encode())]
    answer = httpx.post(f"{open_port.proxied_to}/duygu", content=body, headers=headers)

    assert answer.status_code == 403
    open_port.send("berbat")
    assert [sent["text"][0] for sent in open_port.wait_sent()] == ["😞"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no JSON", 400),
        (b"\xff\xfe", 400),
        (b"[1]", 400),
        (b"{}", 400),
        (b'{"update_id": "1"}', 400),
        (b'{"update_id": true}', 400),
        (b"[" * 100_000, 400),
        (b" " * (webhook.MAX_BYTES + 1), 413),
    ],
)
def test_what_is_no_update_is_refused(open_port: BotApi, body: bytes, status: int) -> None:
    assert post(open_port, body).status_code == status


def test_other_methods_and_paths_are_refused(open_port: BotApi) -> None:
    assert httpx.get(f"{open_port.proxied_to}/duygu").status_code == 405
    assert httpx.put(f"{open_port.proxied_to}/duygu").status_code == 405
    for path in ("/", "/health", "/metrics", "/duygu/", f"/bot{TOKEN}"):
        assert post(open_port, b"{}", path=path).status_code == 404


def test_a_full_inbox_sends_updates_back_until_there_is_room(
    open_port: BotApi, bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "CAPACITY", 1)
    open_port.send("bekle harika")
    open_port.wait(lambda: bot.classifier.waiting)
    open_port.send("berbat", user=8)
    open_port.wait(lambda: 503 in open_port.deliveries)
    bot.classifier.release.set()

    assert [sent["text"][0] for sent in open_port.wait_sent(1, 8)] == ["😞"]
    assert open_port.deliveries[-1] == 200


def test_what_the_database_refuses_comes_again_and_is_logged_once(
    open_port: BotApi, monkeypatch: pytest.MonkeyPatch, redacted_log: Callable[[], str]
) -> None:
    add = Inbox.add
    failures = iter(range(3))

    def sometimes_add(*args: Any) -> Any:
        if next(failures, None) is not None:
            raise StoreError("database x: disk full")
        return add(*args)

    monkeypatch.setattr(Inbox, "add", sometimes_add)
    open_port.send("harika")

    assert len(open_port.wait_sent()) == 1
    assert open_port.deliveries == [503, 503, 503, 200]
    assert redacted_log().count("updates can't be taken in: StoreError") == 1


def test_an_address_without_a_path_gets_one(settings: Settings, api: BotApi) -> None:
    running = RunningBot(
        settings.model_copy(update={"telegram_webhook_url": "https://bot.example.org"})
    )
    running.start()
    api.send("harika")
    api.wait_sent()
    running.stop()

    assert api.of("setWebhook")[0].params["url"] == "https://bot.example.org/telegram"


def test_a_secret_of_its_own_is_made_anew_at_each_start(settings: Settings, api: BotApi) -> None:
    running = RunningBot(settings.model_copy(update={"telegram_webhook_secret": None}))
    for count in (1, 2):
        running.start()
        api.wait_calls("setWebhook", count)
        running.stop()

    first, second = (call.params["secret_token"] for call in api.of("setWebhook"))
    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9_-]{40,}", first)


def test_a_port_in_use_is_a_readable_error(settings: Settings, api: BotApi) -> None:
    host, port = settings.telegram_webhook_listen.split(":")
    refusal = pytest.raises(ConfigError, match="TELEGRAM_WEBHOOK_LISTEN: can't listen on 127")
    with socket.create_server((host, int(port))), refusal:
        run(settings)
    assert api.of("setWebhook") == []


@pytest.mark.parametrize("url", ["http://bot.example.org/x", "https://bot.example.org:8081/x"])
def test_an_address_that_telegram_refuses_is_a_readable_error(settings: Settings, url: str) -> None:
    with pytest.raises(TelegramError, match="refuses TELEGRAM_WEBHOOK_URL: Bad webhook"):
        run(settings.model_copy(update={"telegram_webhook_url": url}))


def test_running_takes_the_webhook_away_and_gets_what_waited(
    settings: Settings, api: BotApi
) -> None:
    api.webhook = {"url": URL, "secret_token": SECRET}
    api.send("harika")
    running = RunningBot(settings.model_copy(update={"telegram_webhook_url": None}))
    running.start()

    assert len(api.wait_sent()) == 1
    running.stop()


def test_at_the_stop_the_port_closes_first_and_nothing_is_lost_or_doubled(
    settings: Settings, api: BotApi, bot: RunningBot
) -> None:
    stopped = process(
        settings,
        TELEGRAM_WEBHOOK_URL=URL,
        TELEGRAM_WEBHOOK_LISTEN=settings.telegram_webhook_listen,
        TELEGRAM_WEBHOOK_SECRET=SECRET,
    )
    api.send("bekle harika")
    api.wait_calls("sendChatAction")
    stopped.send_signal(signal.SIGTERM)
    api.wait(lambda: not is_open(settings.telegram_webhook_listen))
    assert stopped.poll() is None
    api.send("berbat")
    api.wait(lambda: 0 in api.deliveries)
    _, errors = stopped.communicate("release\n", timeout=30)

    assert stopped.returncode == 0
    assert "Traceback" not in errors
    assert SECRET not in errors
    assert [answer["text"][0] for answer in api.sent()] == ["😊"]
    bot.start()
    assert [answer["text"][0] for answer in api.wait_sent(2)] == ["😊", "😞"]


def is_open(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as connection:
        return connection.connect_ex((host, int(port))) == 0
