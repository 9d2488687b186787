"""Updates that Telegram sends itself: who is let in, what is answered, nothing lost or doubled."""

import gzip
import json
import re
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bot import fetching, http, webhook
from tests.bot.botapi import PATIENCE_SECONDS, TOKEN, BotApi
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
    _, errors = stopped.communicate("release\n", timeout=PATIENCE_SECONDS)

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


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can wait for."""
    monkeypatch.setattr(http, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr(http, "LINGER_SECONDS", 0.1)
    monkeypatch.setattr(webhook, "BODY_SECONDS", 0.5)


HEAD = f"POST /duygu HTTP/1.1\r\nHost: x\r\n{webhook.SECRET_HEADER}: {SECRET}\r\n"
LENGTH = "Content-Length: 90000\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"


def connected(settings: Settings) -> socket.socket:
    host, port = settings.telegram_webhook_listen.split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def trickle(connection: socket.socket, begin: str, more: str) -> bytes:
    """What the bot says to a sender who never comes to an end, until it hangs up."""
    answer = b""
    connection.settimeout(0.05)
    with suppress(ConnectionError):
        connection.sendall(begin.encode())
        while True:
            with suppress(TimeoutError):
                received = connection.recv(1000)
                if not received:
                    break
                answer += received
            connection.sendall(more.encode())
    return answer


@pytest.mark.parametrize(
    ("begin", "more", "answer"),
    [
        ("", "", b""),
        ("P", "", b""),
        (HEAD, "X-More: a\r\n", b""),
        (HEAD + LENGTH, "", b"HTTP/1.1 408"),
        (HEAD + LENGTH, " ", b"HTTP/1.1 408"),
        (HEAD + CHUNKED, "1\r\n \r\n", b"HTTP/1.1 408"),
        (
            HEAD + CHUNKED,
            "10000\r\n" + " " * 0x10000 + "\r\n",
            b"",
        ),  # its own data drowns the answer
        (HEAD + "X: " + "a" * 10_000, "a", b"HTTP/1.0 400"),
    ],
    ids=["silent", "half a word", "head", "no body", "body", "chunks", "endless", "long head"],
)
def test_who_never_ends_is_hung_up_on_while_others_are_served(
    hurried: None,
    open_port: BotApi,
    settings: Settings,
    redacted_log: Callable[[], str],
    begin: str,
    more: str,
    answer: bytes,
) -> None:
    with connected(settings) as slow, ThreadPoolExecutor(1) as pool:
        ending = pool.submit(trickle, slow, begin, more)
        open_port.send("harika")
        assert [sent["text"][0] for sent in open_port.wait_sent()] == ["😊"]
        assert ending.result(60).startswith(answer)
    assert "127.0.0.1" not in redacted_log()


def test_many_idle_connections_keep_nobody_out(open_port: BotApi, settings: Settings) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connected(settings)).sendall(HEAD.encode())
        open_port.send("harika")
        assert len(open_port.wait_sent()) == 1


def test_a_body_that_unpacks_to_too_much_is_refused(open_port: BotApi) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    headers = {webhook.SECRET_HEADER: SECRET, "Content-Encoding": "gzip"}
    assert len(packed) < webhook.MAX_BYTES
    answer = httpx.post(f"{open_port.proxied_to}/duygu", content=packed, headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"update_id": 1e5}', 400),
        (b'{"update_id": NaN}', 400),
        (b'{"update_id": 9223372036854775808}', 400),
        (b'{"update_id": 1' + b"0" * 5000 + b"}", 400),
        (b'{"update_id": 1, "message": {"chat": {"id": 9223372036854775808}}}', 400),
        (b'{"update_id": null, "update_id": 5}', 200),
        (b'{"update_id": 6, "message": []}', 200),
        (b'{"update_id": 7, "message": {"chat": {"id": "x"}, "text": 1}}', 200),
        (b'{"update_id": 8, "callback_query": {"from": {"id": 7}, "data": {}}}', 200),
        (b'{"update_id": 9, "\\ud83d": "\\ud83d\\u0000"}', 200),
        ('{"update_id": 10}'.encode("utf-16"), 200),
    ],
)
def test_strange_updates_are_refused_or_forgotten_and_the_next_one_is_answered(
    open_port: BotApi, bot: RunningBot, body: bytes, status: int
) -> None:
    assert post(open_port, body).status_code == status
    open_port.send("berbat")
    assert [sent["text"][0] for sent in open_port.wait_sent()] == ["😞"]


@pytest.mark.parametrize(
    "message",
    [
        {"message_id": 10**30},
        {"message_id": -1},
        {"date": 10**18},
        {"from": {"id": 10**30, "is_bot": False, "first_name": "A"}},
        {"text": "harika\x00\ud83d"},
        {"text": "a" * 900_000},
        {"entities": [{"type": "mention", "offset": -5, "length": 10**9}]},
        {"reply_to_message": {"message_id": 0, "date": 0, "chat": {"id": 7, "type": "x"}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_message_of_absurd_content_stops_nothing(
    open_port: BotApi, bot: RunningBot, message: dict[str, Any]
) -> None:
    forged = open_port.message("harika", user=7) | message
    body = json.dumps({"update_id": 11, "message": forged}).encode()
    assert post(open_port, body).status_code == 200
    open_port.send("berbat", user=8)
    assert [sent["text"][0] for sent in open_port.wait_sent(1, 8)] == ["😞"]
    open_port.send("berbat", user=7)
    open_port.wait(lambda: open_port.sent(7)[-1:] and open_port.sent(7)[-1]["text"][0] == "😞")
