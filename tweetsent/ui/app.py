"""Builds the pages and serves them until a signal comes.

Dene is for everybody who reaches the address; the owner's tabs are an application of their own,
behind the guard's login.
"""

import asyncio
import importlib.util
import ipaddress
import json
import logging
import os
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from filelock import FileLock, Timeout

from bot.limits import RateLimiter
from bot.stopping import stop_on_signals
from tweetsent.errors import ConfigError
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.settings import Settings

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

    from tweetsent.ui.page import Page

_MOST_WAITING = 64
"""How many requests of all browsers may wait."""
_MINUTE = 60.0
_MEGABYTE = 1_000_000
_UPLOADS_LOOKED_AT_SECONDS, _UPLOADS_KEPT_SECONDS = 60, 600
_NO_DOCS: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
_STYLE, _SCRIPT = (Path(__file__).with_name(f"page.{kind}") for kind in ("css", "js"))

log = logging.getLogger(__name__)


def check_address(settings: Settings, host: str, names: Collection[str]) -> None:
    """Raises ConfigError where Gradio is missing, or others could come in and no password is."""
    if importlib.util.find_spec("gradio") is None:
        raise ConfigError("the pages need Gradio: pip install 'tweetsent[ui]'")
    if settings.tweetsent_ui_password is None and (names or not _is_loopback(host)):
        raise ConfigError(
            "TWEETSENT_UI_PASSWORD is not set: without it the pages are for this machine alone, "
            "on 127.0.0.1"
        )


async def run_ui(
    settings: Settings,
    service: SentimentService,
    retraining: RetrainingService,
    *,
    host: str,
    port: int,
    names: Collection[str] = (),
) -> None:
    """Serves the pages on a port until SIGINT or SIGTERM.

    `names` are those by which others than this machine call it. The caller closes the services.
    Raises ConfigError as `check_address` and when the port can't be had, TweetsentError when the
    pages can't start.
    """
    check_address(settings, host, names)
    with (
        listening(host, port) as listener,
        own_folder(settings.tweetsent_data_dir.resolve() / "ui") as temporary,
        stop_on_signals() as stop,
    ):
        os.environ["GRADIO_TEMP_DIR"] = str(temporary)  # it takes the folder from nowhere else
        from tweetsent.ui.access import LOOPBACK_NAMES, Access, Guard
        from tweetsent.ui.page import Page
        from tweetsent.ui.server import Server

        password = settings.tweetsent_ui_password
        access = Access(
            names=LOOPBACK_NAMES | {host, *names},
            any_address=not _is_loopback(host),
            password=password.get_secret_value() if password else None,
        )
        asked = RateLimiter(settings.tweetsent_user_rate, _MINUTE)
        page = Page(settings, service, retraining, access, temporary, asked)
        server = Server(Guard(build_app(page), access))
        serving = asyncio.create_task(server.serve([listener]))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            log.info("stopping")
            server.stop()
            await serving


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A folder of this process in one that several may share; it is removed at the end.

    Those that killed processes left are removed at the start: visitors' files are in them.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob("*.lock"):
        with suppress(Timeout), FileLock(left, blocking=False):
            _remove(left)
    folder = parent / uuid4().hex
    lock = folder.with_suffix(".lock")
    with FileLock(lock):
        folder.mkdir()
        try:
            yield folder
        finally:
            _remove(lock)


def _remove(lock: Path) -> None:
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    lock.unlink(missing_ok=True)


def build_app(page: "Page") -> "FastAPI":
    """All pages, which are for the guard to stand before."""
    from fastapi import FastAPI

    from tweetsent.ui import texts, try_it
    from tweetsent.ui.access import OWNER_PATH
    from tweetsent.ui.login import LOGOUT_PATH, login_routes

    app = FastAPI(**_NO_DOCS)
    app.router.routes.extend(login_routes(page.access))
    if page.access.password:
        log_out = (
            f'<form method="post" action="{LOGOUT_PATH}"><button>{texts.LOG_OUT}</button></form>'
        )
        with _blocks(texts.OWNER_TITLE, f'<a href="/">{texts.TO_FRONT}</a>{log_out}') as owners:
            _build_tabs(page)
        _mount(app, owners, OWNER_PATH, page)
    link = f'<a href="{OWNER_PATH}/">{texts.OWNER_LINK}</a>' if page.access.password else ""
    with _blocks(texts.TITLE, link) as front:
        try_it.build(page)
    _mount(app, front, "/", page)  # last: it takes every path that is left
    return app


def _build_tabs(page: "Page") -> None:
    """The owner's tabs: each module adds what is on its tab to the open blocks."""
    import gradio as gr

    from tweetsent.ui import data, models, overview, review, texts

    with gr.Tab(texts.OVERVIEW):
        overview.build(page)
    with gr.Tab(texts.REVIEW):
        review.build(page)
    with gr.Tab(texts.MODELS):
        models.build(page)
    with gr.Tab(texts.DATA):
        data.build(page)


@contextmanager
def _blocks(title: str, links: str) -> Iterator["gr.Blocks"]:
    import gradio as gr

    with gr.Blocks(
        title=title,
        analytics_enabled=False,
        delete_cache=(_UPLOADS_LOOKED_AT_SECONDS, _UPLOADS_KEPT_SECONDS),
    ) as blocks:
        gr.HTML(f'<div class="ts-top"><h1>{escape(title)}</h1><nav>{links}</nav></div>')
        yield blocks


def _mount(app: Any, blocks: "gr.Blocks", path: str, page: "Page") -> None:
    import gradio as gr

    from tweetsent.ui import texts

    megabytes = page.settings.tweetsent_file_mb
    in_script = {
        "mostBytes": megabytes * _MEGABYTE,
        "words": texts.FIXED_IN_GRADIO,
        "beginnings": texts.BEGUN_IN_GRADIO,
    }
    script = f"const tweetsent = {json.dumps(in_script)};\n{_SCRIPT.read_text(encoding='utf-8')}"
    theme = gr.themes.Default(
        primary_hue="blue",
        font=["system-ui", "sans-serif"],  # those of the machine: nothing is fetched
        font_mono=["ui-monospace", "monospace"],
    )
    blocks.queue(max_size=_MOST_WAITING, default_concurrency_limit=8, api_open=False)
    gr.mount_gradio_app(
        app,
        blocks,
        path=path,
        footer_links=[],
        run_history=False,  # texts would stay in the browser
        show_error=False,
        max_file_size=megabytes * _MEGABYTE,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        app_kwargs=dict(_NO_DOCS),
        theme=theme,
        css_paths=_STYLE,
        head=f"<script>{script}</script>",
        i18n=gr.I18n(tr=texts.OF_GRADIO, en=texts.OF_GRADIO),
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """An open port until the end of the block; raises ConfigError when it can't be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError(f"can't listen on {host}:{port}: {error.strerror}") from None
    with listener:
        yield listener
