"""The command line: it reads arguments, calls the library, prints. Loads nothing heavy itself."""

import io
import logging
import os
import sys

import typer

from tweetsent.cli.app import app
from tweetsent.cli.console import complain, debugging, report
from tweetsent.errors import (
    ConfigError,
    DataError,
    NotReadyError,
    StoppedError,
    TweetsentError,
    UnknownLabelError,
    VersionError,
)
from tweetsent.permissions import make_private

log = logging.getLogger(__name__)
_BAD_INPUT = (ConfigError, DataError, NotReadyError, UnknownLabelError, VersionError)


def main() -> None:
    """Entry point: exit code 0 on success, 2 on bad usage or input, 130 when stopped, else 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without emoji shows question marks
    make_private()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every error becomes one line on stderr."""
    try:
        code = app(arguments, prog_name="tweetsent", standalone_mode=False)
    except typer.TyperException as error:
        return _bad_usage(error)
    except (StoppedError, typer.Abort, KeyboardInterrupt) as stop:
        if str(stop):
            report(str(stop))
        return 130
    except TweetsentError as error:
        complain(str(error))
        return 2 if isinstance(error, _BAD_INPUT) else 1
    except BrokenPipeError:
        # The reader is gone; the interpreter must not complain when it flushes stdout at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debugging():
            log.error("unexpected error", exc_info=error)
        reason = str(error).strip().split("\n", 1)[0]
        complain(
            f"unexpected {type(error).__name__}: {reason} "
            "(TWEETSENT_LOG_LEVEL=DEBUG shows where it came from)"
        )
        return 1
    return code if isinstance(code, int) else 0


def _bad_usage(error: typer.TyperException) -> int:
    # Typer keeps the class that has these to itself. Without a message it has shown the help.
    message = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
    context = getattr(error, "ctx", None)
    if message:
        complain(f"{message} ({context.command_path if context else 'tweetsent'} --help)")
    return 2
