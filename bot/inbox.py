"""The inbox between Telegram and the handlers: stored first, then worked off.

Per chat in order, across chats side by side, each update once: it leaves the store only after its
handlers returned or can't succeed. One that a killed process may have answered is not handled again
but recorded as failed (see `bot.attempt`); its prediction, stored before, stays the only one.
Knows how long an update would wait, but not who may come in; neither HTTP nor what the handlers do.
"""

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

from telegram import Bot

from bot.arrival import Arrival, RawUpdate
from bot.attempt import Failure
from bot.pace import Pace
from bot.redaction import describe
from tweetsent.inbox import PendingUpdate
from tweetsent.service import SentimentService

PARALLEL_CHATS = 16
CAPACITY = 4000
"""Updates held in memory before `room` makes the caller wait: more than the 30 a second that
Telegram lets a bot answer, for the longest wait that is not refused."""
CHAT_SHARE = 50
"""How many of them one chat may hold; its other updates wait in the store."""
STOP_SECONDS = 20.0
"""How long `stop` waits for handlers; what it cancels is done again after the next start, unless
its answer was being sent."""
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
GIVE_UP_AFTER = timedelta(hours=1)
"""How old an update may be that is tried again."""
_FEWEST_TRIES = 3
"""How often an update is tried that can't succeed for now, however old it is."""
_INTERRUPTED = Failure("InterruptedSending")
"""The process ended between announcing a message and knowing what came of it."""
_RETRY_SECONDS = 1.0

Handle = Callable[[Arrival, bool], Coroutine[Any, Any, Failure | None]]
"""Handles an update, told whether this try is its last; returns what went wrong, or None."""
Admits = Callable[[Arrival, float], bool]
"""Whether to take an update, told how many seconds it is expected to wait for its turn."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An update that waits for its turn."""

    arrival: Arrival
    stored: PendingUpdate


