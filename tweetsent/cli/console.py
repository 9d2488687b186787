"""What the commands share: results on stdout, everything else on stderr."""

import json
import logging
import math
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tweetsent.errors import ConfigError
from tweetsent.jsonlog import JsonFormatter
from tweetsent.redaction import install_redaction, log_uncaught, redact
from tweetsent.settings import Settings

if TYPE_CHECKING:
    from training.qlora import Progress as Step

# A terminal sends Ctrl-C to all processes, and a launcher hands it on to its own once more.
_SAME_SIGNAL_SECONDS = 1.0
_LINE_SECONDS = 30.0


def complain(message: str) -> None:
    """One error line on stderr, even where a library put more into its message, and no secret."""
    line = " ".join(part.strip() for part in redact(message).splitlines())
    sys.stderr.write(f"tweetsent: error: {line}\n")


def report(message: str) -> None:
    """One progress line on stderr."""
    sys.stderr.write(f"{redact(message)}\n")
    sys.stderr.flush()


def print_json(value: Any) -> None:
    """The only thing a command prints on stdout under --json."""
    sys.stdout.write(f"{_json(value)}\n")


def print_json_list(values: Iterable[Any]) -> None:
    """The same for a list that is longer than memory: each value as soon as it is there."""
    before = "["
    for value in values:
        text = _json(value).replace("\n", "\n  ")
        sys.stdout.write(f"{before}\n  {text}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # Half an emoji, from an argument or a file, has no UTF-8 form.
    return text.encode("utf-8", "replace").decode("utf-8")


def can_ask() -> bool:
    """Whether a person sits at a terminal, to read a question and to answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def load_settings() -> Settings:
    """The settings, with logging set up as they say; raises ConfigError."""
    settings = Settings.load()
    if settings.tweetsent_log_format == "json":
        handler: logging.Handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter())
    else:
        handler = RichHandler(console=Console(stderr=True), show_path=False)
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])  # of other people's packages
    for package in ("bot", "training", "tweetsent"):
        logging.getLogger(package).setLevel(settings.tweetsent_log_level)
    install_redaction(settings.secrets)
    log_uncaught()
    return settings


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    try:
        return Settings.load().tweetsent_log_level == "DEBUG"
    except ConfigError:
        return False


@contextmanager
def progress_bar(title: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """A bar on stderr; the yielded function moves it forward by so many units.

    Where stderr is no terminal, there is a line now and then instead.
    """
    with _bar(_Rate()) as bar:
        if bar.disable:
            yield _progress_lines(title, total, done)
            return
        task = bar.add_task(title, total=total, completed=done)
        yield lambda units: bar.advance(task, units)


def _progress_lines(title: str, total: int | None, done: int) -> Callable[[int], None]:
    began = said = time.monotonic()
    before = done

    def advance(units: int) -> None:
        nonlocal done, said
        done += units
        now = time.monotonic()
        if total and now - said >= _LINE_SECONDS:
            said = now
            left = (total - done) * (now - began) / max(done - before, 1)
            report(f"{title}: {done:,} of {total:,}, {left:,.0f} s left")

    return advance


@contextmanager
def stop_on_interrupt(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """The yielded function says whether Ctrl-C or SIGTERM came; the second Ctrl-C ends at once."""
    stopped_at = math.inf

    def handle(_number: int, _frame: object) -> None:
        nonlocal stopped_at
        now = time.monotonic()
        if stopped_at == math.inf:
            stopped_at = now
            say("stopping after this step; once more stops at once and loses some steps")
        elif now - stopped_at > _SAME_SIGNAL_SECONDS:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: stopped_at < math.inf
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def training_progress(
    visible: bool,
) -> Iterator[tuple[Callable[["Step"], None], Callable[[str], None]]]:
    """A bar for training steps, and a way to print a line above it."""
    if not visible:
        yield lambda _: None, lambda _: None
        return
    with _bar() as bar:
        task = bar.add_task("training", total=None)

        def step(at: "Step") -> None:
            stage = f"{at.stage}, " if at.stage else ""
            title = f"{stage}epoch {at.epoch} loss {at.loss:.3f}"
            bar.update(task, completed=at.step, total=at.steps, description=title)

        def say(message: str) -> None:
            bar.console.print(message, markup=False, highlight=False, soft_wrap=True)

        yield step, say


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


def _bar(*columns: ProgressColumn) -> Progress:
    """Drawn only where stderr is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
