"""What every tab gets, and how its errors reach the user."""

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from bot import texts as bot_texts
from bot.handlers.errors import words_for
from bot.limits import RateLimiter
from bot.redaction import describe
from bot.texts import files as file_texts
from tweetsent.errors import DataError, NotFoundError, NoWordsError, OnlyLinksError
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.settings import Settings
from tweetsent.ui import texts
from tweetsent.ui.access import Access

_KEPT_SECONDS = 600.0
Update = dict[Any, Any]
"""New values by component."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """The services that all tabs share."""

    settings: Settings
    service: SentimentService
    retraining: RetrainingService
    access: Access
    temporary: Path
    """Folder of uploads and results, each for some minutes; all that Gradio serves files of."""
    asked: RateLimiter
    """How often visitors of an address asked for something to be classified."""

    def new_file(self, name: str) -> Path:
        """Where to write what can be downloaded for a while, by nobody who was not told."""
        folder = self.temporary / secrets.token_urlsafe(16)
        folder.mkdir()
        asyncio.get_running_loop().call_later(_KEPT_SECONDS, shutil.rmtree, folder, True)
        return folder / name

    def user_id(self, request: gr.Request) -> int:
        """Whose words a request brings."""
        return self.access.user_id(request.cookies)

    def admit(self, request: gr.Request) -> None:
        """Count what costs the model's time; an address that asks too often is refused."""
        host = request.client.host if request.client else ""
        if not self.access.is_owner(request.cookies) and not self.asked.allows(
            host, time.monotonic_ns(), time.monotonic()
        ):
            raise refusal(texts.too_fast(self.settings.tweetsent_user_rate))


@contextmanager
def telling(page: Page) -> Iterator[None]:
    """Errors become a sentence for the user; those that aren't theirs are logged."""
    try:
        yield
    except gr.Error:
        raise
    except OnlyLinksError:  # nor can a tweet be forwarded to a page
        raise refusal(bot_texts.answers.ONLY_LINKS) from None
    except DataError as error:
        raise refusal(file_texts.flaw(error, page.settings.tweetsent_file_rows)) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, its user must hear of it
        if not isinstance(error, (NoWordsError, NotFoundError)):
            log.error("a page's request failed: %s", describe(error))
        raise refusal(words_for(error)) from None


def refusal(text: str) -> gr.Error:
    """What shows a user why something was not done."""
    return gr.Error(text, print_exception=False)
