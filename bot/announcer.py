"""Sends announcements to all private chats, one after the other, beside everything else.

How far it is stands in the database: a stopped or killed process goes on after its next start.
"""

import asyncio
import logging
from contextlib import suppress

from telegram import Bot, InlineKeyboardMarkup
from telegram.error import BadRequest, Forbidden, RetryAfter, TelegramError

from bot import texts
from bot.keyboards import stop_keyboard
from bot.redaction import describe, log_once
from bot.transport import MaybeArrivedError, flood_seconds
from tweetsent.records import Announcement, AnnouncementState, Outcome
from tweetsent.service import SentimentService

GAP_SECONDS = 1 / 25
"""Between two messages; Telegram allows thirty in a second, and the answers count as well."""
PAUSE_SECONDS = 5.0
"""After a failure that says nothing of the chat it happened in."""
SHOW_SECONDS = 5.0
"""Between two changes of the message that shows how far it is."""
STOP_SECONDS = 15.0
"""How long `close` waits for the message that is on its way."""

log = logging.getLogger(__name__)


class Announcer:
    """Sends what the admins confirmed, until it is closed; in the terminal it never starts."""

    def __init__(self, service: SentimentService) -> None:
        self._service = service
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._is_closing = False

    @property
    def is_started(self) -> bool:
        """Whether there is somebody to write to."""
        return self._task is not None

    def start(self, bot: Bot) -> None:
        """Go on with what is not finished, then wait for more; within a running loop."""
        self._task = asyncio.create_task(self._work(bot))

    def wake(self) -> None:
        """There is an announcement to send, or to end."""
        self._news.set()

    async def close(self) -> None:
        """Stop after the message that is on its way."""
        if self._task is None:
            return
        self._is_closing = True
        self.wake()
        await asyncio.wait([self._task], timeout=STOP_SECONDS)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self, bot: Bot) -> None:
        failure = ""
        while not self._is_closing:
            self._news.clear()
            try:
                announcement = await self._service.announcement_at_work()
                if announcement is not None:
                    await self._send_all(bot, announcement)
                    continue
                failure = ""
            except Exception as error:  # noqa: BLE001 - it goes on where it was
                words = f"an announcement can't be sent: {describe(error)}; trying again"
                failure = log_once(log, failure, words)
                await self._pause(PAUSE_SECONDS)
                continue
            await self._news.wait()

    async def _send_all(self, bot: Bot, announcement: Announcement) -> None:
        clock = asyncio.get_running_loop().time
        shown, shown_at = texts.announcements.progress(announcement), clock()
        while (chat_id := await self._service.next_recipient(announcement.id)) is not None:
            outcome, pause = await _send(bot, chat_id, announcement.text)
            announcement = await self._service.note_outcome(announcement.id, chat_id, outcome)
            await (self._pause(pause) if pause else asyncio.sleep(GAP_SECONDS))
            if self._is_closing:
                return
            text = texts.announcements.progress(announcement)
            if text != shown and clock() - shown_at >= SHOW_SECONDS:
                with suppress(TelegramError):  # the next change shows more
                    await _show(bot, announcement, text, stop_keyboard(announcement.id))
                shown, shown_at = text, clock()
        await self._end(bot, announcement.id)

    async def _end(self, bot: Bot, announcement_id: int) -> None:
        """Says how it ended, where that can be said, and forgets it."""
        ended = await self._service.announcement_at_work()
        if ended is None or ended.id != announcement_id:
            return
        log.info(
            "announcement %d: %s, %d chats tried, %d got it, %d are closed to the bot",
            ended.id,
            "cancelled" if ended.state is AnnouncementState.CANCELLED else "finished",
            ended.attempted,
            ended.sent,
            ended.blocked,
        )
        await _show(bot, ended, texts.announcements.end(ended), None)
        await self._service.drop_announcement(ended.id)

    async def _pause(self, seconds: float) -> None:
        """Waits, but no longer than until there is news."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()  # or no later pause would be one


async def _send(bot: Bot, chat_id: int, text: str) -> tuple[Outcome, float]:
    """What came of it, and how long to wait before the next message."""
    try:
        await bot.send_message(chat_id, text)
    except Forbidden:
        return Outcome.BLOCKED, 0.0
    except RetryAfter as error:  # too long for the HTTP client to wait it out
        return Outcome.PUT_OFF, flood_seconds(error)
    except BadRequest as error:
        log.warning("an announcement can't be sent to a chat: %s", describe(error))
        return Outcome.FAILED, 0.0
    except MaybeArrivedError:  # better not at all than twice
        return Outcome.FAILED, PAUSE_SECONDS
    except TelegramError as error:
        log.warning("announcements wait for Telegram: %s", describe(error))
        return Outcome.PUT_OFF, PAUSE_SECONDS
    return Outcome.SENT, 0.0


async def _show(
    bot: Bot, announcement: Announcement, text: str, keyboard: InlineKeyboardMarkup | None
) -> None:
    """Shows it in the admin's chat, as long as the message and the chat are there."""
    place = announcement.chat_id, announcement.status_message_id
    with suppress(BadRequest, Forbidden):
        await bot.edit_message_text(text, *place, reply_markup=keyboard)
