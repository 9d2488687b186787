"""What every tab gets, and how its errors reach the user."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from bot.handlers.errors import words_for
from bot.redaction import describe
from bot.texts import files as file_texts
from tweetsent.errors import DataError, NotFoundError, NoWordsError
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.settings import Settings
from tweetsent.ui import texts
from tweetsent.ui.access import Access

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

    def user_id(self, request: gr.Request) -> int:
        """Whose words a request brings."""
        return self.access.user_id(request.cookies)


@contextmanager
def telling(page: Page) -> Iterator[None]:
    """Errors become a sentence for the user; those that aren't theirs are logged."""
    try:
        yield
    except gr.Error:
        raise
    except DataError as error:
        raise refusal(file_texts.flaw(error, page.settings.tweetsent_file_rows)) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, its user must hear of it
        if not isinstance(error, (NoWordsError, NotFoundError)):
            log.error("a page's request failed: %s", describe(error))
        raise refusal(words_for(error)) from None


def refusal(text: str) -> gr.Error:
    """What shows a user why something was not done."""
    return gr.Error(text, title=texts.TROUBLE, print_exception=False)
