"""Keeps tokens, keys and passwords out of everything that is written to the terminal.

Knows nothing of where logs go: the caller sets up its handlers and then calls `install_redaction`.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from urllib.parse import quote

_ANY_TOKEN = re.compile(r"\d+(:|%3A)[\w-]{30,}", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/'\"]*(?=@)")
_HIDDEN = "<token>"

log = logging.getLogger(__name__)


class SecretFilter(logging.Filter):
    """Replaces secrets in message, arguments and traceback of every record."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        self._secrets = sorted(forms, key=len, reverse=True)  # one may hold another

    def filter(self, record: logging.LogRecord) -> bool:
        """Redacts the record in place; drops none."""
        record.msg, record.args = self.redact(record.getMessage()), None
        if record.exc_info:
            # Formatters print `exc_text` as it is when it is set.
            text = "".join(traceback.format_exception(*record.exc_info))
            record.exc_text = self.redact(text).rstrip("\n")
        return True

    def redact(self, text: str) -> str:
        """The text without the secrets, anything that looks like a token, and URLs' passwords."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _URL_PASSWORD.sub("<password>", _ANY_TOKEN.sub(_HIDDEN, text))


def install_redaction(secrets: Iterable[str]) -> None:
    """Redacts what the root logger's present handlers write, and quiets the HTTP libraries."""
    redacting = SecretFilter(secrets)
    for handler in logging.getLogger().handlers:
        for old in [one for one in handler.filters if isinstance(one, SecretFilter)]:
            handler.removeFilter(old)
        handler.addFilter(redacting)
    # Both log request URLs, which hold the token.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It logs a traceback for what its caller hears and logs as well.
    logging.getLogger("telegram.ext.AIORateLimiter").setLevel(logging.CRITICAL)


def log_uncaught() -> None:
    """From now on exceptions that nobody caught are logged: Python would write them unredacted."""
    sys.excepthook = lambda kind, error, trace: _uncaught((kind, error, trace))
    threading.excepthook = lambda args: _uncaught(
        (args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
    )


def redact(text: str) -> str:
    """The text as a log line would show it."""
    filters = [one for handler in logging.getLogger().handlers for one in handler.filters]
    installed = next((one for one in filters if isinstance(one, SecretFilter)), SecretFilter(()))
    return installed.redact(text)


def _uncaught(error: "tuple[type[BaseException], BaseException, object]") -> None:
    log.critical("nobody caught this", exc_info=error)  # type: ignore[arg-type]