class Inbox:
    """The updates that are stored and not yet handled."""

    def __init__(self, service: SentimentService, bot: Bot, handle: Handle, admits: Admits) -> None:
        self._service = service
        self._bot = bot
        self._handle = handle
        self._admits = admits
        self._waiting: dict[int | None, deque[_Waiting]] = {}
        self._held: set[int] = set()
        self._finished: set[int] = set()
        self._full: set[int | None] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(PARALLEL_CHATS)
        self._quick_slots = asyncio.Semaphore(PARALLEL_CHATS)
        self._pace = Pace()
        self._taking = asyncio.Lock()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._stopping = asyncio.Event()

    @property
    def length(self) -> int:
        """Updates in memory, those in work too."""
        return len(self._held)

    async def room(self) -> None:
        """Waits until less than CAPACITY updates are in memory."""
        await self._has_room.wait()

    async def add(self, updates: list[RawUpdate]) -> None:
        """Stores the updates that are admitted, committed on return, and begins to work them off.

        Those that were delivered before are left out.
        """
        arriving: Counter[int | None] = Counter()
        rows = []
        admitted: dict[int, Arrival] = {}
        for raw in updates:
            arrival, update_id, chat_id = Arrival(raw, self._bot), raw["update_id"], chat_of(raw)
            if self._admits(arrival, self._expected_wait(chat_id, arriving)):
                arriving[chat_id] += 1
                rows.append((update_id, chat_id, json.dumps(raw)))
                admitted[update_id] = arrival
        async with self._taking:
            self._finished.clear()
            for pending in await self._service.inbox_add(rows):
                if len(self._waiting.get(pending.chat_id, ())) >= CHAT_SHARE:
                    self._full.add(pending.chat_id)
                # What is over the share is ahead of what comes now.
                if pending.chat_id not in self._full:
                    self._take(admitted[pending.update_id], pending)

    async def resume(self) -> None:
        """Takes up what is stored and isn't being worked off, of each chat up to its share."""
        async with self._taking:
            self._finished.clear()
            stored = await self._service.inbox_pending(CHAT_SHARE)
            counts = Counter(update.chat_id for update in stored)
            self._full = {chat_id for chat_id, count in counts.items() if count == CHAT_SHARE}
            for pending in stored:
                self._take(Arrival(json.loads(pending.payload), self._bot), pending)

    async def stop(self) -> None:
        """Lets the handlers that run finish; what waits stays in the store."""
        self._stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _expected_wait(self, chat_id: int | None, arriving: Counter[int | None]) -> float:
        """Seconds until one more update of the chat is handled; infinite when its share is full.

        `arriving` counts by chat what was delivered with it and comes before it.
        """
        ahead = len(self._waiting.get(chat_id, ())) + arriving[chat_id]
        if ahead >= CHAT_SHARE:
            return inf
        # The slots go round: each chat gets one for one update.
        chats = len(self._waiting.keys() | arriving.keys())
        return self._pace.seconds() * max(ahead, (ahead + 1) * chats / PARALLEL_CHATS)

    def _take(self, arrival: Arrival, stored: PendingUpdate) -> None:
        # One may finish between a query and its answer, which then still names it.
        if stored.update_id in self._held or stored.update_id in self._finished:
            return
        self._held.add(stored.update_id)
        self._update_room()
        update = _Waiting(arrival, stored)
        chat_id = stored.chat_id
        if chat_id in self._waiting:
            self._waiting[chat_id].append(update)
            return
        self._waiting[chat_id] = deque([update])
        task = asyncio.create_task(self._work_off(chat_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, chat_id: int | None) -> None:
        """Handles one chat's updates in order until none waits."""
        waiting = self._waiting[chat_id]
        attempts = waiting[0].stored.attempts
        while waiting:
            arrival, stored = waiting[0].arrival, waiting[0].stored
            is_last = _is_old(stored) and attempts + 1 >= _FEWEST_TRIES
            async with self._quick_slots if arrival.is_quick else self._slots:
                if self._stopping.is_set():
                    return
                failure: Failure | None = None
                if stored.may_have_sent:
                    log.warning("update %d may have been answered before", stored.update_id)
                    failure = _INTERRUPTED
                elif not _is_outdated(waiting):
                    with self._pace.measured():
                        failure = await self._run(arrival, is_last)
            if failure is not None and failure.is_passing and not is_last:
                attempts += 1
                await self._put_off(stored.update_id, failure, attempts)
                continue
            await self._finish(stored.update_id, failure)
            waiting.popleft()
            if not waiting and chat_id in self._full:
                await self._refill()
            attempts = waiting[0].stored.attempts if waiting else 0
        del self._waiting[chat_id]

    async def _run(self, arrival: Arrival, is_last: bool) -> Failure | None:
        try:
            return await self._handle(arrival, is_last)
        except Exception as error:  # noqa: BLE001 - one bad update must not stop the others
            log.error("an update could not be handled: %s", describe(error))
            return Failure(type(error).__name__)

    async def _put_off(self, update_id: int, failure: Failure, attempts: int) -> None:
        """Waits for the next try, in no slot: other chats go on meanwhile."""
        try:
            await self._service.inbox_put_off(update_id, failure.kind)
        except Exception as error:  # noqa: BLE001 - the database may be what failed the update
            log.error("update %d can't be marked as put off: %s", update_id, describe(error))
        # The exponent's limit keeps the number finite.
        delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempts - 1, 10))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), max(delay, failure.wait_seconds))

    async def _finish(self, update_id: int, failure: Failure | None) -> None:
        """Takes the update out of the store, however long the store needs to come back."""
        failures = 0
        while not self._stopping.is_set() or not failures:
            try:
                if failure is None:
                    await self._service.inbox_done(update_id)
                else:
                    await self._service.inbox_failed(
                        update_id, failure.kind, is_answered=failure is _INTERRUPTED
                    )
                break
            except Exception as error:  # noqa: BLE001 - forgotten, it would be handled again
                failures += 1
                if failures == 1:
                    log.error("update %d can't be marked as done: %s", update_id, describe(error))
                await asyncio.sleep(_RETRY_SECONDS)
        self._held.discard(update_id)
        self._finished.add(update_id)
        self._update_room()

    async def _refill(self) -> None:
        """Takes up what was over the share of a chat that is through with it."""
        failed = False
        while not self._stopping.is_set():
            try:
                await self.resume()
                return
            except Exception as error:  # noqa: BLE001 - until then the chat's updates stay where they are
                if not failed:
                    log.error("the store can't be read: %s; trying again", describe(error))
                failed = True
                await asyncio.sleep(_RETRY_SECONDS)

    def _update_room(self) -> None:
        if len(self._held) < CAPACITY:
            self._has_room.set()
        else:
            self._has_room.clear()


def _is_old(update: PendingUpdate) -> bool:
    return datetime.now(UTC) - update.received_at > GIVE_UP_AFTER


def _is_outdated(waiting: Sequence[_Waiting]) -> bool:
    """Whether the first that waits is an inline query, and its user has typed on since."""
    first, *later = ("inline_query" in update.arrival.raw for update in waiting)
    return first and any(later)


def chat_of(update: RawUpdate) -> int | None:
    """The chat an update belongs to; its user's own where it names none, as an inline query."""
    for part in update.values():
        if isinstance(part, dict):
            # A button press carries the message, and with it the chat, that it was pressed in.
            holder = part if "chat" in part else part.get("message")
            chat = holder.get("chat") if isinstance(holder, dict) else part.get("from")
            if isinstance(chat, dict) and isinstance(chat.get("id"), int):
                return int(chat["id"])
    return None
