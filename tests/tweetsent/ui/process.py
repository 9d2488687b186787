"""A process of the pages with the tiny classifier: `python -m tests.tweetsent.ui.process PORT`.

Its retraining runs are played by `tests/bot/run_process.py`.
"""

import asyncio
import logging
import sys

from tests.bot.tiny import TinyClassifier, open_services
from tweetsent import language
from tweetsent.redaction import install_redaction
from tweetsent.settings import Settings
from tweetsent.ui.app import run_ui


async def main(port: int) -> None:
    """Runs until a signal comes."""
    logging.basicConfig(level=logging.INFO)
    settings = Settings.load()
    install_redaction(settings.secrets)
    language.prepare()
    played = sys.executable, "-m", "tests.bot.run_process", str(settings.tweetsent_data_dir)
    service, retraining = open_services(settings, TinyClassifier(), played)
    try:
        await run_ui(settings, service, retraining, host="127.0.0.1", port=port)
    finally:
        await retraining.close()
        await service.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
