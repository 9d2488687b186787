"""The HTTP client of the Bot API, by itself."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from telegram.error import NetworkError, TimedOut

from bot.client import NEVER_LEFT, AiohttpRequest
from tests.bot.botapi import BOT, TOKEN, BotApi, Fault


def post(url: str, **timeouts: float) -> Any:
    async def main() -> Any:
        client = AiohttpRequest(connections=2, read_timeout=10.0)
        await client.initialize()
        await client.initialize()  # the bot's two ways to ask share it
        try:
            return await client.post(url, **timeouts)
        finally:
            await client.shutdown()
            await client.shutdown()

    return asyncio.run(main())


def test_an_answer_that_does_not_come_in_time(api: BotApi) -> None:
    api.faults["getMe"].append(Fault(late_seconds=5.0))

    with pytest.raises(TimedOut) as caught:
        post(f"{api.base_url}/bot{TOKEN}/getMe", read_timeout=0.1)

    assert not isinstance(caught.value.__cause__, NEVER_LEFT)


def test_what_never_left_can_be_told_from_what_may_have_arrived(
    free_address: str, answering: Callable[[bytes], str]
) -> None:
    with pytest.raises(NetworkError, match=f"(?s){free_address.partition(':')[0]}") as caught:
        post(f"http://{free_address}/bot{TOKEN}/getMe")
    assert isinstance(caught.value.__cause__, NEVER_LEFT)

    with pytest.raises(NetworkError) as caught:
        post(f"{answering(b'')}/bot{TOKEN}/getMe")
    assert not isinstance(caught.value.__cause__, NEVER_LEFT)


def test_an_error_does_not_quote_the_token(answering: Callable[[bytes], str]) -> None:
    with pytest.raises(NetworkError) as caught:
        post(f"{answering(b'no HTTP at all')}/bot{TOKEN}/getMe")

    assert TOKEN not in str(caught.value)


@pytest.fixture
def answering() -> Callable[[bytes], str]:
    """Starts a server that gives one call these bytes and hangs up; returns its URL."""

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listener, listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    return start


def test_the_proxy_of_the_environment_is_used(api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", api.base_url)
    monkeypatch.setenv("no_proxy", "direct.invalid")

    assert post(f"http://proxied.invalid/bot{TOKEN}/getMe") == BOT
    with pytest.raises(NetworkError):
        post(f"http://direct.invalid/bot{TOKEN}/getMe")
