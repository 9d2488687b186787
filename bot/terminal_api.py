"""A Bot API server for one chat, in process: what the bot sends is written as plain text.

Knows the methods that the handlers use and refuses all others, so that a new one can't go unseen.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from telegram.error import EndPointNotFound
from telegram.request import BaseRequest, RequestData

from bot import texts

BOT_USER = {"id": 2, "is_bot": True, "first_name": "tweetsent", "username": "tweetsent_bot"}

Parameters = dict[str, Any]


class TerminalApi(BaseRequest):
    """The library's connection to Telegram, replaced by a text stream."""

    def __init__(self, stdout: TextIO, file_dir: Path) -> None:
        self._stdout = stdout
        self._file_dir = file_dir
        self._last_id = 0
        self.closed = False
        """Whether the reader of stdout is gone."""
        self.button_message: Parameters | None = None
        """The last message that was sent with buttons."""
        self._buttons: list[Parameters] = []
        self._methods: dict[str, Callable[[Parameters, RequestData | None], object]] = {
            "getMe": lambda *_: BOT_USER,
            "sendMessage": self._send_message,
            "sendPhoto": self._send_photo,
            "sendDocument": self._send_document,
            "editMessageText": self._edit_message_text,
            "answerCallbackQuery": self._answer_callback_query,
            "sendChatAction": lambda *_: True,
        }

    @property
    def read_timeout(self) -> float | None:
        """None: nothing is waited for."""
        return None

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(
        self,
        url: str,
        method: str,  # noqa: ARG002 - Telegram takes every HTTP method
        request_data: RequestData | None = None,
        *_: Any,
        **__: Any,
    ) -> tuple[int, bytes]:
        """Carries out one Bot API call."""
        name = url.rpartition("/")[2]
        carry_out = self._methods.get(name)
        if carry_out is None:
            raise EndPointNotFound(f"the terminal chat doesn't know the method {name}")
        result = carry_out(request_data.parameters if request_data else {}, request_data)
        return 200, json.dumps({"ok": True, "result": result}).encode()

    def next_message_id(self) -> int:
        """An id that no earlier message of this or an earlier conversation has: milliseconds."""
        self._last_id = max(self._last_id + 1, time.time_ns() // 1_000_000)
        return self._last_id

    def button(self, number: int) -> str | None:
        """The data of a button of the last message that had some, counted from 1."""
        if not 1 <= number <= len(self._buttons):
            return None
        return str(self._buttons[number - 1]["callback_data"])

    def write(self, text: str) -> None:
        """Shows a text to the user, with an empty line after it."""
        try:
            self._stdout.write(f"{text}\n\n")
            self._stdout.flush()
        except BrokenPipeError:  # for the conversation to end, not for one message to fail
            self.closed = True

    def _send_message(self, sent: Parameters, _: RequestData | None) -> Parameters:
        message = self._message(sent, text=sent["text"])
        self._show(message, sent)
        return message

    def _edit_message_text(self, sent: Parameters, _: RequestData | None) -> Parameters:
        message = self._message(sent, text=sent["text"], message_id=sent["message_id"])
        self._show(message, sent)
        return message

    def _send_photo(self, sent: Parameters, data: RequestData | None) -> Parameters:
        return self._save(sent, data, "photo", ".png")

    def _send_document(self, sent: Parameters, data: RequestData | None) -> Parameters:
        return self._save(sent, data, "document", "-{name}")

    def _save(
        self, sent: Parameters, data: RequestData | None, kind: str, ending: str
    ) -> Parameters:
        """Writes a file that was sent, under the message's id, and shows where it is."""
        name, content, _ = (
            data.multipart_data[kind] if data and data.multipart_data else ("", b"", "")
        )
        message = self._message(sent)
        self._file_dir.mkdir(parents=True, exist_ok=True)
        path = self._file_dir / f"{message['message_id']}{ending.format(name=name)}"
        path.write_bytes(content if isinstance(content, bytes) else content.read())
        self.write("\n".join(filter(None, [sent.get("caption"), str(path)])))
        return message

    def _answer_callback_query(self, sent: Parameters, _: RequestData | None) -> bool:
        # A short note only accompanies what the message itself will show.
        if sent.get("show_alert"):
            self.write(sent["text"])
        return True

    def _message(self, sent: Parameters, **content: Any) -> Parameters:
        return {
            "message_id": self.next_message_id(),
            "date": int(time.time()),
            "chat": {"id": sent["chat_id"], "type": "private"},
            "from": BOT_USER,
            **content,
            **({"reply_markup": sent["reply_markup"]} if "reply_markup" in sent else {}),
        }

    def _show(self, message: Parameters, sent: Parameters) -> None:
        text = message["text"]
        if "reply_markup" in sent:
            self.button_message = message
            self._buttons = [
                button for row in sent["reply_markup"]["inline_keyboard"] for button in row
            ]
            text += "\n" + texts.terminal.buttons_hint([button["text"] for button in self._buttons])
        self.write(text)
