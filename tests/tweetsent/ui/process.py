"""A process of the pages with the tiny classifier: `python -m tests.tweetsent.ui.process PORT`.

Its retraining runs are played by `tests/bot/run_process.py`. Versions of the model are watched as
they are anywhere; "loaded", they give no more than their names.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bot.tiny import TinyClassifier, open_services
from tweetsent import language
from tweetsent.adapter import read_manifest
from tweetsent.records import Scored
from tweetsent.redaction import install_redaction
from tweetsent.settings import Settings
from tweetsent.ui.app import run_ui
from tweetsent.watcher import Watcher


class HeldClassifier(TinyClassifier):
    """Answers in the name of the version that was loaded last, and waits where a test says so."""

    def __init__(self, hold: Path, release: Path) -> None:
        """No version is loaded as long as there is a file `hold`; several texts, of which one holds
        "ağır", wait until there is a file `release`.
        """
        super().__init__()
        self._hold, self._release = hold, release

    def load(self, folder: Path | None) -> Any:
        """What a watcher swaps in."""
        while self._hold.exists():
            time.sleep(0.02)
        return SimpleNamespace(version=read_manifest(folder).version)

    async def swap(self, loaded: Any) -> None:
        """As that of the classifier in whose place this one is."""
        self.version = loaded.version

    async def classify_all(self, texts: Collection[str]) -> AsyncIterator[dict[str, Scored]]:
        """The texts one after the other; there is a file `held` once one is waited for."""
        while any("ağır" in text for text in texts) and not self._release.exists():
            self._release.with_name("held").touch()
            await asyncio.sleep(0.01)
        async for part in super().classify_all(texts):
            yield part


async def main(port: int) -> None:
    """Runs until a signal comes."""
    logging.basicConfig(level=logging.INFO)
    settings = Settings.load()
    install_redaction(settings.secrets)
    language.prepare()
    played = sys.executable, "-m", "tests.bot.run_process", str(settings.tweetsent_data_dir)
    data_dir = settings.tweetsent_data_dir
    classifier = HeldClassifier(data_dir / "hold", data_dir / "release")
    service, retraining = open_services(settings, classifier, played)
    watcher = Watcher(service._registry, classifier.load, service._store.faults)
    watching = asyncio.create_task(watcher.run(classifier))
    try:
        await run_ui(settings, service, retraining, host="127.0.0.1", port=port)
    finally:
        watching.cancel()
        await retraining.close()
        await service.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
