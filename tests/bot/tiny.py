"""A service with a classifier of three words, for tests and the processes they start."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

from pydantic import SecretStr

from tweetsent.database import upgrade
from tweetsent.errors import ModelError, NoAnswerError, QueueFullError
from tweetsent.labels import Scores
from tweetsent.pseudonyms import Pseudonymiser, load_key
from tweetsent.records import OWNER_ID, Scored
from tweetsent.registry import Registry
from tweetsent.retrainer import COMMAND, Retrainer
from tweetsent.retraining import RetrainingService
from tweetsent.runs import Runs
from tweetsent.service import SentimentService
from tweetsent.settings import Settings
from tweetsent.store import Store
from tweetsent.text_key import open_database

ADMIN = 42
_POSITIVE = Scores(0.02, 0.05, 0.93)
_SURELY_POSITIVE = Scores(0.01, 0.02, 0.97)
_NEGATIVE = Scores(0.88, 0.09, 0.03)
_NEUTRAL = Scores(0.2, 0.6, 0.2)


class TinyClassifier:
    """ "harika" is positive, "enfes" very surely so, "berbat" negative, "bozuk" an error.

    "bekle" waits for `release`; "kalabalık" is one text too many, "dondu" one that hangs it.
    """

    version = "tiny-1"
    is_stuck = False

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.release = threading.Event()
        self.waiting = 0

    async def classify(self, text: str) -> Scored:
        """Scores by the words in the text."""
        return Scored(await self._scores(text), self.version, "p1")

    async def classify_all(self, texts: Collection[str]) -> AsyncIterator[dict[str, Scored]]:
        """The texts one after the other."""
        for text in sorted(set(texts)):
            yield {text: await self.classify(text)}

    async def _scores(self, text: str) -> Scores:
        self.texts.append(text)
        if "bekle" in text:
            self.waiting += 1
            while not self.release.is_set():
                await asyncio.sleep(0.01)
            self.waiting -= 1
        if "bozuk" in text:
            raise ModelError("the weights are gone")
        if "kalabalık" in text:
            raise QueueFullError("1000 texts wait for the model")
        if "dondu" in text:
            self.is_stuck = True
            raise NoAnswerError("the model hangs")
        if "çöktü" in text:
            raise RuntimeError(f"can't classify {text}")
        if "enfes" in text:
            return _SURELY_POSITIVE
        if "harika" in text:
            return _POSITIVE
        return _NEGATIVE if "berbat" in text else _NEUTRAL


def migrated_database(folder: Path) -> Path:
    """An empty database of the newest revision."""
    path = folder / "tweetsent.db"
    upgrade(f"sqlite:///{path}")
    return path


def settings_for(folder: Path, database: Path, base_url: str, token: str | None) -> Settings:
    """Settings of a data folder with a copy of `database`."""
    (folder / "data").mkdir()
    shutil.copy(database, folder / "data" / "tweetsent.db")
    return Settings(
        _env_file=None,
        telegram_bot_token=SecretStr(token) if token else None,
        telegram_api_base_url=base_url,
        tweetsent_data_dir=folder / "data",
        tweetsent_admin_ids=frozenset({ADMIN}),
    )


def open_service(settings: Settings, classifier: TinyClassifier) -> SentimentService:
    """The real service on the settings' database."""
    return open_services(settings, classifier)[0]


def open_services(
    settings: Settings, classifier: TinyClassifier, command: Sequence[str] = COMMAND
) -> tuple[SentimentService, RetrainingService]:
    """Both real services on the settings' database; runs are processes of `command`."""
    engine = open_database(settings)
    pseudonymise = Pseudonymiser(load_key(settings))
    admin_ids = settings.tweetsent_admin_ids | {OWNER_ID}
    store = Store(engine, pseudonymise, admin_ids=admin_ids, snapshots=settings.snapshots)
    retraining = RetrainingService(settings, store, Runs(engine), Retrainer(command))
    return SentimentService(store, classifier, Registry.of(settings, engine)), retraining
