"""Labels the files that users send, beside everything else, and sends them back.

What is to be done is in the database; the file itself is fetched from Telegram for each try, is on
the disk only while it is read and written, and is done again from the start after a restart.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from telegram import Bot, InlineKeyboardMarkup, ReplyParameters
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from bot import texts
from bot.keyboards import MOST_CHOICES, file_keyboard
from bot.redaction import describe
from bot.transport import MaybeArrivedError, flood_seconds
from training.columns import text_columns
from tweetsent.errors import DataError, ModelError
from tweetsent.figures import distribution_png
from tweetsent.files import SHEETS, cells_at
from tweetsent.labelling import Summary, label_table, texts_of, write_labelled
from tweetsent.labels import Scores
from tweetsent.records import FileJob, FileState
from tweetsent.service import SentimentService
from tweetsent.settings import Settings
from tweetsent.text import clean
from tweetsent.uploads import read_apart

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {".xlsx": ".xlsx", ".xlsm": ".xlsx", ".csv": ".csv", ".txt": ".xlsx"}
"""What can be labelled, and as what it comes back."""
PROGRESS_SECONDS = 4.0
"""Between two changes of a message."""
GROUP_PROGRESS_SECONDS = 15.0
"""In a group, which gets no more than twenty messages and changes in a minute."""
PARALLEL_FILES = 2
"""How many files are in memory at once."""
STOP_SECONDS = 20.0
"""How long `close` waits for results that are being sent."""
RETRY_DELAYS_SECONDS = (1.0, 5.0, 15.0, 30.0, 60.0)
_MOST_TRIES = 3
_UPLOAD_SECONDS = 60.0
_MB = 1_000_000
_LONGEST_STEM = 60

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken of a user."""

    megabytes: int
    rows: int
    per_day: int

    def is_too_big(self, size: int | None) -> bool:
        """Whether so many bytes are; Telegram may not say how many there are."""
        return size is not None and size > self.megabytes * _MB


@dataclass(frozen=True, slots=True)
class _Result:
    content: bytes
    picture: bytes
    caption: str


class _UnfitError(Exception):
    """The file can't be labelled; the message is for its user."""


