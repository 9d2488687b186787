"""The inbox between Telegram and the handlers: stored first, then worked off.

Per chat in order, across chats side by side, each update once: it leaves the store only after its
handlers returned. Knows neither HTTP nor what the handlers do.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from bot.redaction import describe
from tweetsent.service import SentimentService

PARALLEL_CHATS = 16
CAPACITY = 500
"""Updates held in memory before `room` makes the caller wait."""
STOP_SECONDS = 20.0
"""How long `stop` waits for handlers; what it cancels is done again after the next start."""
_RETRY_SECONDS = 1.0

RawUpdate = dict[str, Any]
log = logging.getLogger(__name__)


class Inbox:
    """The updates that are stored and not yet handled."""

    def __init__(
        self, service: SentimentService, handle: Callable[[RawUpdate], Awaitable[str | None]]
    ) -> None:
        """`handle` returns what went wrong, or None."""
        self._service = service
        self._handle = handle
        self._waiting: dict[int | None, deque[tuple[int, str]]] = {}
        self._held: set[int] = set()
        self._finished: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(PARALLEL_CHATS)
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._stopping = False

    async def room(self) -> None:
        """Waits until less than CAPACITY updates are in memory."""
        await self._has_room.wait()

    async def add(self, updates: list[RawUpdate]) -> None:
        """Stores updates, committed on return, and begins to work them off."""
        rows = [(update["update_id"], chat_of(update), json.dumps(update)) for update in updates]
        await self._service.inbox_add(rows)
        await self.resume()

    async def resume(self) -> None:
        """Takes up every stored update that isn't being worked off: at the start, all of them.

        Reading them back is what leaves out those that were delivered before. Call it from one
        task only.
        """
        # One may finish between the query and its answer, which then still names it.
        self._finished.clear()
        for update_id, chat_id, payload in await self._service.inbox_pending():
            if update_id not in self._held and update_id not in self._finished:
                self._enqueue(update_id, chat_id, payload)

    async def stop(self) -> None:
        """Lets the handlers that run finish; what waits stays in the store."""
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _enqueue(self, update_id: int, chat_id: int | None, payload: str) -> None:
        self._held.add(update_id)
        self._update_room()
        if chat_id in self._waiting:
            self._waiting[chat_id].append((update_id, payload))
            return
        self._waiting[chat_id] = deque([(update_id, payload)])
        task = asyncio.create_task(self._work_off(chat_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, chat_id: int | None) -> None:
        """Handles one chat's updates in order until none waits."""
        waiting = self._waiting[chat_id]
        while waiting:
            async with self._slots:
                if self._stopping:
                    return
                update_id, payload = waiting.popleft()
                problem = await self._run(payload)
            await self._finish(update_id, problem)
        del self._waiting[chat_id]

    async def _run(self, payload: str) -> str | None:
        try:
            return await self._handle(json.loads(payload))
        except Exception as error:  # noqa: BLE001 - one bad update must not stop the others
            log.error("an update could not be handled: %s", describe(error))
            return type(error).__name__

    async def _finish(self, update_id: int, problem: str | None) -> None:
        """Takes the update out of the store, however long the store needs to come back."""
        failures = 0
        while not self._stopping or not failures:
            try:
                if problem is None:
                    await self._service.inbox_done(update_id)
                else:
                    await self._service.inbox_failed(update_id, problem)
                break
            except Exception as error:  # noqa: BLE001 - forgotten, it would be handled again
                failures += 1
                if failures == 1:
                    log.error("update %d can't be marked as done: %s", update_id, describe(error))
                await asyncio.sleep(_RETRY_SECONDS)
        self._held.discard(update_id)
        self._finished.add(update_id)
        self._update_room()

    def _update_room(self) -> None:
        if len(self._held) < CAPACITY:
            self._has_room.set()
        else:
            self._has_room.clear()


def chat_of(update: RawUpdate) -> int | None:
    """The chat an update belongs to; None when it belongs to none."""
    for part in update.values():
        if isinstance(part, dict):
            # A button press carries the message, and with it the chat, that it was pressed in.
            holder = part if "chat" in part else part.get("message")
            chat = holder.get("chat") if isinstance(holder, dict) else None
            if isinstance(chat, dict) and isinstance(chat.get("id"), int):
                return int(chat["id"])
    return None
