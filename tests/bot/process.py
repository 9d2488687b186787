"""A process that runs the bot with the tiny classifier: `python -m tests.bot.process`.

The first line on standard input releases messages that hold the word "bekle".
"""

import asyncio
import logging
import sys
import threading

from bot.running import run_bot
from tests.bot.tiny import TinyClassifier, open_services
from tweetsent import language
from tweetsent.redaction import install_redaction
from tweetsent.settings import Settings


async def main() -> None:
    """Runs until a signal comes."""
    logging.basicConfig(level=logging.INFO)
    settings = Settings.load()
    install_redaction(settings.secrets)
    classifier = TinyClassifier()
    language.prepare()
    threading.Thread(target=lambda: sys.stdin.readline() and classifier.release.set()).start()
    service, retraining = open_services(settings, classifier)
    try:
        await run_bot(settings, service, retraining)
    finally:
        await service.close()


if __name__ == "__main__":
    asyncio.run(main())