class Labeller:
    """Labels files until it is closed; knows them by their ids in the database."""

    def __init__(self, service: SentimentService, settings: Settings) -> None:
        self.limits = Limits(
            settings.tweetsent_file_mb,
            settings.tweetsent_file_rows,
            settings.tweetsent_files_per_day,
        )
        self._service = service
        self._folder = settings.tweetsent_data_dir / "files"
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._delivering: set[int] = set()
        self._slots = asyncio.Semaphore(PARALLEL_FILES)

    async def start(self, bot: Bot) -> None:
        """Go on with what an earlier process left behind."""
        # A process that was killed could not tidy up.
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        for job in await self._service.files_unfinished():
            if job.state is not FileState.WAITING:
                self.begin(bot, job)

    def begin(self, bot: Bot, job: FileJob) -> None:
        """Label a file in the background; its user sees how it goes in one message."""
        before = self._tasks.get(job.id)
        task = asyncio.create_task(self._run(_Chat(bot, self._service, job), job, before))
        self._tasks[job.id] = task
        task.add_done_callback(lambda done: self._forget(job.id, done))

    async def stop(self, file_id: int) -> None:
        """Stop working on a file that was cancelled."""
        if task := self._tasks.get(file_id):
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """Let what is being sent arrive; the rest is done again after the next start."""
        sending = [task for file_id, task in self._tasks.items() if file_id in self._delivering]
        tasks = list(self._tasks.values())
        for task in tasks:
            if task not in sending:
                task.cancel()
        if sending:
            await asyncio.wait(sending, timeout=STOP_SECONDS)
        for task in sending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, file_id: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(file_id) is task:
            del self._tasks[file_id]

    async def _run(self, chat: "_Chat", job: FileJob, before: asyncio.Task[None] | None) -> None:
        if before is not None:  # which asked for the column, and is about to end
            await asyncio.wait([before])
        try:
            if job.state is FileState.DELIVERING or job.attempts >= _MOST_TRIES:
                raise _UnfitError(texts.files.INTERRUPTED)
            if not job.attempts:  # later it says how far the file is
                await chat.show(texts.files.QUEUED, file_keyboard(job.id))
            async with self._slots:
                await self._label(chat, job)
        except _UnfitError as unfit:
            await self._fail(chat, job, str(unfit))
        except ModelError as error:
            log.error("file %d can't be labelled: %s", job.id, describe(error))
            await self._fail(chat, job, texts.files.failed(texts.errors.MODEL))
        except TelegramError as error:
            log.warning("file %d can't be fetched: %s", job.id, describe(error))
            await self._fail(chat, job, texts.files.UNREACHABLE)
        except Exception as error:  # noqa: BLE001 - its user must hear of it whatever it was
            log.error("file %d can't be labelled: %s", job.id, describe(error))
            await self._fail(chat, job, texts.files.failed(texts.errors.OTHER))
        finally:
            self._delivering.discard(job.id)

    async def _label(self, chat: "_Chat", job: FileJob) -> None:
        if await self._service.file_try(job.id) is None:  # cancelled meanwhile
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as scratch:
            suffix = PurePath(job.upload.name).suffix.lower()
            # Macros make no difference to what is read.
            path = Path(scratch) / f"file{'.xlsx' if suffix == '.xlsm' else suffix}"
            await self._fetch(chat, job, path)
            try:
                table = await read_apart(path, self.limits.rows)
                places = await asyncio.to_thread(text_places, table, path)
                place = _choose(places, job.choice)
                if place is None:
                    await self._ask(chat, job, table, places)
                    return
                cells = await asyncio.to_thread(texts_of, table, place, path)
            except DataError as error:
                raise _UnfitError(texts.files.flaw(error, self.limits.rows)) from None
            path.unlink()
            scores = await self._score(chat, job, cells)
            output = Path(scratch) / f"labelled{SUFFIXES[suffix]}"
            result = await asyncio.to_thread(_write, job, table, place, cells, scores, output)
        await self._deliver(chat, job, result)

    async def _fetch(self, chat: "_Chat", job: FileJob, path: Path) -> None:
        try:
            file = await _patiently(lambda: chat.bot.get_file(job.upload.file_id))
        except BadRequest as error:
            if "too big" in str(error):
                raise _UnfitError(texts.files.too_big(self.limits.megabytes)) from None
            raise
        if self.limits.is_too_big(file.file_size):
            raise _UnfitError(texts.files.too_big(self.limits.megabytes))
        content = await _patiently(file.download_as_bytearray)
        if self.limits.is_too_big(len(content)):
            raise _UnfitError(texts.files.too_big(self.limits.megabytes))
        await asyncio.to_thread(path.write_bytes, content)

    async def _ask(
        self, chat: "_Chat", job: FileJob, table: "pd.DataFrame", places: list[int]
    ) -> None:
        if not places:
            raise _UnfitError(texts.files.NO_TEXT_COLUMN)
        names = [str(table.columns[place]) for place in places[:MOST_CHOICES]]
        samples = [
            next((text for text in map(clean, cells_at(table, place)) if text), "")
            for place in places[:MOST_CHOICES]
        ]
        if await self._service.file_move(job.id, FileState.WAITING):
            question = texts.files.column_question(list(zip(names, samples, strict=True)))
            await chat.show(question, file_keyboard(job.id, names))

    async def _score(self, chat: "_Chat", job: FileJob, cells: list[str]) -> dict[str, Scores]:
        wanted = {text for text in cells if text}
        scores: dict[str, Scores] = {}
        shown = 0.0
        pause = GROUP_PROGRESS_SECONDS if job.upload.chat_id < 0 else PROGRESS_SECONDS
        async for part in self._service.classify_all(wanted):
            scores.update((text, scored.scores) for text, scored in part.items())
            if time.monotonic() - shown >= pause:
                text = texts.files.progress(job.upload.name, len(scores), len(wanted))
                await chat.show(text, file_keyboard(job.id))
                shown = time.monotonic()
        return scores

    async def _deliver(self, chat: "_Chat", job: FileJob, result: _Result) -> None:
        self._delivering.add(job.id)
        if not await self._service.file_move(job.id, FileState.DELIVERING):  # cancelled meanwhile
            return
        try:
            await chat.send(result, result_name(job.upload.name))
        except TelegramError as error:
            log.warning("file %d can't be sent: %s", job.id, describe(error))
            raise _UnfitError(texts.files.NOT_SENT) from None
        await self._finish(job, FileState.DONE)
        await chat.show(texts.files.done(job.upload.name), None)

    async def _fail(self, chat: "_Chat", job: FileJob, text: str) -> None:
        await self._finish(job, FileState.FAILED)
        with suppress(TelegramError):
            await chat.show(text, None)

    async def _finish(self, job: FileJob, state: FileState) -> None:
        """However long the database needs to come back: its user could send no other file."""
        while True:
            try:
                await self._service.file_move(job.id, state)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
                log.error("file %d can't be marked as %s: %s", job.id, state, describe(error))
                await asyncio.sleep(RETRY_DELAYS_SECONDS[0])


