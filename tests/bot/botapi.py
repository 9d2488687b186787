"""A Bot API server on the loopback interface, strict about what Telegram documents.

It keeps chats, messages and updates, answers 400 with Telegram's wording to whatever breaks a
documented rule, remembers every call, and plays the faults that a test asks for.
"""

import json
import re
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

TOKEN = "123456789:AAtest-token-that-must-never-be-logged_1"
BOT = {"id": 123456789, "is_bot": True, "first_name": "Duygu", "username": "duygu_bot"}
ACTIONS = {"typing", "upload_photo", "upload_document"}
COMMAND_SCOPES = {
    "default": (),
    "all_private_chats": (),
    "all_group_chats": (),
    "all_chat_administrators": (),
    "chat": ("chat_id",),
    "chat_administrators": ("chat_id",),
    "chat_member": ("chat_id", "user_id"),
}
"""What each scope of a command menu is made of beside its type."""
PATIENCE_SECONDS = 90.0
"""How long what should come soon is waited for: the machine may be busy."""
LONGEST_POLL_SECONDS = 1.0
LARGEST_UPLOAD, LARGEST_DOWNLOAD = 50_000_000, 20_000_000
WEBHOOK_PORTS = {None, 80, 88, 443, 8443}
REDELIVERY_SECONDS = 0.1
_FARTHEST_OFFSET = 10

Params = dict[str, Any]


class RefusedError(Exception):
    """A call that breaks a documented rule."""

    code = 400
    kind = "Bad Request"


class UnreachableError(RefusedError):
    """A call to a chat that the bot can't know to be closed: no rule is broken."""


class BlockedError(UnreachableError):
    """A message to a user who blocked the bot."""

    code = 403
    kind = "Forbidden"


class ConflictError(RefusedError):
    """A call that another way of getting updates forbids."""

    code = 409
    kind = "Conflict"


@dataclass(frozen=True)
class Call:
    """One call that reached the server and was not met with a fault."""

    method: str
    params: Params
    files: dict[str, bytes] = field(default_factory=dict)
    result: Any = None
    refusal: str | None = None


@dataclass(frozen=True)
class Fault:
    """What a call gets instead of an answer."""

    status: int = 500
    body: bytes = b"<html><body>Bad Gateway</body></html>"
    reset: bool = False
    carried_out: bool = False
    """The call is carried out before the fault comes."""
    late_seconds: float = 0.0
    """The call is carried out, but its answer comes so late."""
    drip_seconds: float = 0.0
    """The body comes byte by byte, so far apart."""
    encoding: str = ""
    """The Content-Encoding that the body claims to have."""

    @classmethod
    def of(cls, status: int, description: str, **parameters: int) -> "Fault":
        """An error in Telegram's own form."""
        body: Params = {"ok": False, "error_code": status, "description": description}
        if parameters:
            body["parameters"] = parameters
        return cls(status, json.dumps(body).encode())


RESET = Fault(reset=True)
RESET_AFTERWARDS = Fault(reset=True, carried_out=True)


