"""The bot in the terminal: the same application and handlers on stdin and stdout, no network."""

import io
import re
import time
from typing import Any, TextIO

from telegram import Update

from bot import texts
from bot.application import build_application, handle
from bot.context import BotApplication
from bot.stdin import read_lines
from bot.stopping import stop_on_signals
from bot.terminal_api import TerminalApi
from tweetsent.records import OWNER_ID, Consent
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.settings import Settings

_BUTTON = re.compile(r"/(\d{1,3})")


async def run_chat(
    settings: Settings,
    service: SentimentService,
    retraining: RetrainingService,
    *,
    stdin: TextIO,
    stdout: TextIO,
) -> None:
    """Answers every line of stdin on stdout, in order, until it ends or SIGINT comes.

    The user is an admin and has consented to training, until they take it back: it is the owner's
    own data. Runs are shown to who asks for one; the reports are left to the bot of the admins. The
    caller closes the services. Raises BrokenPipeError when nobody reads stdout.
    """
    if isinstance(stdout, io.TextIOWrapper):
        # A terminal without emoji gets question marks, not an end of the conversation.
        stdout.reconfigure(errors="replace")
    if await service.consent(OWNER_ID) is Consent.UNASKED:
        await service.set_consent(OWNER_ID, True)
    api = TerminalApi(stdout, file_dir=settings.tweetsent_data_dir / "chat")
    application = build_application(
        settings, service, retraining, request=api, admin_ids=frozenset({OWNER_ID})
    )
    await application.initialize()
    reporter = application.bot_data.reporter
    chat = _Chat(application, api)
    prompt = "> " if stdin.isatty() else ""
    try:
        with stop_on_signals() as stop:
            async for line in read_lines(stdin, stop, lambda: _show(stdout, prompt)):
                await chat.say(line)
                if api.closed:
                    raise BrokenPipeError
    finally:
        await reporter.close()
        await application.shutdown()


def _show(stdout: TextIO, text: str) -> None:
    stdout.write(text)
    stdout.flush()


class _Chat:
    """One conversation, of a user who is also the chat: turns lines into updates."""

    def __init__(self, application: BotApplication, api: TerminalApi) -> None:
        self._application = application
        self._api = api

    async def say(self, line: str) -> None:
        """Handles one line; what the bot says to it is written on the way."""
        line = line.strip()
        if not line:
            return
        if number := _BUTTON.fullmatch(line):
            await self._press(int(number[1]))
            return
        message = {
            "message_id": self._api.next_message_id(),
            "date": int(time.time()),
            "chat": {"id": OWNER_ID, "type": "private", "first_name": "Sen"},
            "from": {"id": OWNER_ID, "is_bot": False, "first_name": "Sen"},
            "text": line,
        }
        await self._handle({"message": message})

    async def _press(self, number: int) -> None:
        data = self._api.button(number)
        if data is None:
            self._api.write(texts.terminal.NO_BUTTON)
            return
        await self._handle(
            {
                "callback_query": {
                    "id": str(self._api.next_message_id()),
                    "from": {"id": OWNER_ID, "is_bot": False, "first_name": "Sen"},
                    "chat_instance": "terminal",
                    "message": self._api.button_message,
                    "data": data,
                }
            }
        )

    async def _handle(self, content: dict[str, Any]) -> None:
        raw = {"update_id": self._api.next_message_id(), **content}
        await handle(self._application, Update.de_json(raw, self._application.bot))