class _Chat:
    """What the user sees of one file."""

    def __init__(self, bot: Bot, service: SentimentService, job: FileJob) -> None:
        self.bot = bot
        self._service = service
        self._job = job
        self._status_id = job.status_message_id
        self._shown = ""

    async def show(self, text: str, keyboard: InlineKeyboardMarkup | None) -> None:
        """Change the message that says where the file stands; the first time, send it."""
        chat_id = self._job.upload.chat_id
        if text == self._shown:
            return
        self._shown = text
        if self._status_id is not None:
            # It may be gone, and what comes next says more.
            with suppress(TelegramError):
                await self.bot.edit_message_text(
                    text, chat_id, self._status_id, reply_markup=keyboard
                )
            return
        sent = await _patiently(
            lambda: self.bot.send_message(
                chat_id, text, reply_markup=keyboard, reply_parameters=self._reply
            )
        )
        self._status_id = sent.message_id
        await self._service.file_shown(self._job.id, sent.message_id)

    async def send(self, result: _Result, name: str) -> None:
        """Send the labelled file, and the picture; of each nobody wants two."""
        chat_id = self._job.upload.chat_id
        try:
            await _patiently(
                lambda: self.bot.send_document(
                    chat_id,
                    result.content,
                    filename=name,
                    caption=result.caption,
                    reply_parameters=self._reply,
                    read_timeout=_UPLOAD_SECONDS,
                    write_timeout=_UPLOAD_SECONDS,
                )
            )
        except MaybeArrivedError as error:
            log.warning("file %d may not have arrived: %s", self._job.id, describe(error))
        try:
            await self.bot.send_photo(chat_id, result.picture)
        except TelegramError as error:
            log.warning("file %d goes without a picture: %s", self._job.id, describe(error))

    @property
    def _reply(self) -> ReplyParameters:
        return ReplyParameters(self._job.upload.message_id, allow_sending_without_reply=True)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Repeats a call while Telegram can't be reached, for some minutes."""
    for delay in RETRY_DELAYS_SECONDS:
        wait = delay
        try:
            return await call()
        except (BadRequest, MaybeArrivedError):
            raise
        except RetryAfter as error:
            wait = flood_seconds(error)
        except NetworkError:
            pass
        await asyncio.sleep(wait)
    return await call()


def text_places(table: "pd.DataFrame", path: Path) -> list[int]:
    """The columns of a table from a file that may hold the texts."""
    if table.shape[1] == 1 and path.suffix == ".txt":
        return [0]
    return text_columns(table, path)


def _choose(places: list[int], choice: int | None) -> int | None:
    """The column of texts; None when it is the user who must say it."""
    if len(places) == 1:
        return places[0]
    return places[choice] if choice is not None and choice < len(places) else None


def _write(
    job: FileJob,
    table: "pd.DataFrame",
    place: int,
    cells: list[str],
    scores: dict[str, Scores],
    path: Path,
) -> _Result:
    labelled, summary = label_table(table, cells, scores)
    write_labelled(labelled, summary, path)
    return _Result(path.read_bytes(), _picture(summary), _caption(job, table, place, summary))


def _picture(summary: Summary) -> bytes:
    return distribution_png(summary.by_label, title=texts.files.picture_title(summary))


def _caption(job: FileJob, table: "pd.DataFrame", place: int, summary: Summary) -> str:
    column = str(table.columns[place])
    return texts.files.caption(job.upload.name, column, summary, table.attrs.get(SHEETS))


def result_name(name: str) -> str:
    """The name of the labelled file: of what a user calls theirs, no more than a name."""
    path = PurePath(name.replace("\\", "/"))
    stem = path.stem[:_LONGEST_STEM] or "dosya"
    return f"{stem}{texts.files.RESULT_SUFFIX}{SUFFIXES[path.suffix.lower()]}"
