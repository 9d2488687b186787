"""Starting the pages: what is refused, and with which words."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from tests.bot.tiny import TinyClassifier, open_services, settings_for
from tweetsent.errors import ConfigError, TweetsentError
from tweetsent.settings import Settings
from tweetsent.ui.app import check_address, own_folder, run_ui
from tweetsent.ui.server import Server

PROTECTED = Settings(_env_file=None, tweetsent_ui_password=SecretStr("correct-horse-battery"))
OPEN = Settings(_env_file=None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "bot.example.org"])
def test_a_public_address_needs_a_password(host: str) -> None:
    with pytest.raises(ConfigError, match="TWEETSENT_UI_PASSWORD is not set"):
        check_address(OPEN, host, ())
    check_address(PROTECTED, host, ())


def test_a_name_before_a_local_address_needs_one_too() -> None:
    with pytest.raises(ConfigError, match="TWEETSENT_UI_PASSWORD is not set"):
        check_address(OPEN, "127.0.0.1", ["bot.example.org"])
    for host in ("127.0.0.1", "::1", "localhost"):
        check_address(OPEN, host, ())


def test_without_gradio_the_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'tweetsent\[ui\]'"):
        check_address(PROTECTED, "127.0.0.1", ())


def test_a_port_that_is_taken_is_named(tmp_path: Path, empty_database: Path) -> None:
    settings = settings_for(tmp_path, empty_database, "https://api.telegram.org", None)

    async def start(port: int) -> None:
        service, retraining = open_services(settings, TinyClassifier())
        try:
            await run_ui(settings, service, retraining, host="127.0.0.1", port=port)
        finally:
            await service.close()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"can't listen on 127.0.0.1:{port}: Address already"):
            asyncio.run(start(port))


def test_processes_share_no_folder_and_remove_those_of_killed_ones(tmp_path: Path) -> None:
    killed = tmp_path / "ui" / "killed"
    killed.mkdir(parents=True)
    (killed / "anket.csv").touch()
    killed.with_suffix(".lock").touch()
    with own_folder(tmp_path / "ui") as one:
        (one / "anket.csv").touch()
        assert not killed.exists()
        with own_folder(tmp_path / "ui") as other:
            assert other != one
            assert (one / "anket.csv").exists()
    assert list((tmp_path / "ui").iterdir()) == []


def test_pages_that_cannot_start_are_an_error() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no application"})

    server = Server(broken)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(TweetsentError, match="the pages can't start"),
    ):
        asyncio.run(server.serve([listener]))


def test_an_open_page_keeps_no_process_from_stopping(
    tmp_path: Path, empty_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path, empty_database, "https://api.telegram.org", None)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    async def open_page() -> bytes:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.05)
        writer.write(b"GET /gradio_api/heartbeat/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"ALIVE")
        os.kill(os.getpid(), signal.SIGINT)
        rest = await reader.read()
        writer.close()
        return rest

    async def serve() -> bytes:
        service, retraining = open_services(settings, TinyClassifier())
        try:
            _, rest = await asyncio.gather(
                run_ui(settings, service, retraining, host="127.0.0.1", port=port), open_page()
            )
        finally:
            await service.close()
        return rest

    assert asyncio.run(serve()).endswith(b"0\r\n\r\n")  # the stream came to its end
    assert "exceeded" not in caplog.text
    assert "Traceback" not in caplog.text