class BotApi:
    """The server and what a test needs to talk through it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.messages: dict[tuple[int, int], Params] = {}
        self.files: dict[str, bytes] = {}
        """What users' apps uploaded, by file id."""
        self.repeat_last = False
        self.webhook: Params | None = None
        self.proxied_to = ""
        """The local address that the webhook's URL leads to, as through a proxy."""
        self.webhook_error: Params = {}
        """What getWebhookInfo tells of the last failed delivery."""
        self.deliveries: list[int] = []
        """What the webhook answered to each try; 0 where nobody listened."""
        self._updates: list[Params] = []
        self._last_delivery: list[Params] = []
        self.menus: dict[tuple[str, str], list[str]] = {}
        """Names of commands by scope and language."""
        self._chats: dict[int, Params] = {}
        self._blocked: set[int] = set()
        self._queries: set[str] = set()
        self._inline_queries: set[str] = set()
        self._next_id = 1
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        self._closed = False
        threading.Thread(target=self._deliver, daemon=True).start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._closed = True
        self._server.shutdown()
        self._server.server_close()

    # What a user's app does.

    def send(
        self, text: str | None = None, *, user: int = 7, chat: int | None = None, **content: Any
    ) -> int:
        """A new message from a user; private unless `chat` is a group's negative id."""
        message = self.message(text, user=user, chat=chat, **content)
        self.push({"message": message})
        return int(message["message_id"])

    def message(
        self, text: str | None = None, *, user: int = 7, chat: int | None = None, **content: Any
    ) -> Params:
        """A message that is known to the server; delivered only by `push`."""
        where = user if chat is None else chat
        if where > 0:
            place = {"id": where, "type": "private", "first_name": "Ada"}
        else:
            place = {"id": where, "type": "supergroup", "title": "Grup"}
        sender = {"from": {"id": user, "is_bot": False, "first_name": "Ada"}}
        return self._known(place, sender, text, content)

    def post(self, text: str | None = None, *, channel: int, **content: Any) -> Params:
        """A new post in a channel of which the bot is an administrator."""
        place = {"id": channel, "type": "channel", "title": "Kanal"}
        message = self._known(place, {"sender_chat": place}, text, content)
        self.push({"channel_post": message})
        return message

    def edit(self, message: Params, **changes: Any) -> None:
        """A new version of a message, delivered also when nothing that can be seen has changed."""
        key = (message["chat"]["id"], message["message_id"])
        edited = self.messages[key] | changes | {"edit_date": int(time.time())}
        self.messages[key] = edited
        is_post = message["chat"]["type"] == "channel"
        self.push({"edited_channel_post" if is_post else "edited_message": edited})

    def type_inline(self, query: str, *, user: int = 7) -> str:
        """What a user has typed after the bot's name, in any chat."""
        assert len(query) <= 256
        query_id = str(self._new_id())
        self._inline_queries.add(query_id)
        sender = {"id": user, "is_bot": False, "first_name": "Ada"}
        self.push({"inline_query": {"id": query_id, "from": sender, "query": query, "offset": ""}})
        return query_id

    def forget(self, query_id: str) -> None:
        """Lets a query expire before it is answered."""
        self._inline_queries.remove(query_id)

    def _known(self, chat: Params, sender: Params, text: str | None, content: Params) -> Params:
        message = {
            "message_id": self._new_id(),
            "date": int(time.time()),
            "chat": chat,
            **sender,
            **({} if text is None else {"text": text}),
            **content,
        }
        self._chats[chat["id"]] = chat
        self.messages[chat["id"], message["message_id"]] = message
        return message

    def upload(self, name: str, content: bytes, **document: Any) -> Params:
        """A document to send, of which Telegram has the content."""
        file_id = f"BQAC{self._new_id()}"
        self.files[file_id] = content
        size = {"file_size": len(content)}
        kind = {"file_id": file_id, "file_unique_id": file_id, "file_name": name}
        return {**kind, **size, **document}

    def press(self, message: Params | None, data: str, *, user: int = 7) -> str:
        """A press of a button under a message, or under one sent through inline mode."""
        query_id = str(self._new_id())
        self._queries.add(query_id)
        query = {"id": query_id, "chat_instance": "1", "data": data}
        user_record = {"id": user, "is_bot": False, "first_name": "Ada"}
        held = {"message": message} if message else {"inline_message_id": "1"}
        self.push({"callback_query": {"from": user_record, **query, **held}})
        return query_id

    def block(self, user: int, *, announced: bool = True) -> None:
        """A user blocks the bot, which Telegram tells it unless the update is lost."""
        self._blocked.add(user)
        if announced:
            person = {"id": user, "is_bot": False, "first_name": "Ada"}
            change = {
                "chat": {"id": user, "type": "private", "first_name": "Ada"},
                "from": person,
                "date": int(time.time()),
                "old_chat_member": {"user": BOT, "status": "member"},
                "new_chat_member": {"user": BOT, "status": "kicked", "until_date": 0},
            }
            self.push({"my_chat_member": change})

    def push(self, content: Params, update_id: int | None = None) -> int:
        """Queues an update for getUpdates."""
        with self._changed:
            update = {"update_id": update_id or 1000 + self._new_id(), **content}
            self._updates.append(update)
            self._changed.notify_all()
            return int(update["update_id"])

    # What a test looks at.

    def wait(self, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """The condition's first true value; fails when none comes in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := condition():
                return value
            with self._changed:
                # Some conditions look at the bot's side, which notifies nobody.
                self._changed.wait(0.05)
        raise AssertionError(f"nothing within {seconds} s; calls: {self.calls[-8:]}")

    def sent(self, chat: int = 7) -> list[Params]:
        """Messages the bot sent to a chat so far."""
        return [
            call.result
            for call in list(self.calls)
            if call.refusal is None
            and call.method in ("sendMessage", "sendPhoto", "sendDocument")
            and call.result["chat"]["id"] == chat
        ]

    def wait_sent(self, count: int = 1, chat: int = 7) -> list[Params]:
        """The bot's messages to a chat, once there are so many."""
        return list(self.wait(lambda: len(self.sent(chat)) >= count and self.sent(chat)))

    def of(self, method: str) -> list[Call]:
        """The calls of a method so far."""
        return [call for call in list(self.calls) if call.method == method]

    def wait_calls(self, method: str, count: int = 1) -> list[Call]:
        """The calls of a method, once there are so many."""
        return list(self.wait(lambda: len(self.of(method)) >= count and self.of(method)))

    def settle(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits until every update was fetched and confirmed."""
        self.wait(lambda: not self._updates, seconds)

    @property
    def refusals(self) -> list[str]:
        return [f"{call.method}: {call.refusal}" for call in self.calls if call.refusal]

    # The server's side.

    def answer(
        self, token: str, method: str, params: Params, files: dict[str, bytes]
    ) -> tuple[int, bytes] | Fault:
        """Status and body of one call, or the fault to play."""
        with self._changed:
            fault = self.faults[method].popleft() if self.faults[method] else None
            self._changed.notify_all()
        if fault and not fault.late_seconds and not fault.carried_out:
            return fault
        if token != TOKEN:
            return 401, _error(401, "Unauthorized")
        carry_out = getattr(self, f"_{method}", None)
        if carry_out is None:
            return 404, _error(404, "Not Found")
        with self._changed:
            try:
                result = carry_out(params, files)
            except RefusedError as refusal:
                if not isinstance(refusal, UnreachableError):
                    self._note(Call(method, params, files, refusal=str(refusal)))
                return refusal.code, _error(refusal.code, f"{refusal.kind}: {refusal}")
            if method != "getUpdates":
                self._note(Call(method, params, files, result))
        if fault and fault.carried_out:
            return fault
        if fault:
            time.sleep(fault.late_seconds)
        return 200, json.dumps({"ok": True, "result": result}).encode()

    def _note(self, call: Call) -> None:
        self.calls.append(call)
        self._changed.notify_all()

    def _new_id(self) -> int:
        with self._changed:
            self._next_id += 1
            return self._next_id

    def _getMe(self, params: Params, files: dict[str, bytes]) -> Params:  # noqa: N802
        return BOT

    def _getUpdates(self, params: Params, files: dict[str, bytes]) -> list[Params]:  # noqa: N802
        if self.webhook:
            raise ConflictError("can't use getUpdates method while webhook is active")
        offset = int(params.get("offset", 0))
        kinds = json.loads(params["allowed_updates"])
        newest = max((update["update_id"] for update in self._updates), default=offset)
        # After a quiet week ids go on from any number; an offset far beyond them is then forgotten.
        if offset <= newest + _FARTHEST_OFFSET:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
        self._changed.notify_all()
        if self.repeat_last:
            self.repeat_last = False
            return self._last_delivery
        seconds = min(float(params.get("timeout", 0)), LONGEST_POLL_SECONDS)
        self._changed.wait_for(lambda: self._updates, seconds)
        fits = [u for u in self._updates if any(kind in u for kind in kinds)]
        delivery = fits[: int(params.get("limit", 100))]
        self._last_delivery = delivery or self._last_delivery
        return delivery

    def _sendMessage(self, params: Params, files: dict[str, bytes]) -> Params:  # noqa: N802
        _allow(params, "chat_id text reply_markup reply_parameters message_thread_id")
        return self._stored(params, text=_text(params, "text", 4096))

    def _sendPhoto(self, params: Params, files: dict[str, bytes]) -> Params:  # noqa: N802
        _allow(params, "chat_id caption reply_markup reply_parameters message_thread_id")
        if not files.get("photo", b"").startswith(b"\x89PNG"):
            raise RefusedError("IMAGE_PROCESS_FAILED")
        sizes = [{"file_id": "f", "file_unique_id": "u", "width": 864, "height": 800}]
        caption = _text(params, "caption", 1024) if "caption" in params else ""
        return self._stored(params, photo=sizes, caption=caption)

    def _sendDocument(self, params: Params, files: dict[str, bytes]) -> Params:  # noqa: N802
        _allow(params, "chat_id caption reply_markup reply_parameters message_thread_id")
        size = len(files.get("document", b""))
        if not size:
            raise RefusedError("file must be non-empty")
        if size > LARGEST_UPLOAD:
            raise RefusedError("file is too big")
        document = {"file_id": "f", "file_unique_id": "u", "file_size": size}
        caption = _text(params, "caption", 1024) if "caption" in params else ""
        return self._stored(params, document=document, caption=caption)

    def _getFile(self, params: Params, files: dict[str, bytes]) -> Params:  # noqa: N802
        _allow(params, "file_id")
        file_id = params["file_id"]
        if file_id not in self.files:
            raise RefusedError("wrong file_id or the file is temporarily unavailable")
        size = len(self.files[file_id])
        if size > LARGEST_DOWNLOAD:
            raise RefusedError("file is too big")
        path = f"documents/{file_id}"
        return {"file_id": file_id, "file_unique_id": "u", "file_size": size, "file_path": path}

    def download(self, token: str, file_id: str) -> tuple[int, bytes] | Fault:
        """Status and content of a file that `getFile` gave the path of."""
        with self._changed:
            fault = self.faults["download"].popleft() if self.faults["download"] else None
            known = any(call.params["file_id"] == file_id for call in self.of("getFile"))
        if fault:
            return fault
        if token != TOKEN or not known:
            return 404, _error(404, "Not Found")
        return 200, self.files[file_id]

    def _editMessageText(self, params: Params, files: dict[str, bytes]) -> Params:  # noqa: N802
        _allow(params, "chat_id message_id text reply_markup")
        message = self.messages.get((self._chat(params), int(params["message_id"])))
        if message is None or not self._is_own(message):
            raise RefusedError("message to edit not found")
        changes = {"text": _text(params, "text", 4096), "reply_markup": _markup(params)}
        if all(message.get(key) == value for key, value in changes.items()):
            raise RefusedError("message is not modified")
        message.update(changes)
        return {key: value for key, value in message.items() if value is not None}

    def _answerCallbackQuery(self, params: Params, files: dict[str, bytes]) -> bool:  # noqa: N802
        _allow(params, "callback_query_id text show_alert")
        if params["callback_query_id"] not in self._queries:
            raise RefusedError(
                "query is too old and response timeout expired or query ID is invalid"
            )
        self._queries.remove(params["callback_query_id"])
        if "text" in params:
            _text(params, "text", 200)
        return True

    def _sendChatAction(self, params: Params, files: dict[str, bytes]) -> bool:  # noqa: N802
        _allow(params, "chat_id action message_thread_id")
        if self._chats[self._chat(params)]["type"] == "channel":
            raise RefusedError("channel chats aren't supported")
        if params["action"] not in ACTIONS:
            raise RefusedError("wrong parameter action in request")
        return True

    def _answerInlineQuery(self, params: Params, files: dict[str, bytes]) -> bool:  # noqa: N802
        _allow(params, "inline_query_id results cache_time is_personal next_offset button")
        if params["inline_query_id"] not in self._inline_queries:
            raise RefusedError(
                "query is too old and response timeout expired or query ID is invalid"
            )
        results = json.loads(params["results"])
        if len(results) > 50:
            raise RefusedError("RESULTS_TOO_MUCH")
        if len({result["id"] for result in results}) < len(results):
            raise RefusedError("RESULT_ID_DUPLICATE")
        for result in results:
            if not 1 <= len(result["id"].encode()) <= 64:
                raise RefusedError("RESULT_ID_INVALID")
            if result["type"] != "article" or not result["title"].strip():
                raise RefusedError("ARTICLE_TITLE_EMPTY")
            _text(result["input_message_content"], "message_text", 4096)
        if "button" in params:
            button = json.loads(params["button"])
            _text(button, "text", 64)
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", button["start_parameter"]):
                raise RefusedError("START_PARAM_INVALID")
        self._inline_queries.remove(params["inline_query_id"])
        return True

    def _setMyCommands(self, params: Params, files: dict[str, bytes]) -> bool:  # noqa: N802
        _allow(params, "commands scope language_code")
        commands = json.loads(params["commands"])
        if len(commands) > 100:
            raise RefusedError("too much commands specified")
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                raise RefusedError("BOT_COMMAND_INVALID")
            _text(command, "description", 256)
        language = params.get("language_code", "")
        if not re.fullmatch("(?:[a-z]{2})?", language):
            raise RefusedError("invalid language code specified")
        scope = json.loads(params.get("scope", '{"type": "default"}'))
        wanted = COMMAND_SCOPES.get(scope["type"])
        if wanted is None or set(scope) != {"type", *wanted}:
            raise RefusedError("can't parse BotCommandScope")
        if "chat_id" in wanted and scope["chat_id"] not in self._chats:
            raise UnreachableError("chat not found")
        names = [command["command"] for command in commands]
        self.menus[json.dumps(scope, sort_keys=True), language] = names
        return True

    def _setWebhook(self, params: Params, files: dict[str, bytes]) -> bool:  # noqa: N802
        _allow(params, "url allowed_updates max_connections secret_token")
        url = urlsplit(params["url"])
        if url.scheme != "https":
            raise RefusedError("bad webhook: An HTTPS URL must be provided for webhook")
        if url.port not in WEBHOOK_PORTS:
            raise RefusedError(
                "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
            )
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", params["secret_token"]):
            raise RefusedError("secret token contains unallowed characters")
        if not 1 <= int(params["max_connections"]) <= 100:
            raise RefusedError("bad webhook: max_connections is out of range")
        self.webhook = params
        return True

    def _getWebhookInfo(self, params: Params, files: dict[str, bytes]) -> Params:  # noqa: N802
        return {
            "url": self.webhook["url"] if self.webhook else "",
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
        } | self.webhook_error

    def _deliver(self) -> None:
        """Sends updates to the webhook, each until it is taken."""
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: self._updates and self.webhook, 0.2)
                if not (self._updates and self.webhook):
                    continue
                webhook, update = self.webhook, self._updates[0]
            try:
                status = httpx.post(
                    f"{self.proxied_to}{urlsplit(webhook['url']).path}",
                    json=update,
                    headers={"X-Telegram-Bot-Api-Secret-Token": webhook["secret_token"]},
                ).status_code
            except httpx.HTTPError:
                status = 0
            with self._changed:
                self.deliveries.append(status)
                if status // 100 == 2:
                    self._updates.remove(update)
                self._changed.notify_all()
            if status // 100 != 2:
                time.sleep(REDELIVERY_SECONDS)

    def _deleteWebhook(self, params: Params, files: dict[str, bytes]) -> bool:  # noqa: N802
        self.webhook = None
        if params.get("drop_pending_updates") == "true":
            self._updates.clear()
        return True

    def _stored(self, params: Params, **content: Any) -> Params:
        chat = self._chat(params)
        reply = json.loads(params.get("reply_parameters", "{}"))
        answered = self.messages.get((chat, reply.get("message_id", 0)))
        if reply and answered is None and not reply.get("allow_sending_without_reply"):
            raise RefusedError("message to be replied not found")
        markup = _markup(params)
        place = self._chats[chat]
        is_channel = place["type"] == "channel"
        message = {
            "message_id": self._new_id(),
            "date": int(time.time()),
            "chat": place,
            # A channel's posts name no user; who wrote them is known to Telegram alone.
            **({"sender_chat": place} if is_channel else {"from": BOT}),
            **content,
            **({"reply_to_message": answered} if answered else {}),
            **({"reply_markup": markup} if markup else {}),
        }
        self.messages[chat, message["message_id"]] = message
        return message

    def _is_own(self, message: Params) -> bool:
        return message.get("from") == BOT or any(
            call.result is message for call in self.calls if call.method.startswith("send")
        )

    def _chat(self, params: Params) -> int:
        if int(params.get("chat_id", 0)) not in self._chats:
            raise RefusedError("chat not found")
        if int(params["chat_id"]) in self._blocked:
            raise BlockedError("bot was blocked by the user")
        return int(params["chat_id"])


def _allow(params: Params, names: str) -> None:
    unknown = set(params) - set(names.split())
    if unknown:
        raise RefusedError(f"unexpected parameters {unknown}")


def _text(params: Params, name: str, longest: int) -> str:
    text = str(params.get(name, ""))
    if not text.strip():
        raise RefusedError(f"{name} is empty")
    # Telegram counts UTF-16 units.
    if len(text.encode("utf-16-le")) // 2 > longest:
        raise RefusedError(f"{name} is too long")
    return text


def _markup(params: Params) -> Params | None:
    if "reply_markup" not in params:
        return None
    markup: Params = json.loads(params["reply_markup"])
    for row in markup["inline_keyboard"]:
        for button in row:
            _text(button, "text", 64)
            if not 1 <= len(button["callback_data"].encode()) <= 64:
                raise RefusedError("BUTTON_DATA_INVALID")
    return markup


def _error(code: int, description: str) -> bytes:
    return json.dumps({"ok": False, "error_code": code, "description": description}).encode()


def _handler_of(api: BotApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionResetError):  # the bot gave up a call
                super().handle()

        def do_GET(self) -> None:
            self._serve(dict(parse_qsl(urlsplit(self.path).query)), {})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # given up half-way
                self.close_connection = True
                return
            kind = self.headers.get("Content-Type", "")
            if kind.startswith("multipart/form-data"):
                self._serve(*_parse_multipart(kind, body))
            else:
                self._serve(dict(parse_qsl(body.decode())), {})

        def _serve(self, params: Params, files: dict[str, bytes]) -> None:
            path = unquote(urlsplit(self.path).path)
            answer: tuple[int, bytes] | Fault = (404, b"{}")
            if match := re.fullmatch(r"/bot([^/]+)/(\w+)", path):
                answer = api.answer(*match.groups(), params, files)
            elif match := re.fullmatch(r"/file/bot([^/]+)/documents/(\w+)", path):
                answer = api.download(*match.groups())
            if not isinstance(answer, Fault):
                answer = Fault(*answer)
            if answer.reset:
                self._reset()
                return
            try:
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                if answer.encoding:
                    self.send_header("Content-Encoding", answer.encoding)
                self.end_headers()
                if answer.drip_seconds:
                    self._drip(answer)
                else:
                    self.wfile.write(answer.body)
            except OSError:  # the bot hung up while it was waiting for updates
                self.close_connection = True

        def _drip(self, answer: Fault) -> None:
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                time.sleep(answer.drip_seconds)

        def _reset(self) -> None:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def _parse_multipart(kind: str, body: bytes) -> tuple[Params, dict[str, bytes]]:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    params: Params = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if part.get_filename():
            files[name] = content
        else:
            params[name] = content.decode()
    return params, files
