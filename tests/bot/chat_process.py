"""A process that chats with the tiny classifier: `python -m tests.bot.chat_process`."""

import asyncio
import sys

from bot.console import run_chat
from tests.bot.tiny import TinyClassifier, open_services
from tweetsent.settings import Settings


async def main() -> None:
    """Chats until the end of input."""
    settings = Settings.load()
    service, retraining = open_services(settings, TinyClassifier())
    try:
        await run_chat(settings, service, retraining, stdin=sys.stdin, stdout=sys.stdout)
    finally:
        await service.close()


if __name__ == "__main__":
    asyncio.run(main())
