"""A file on the page Dene: a table or a list in, the labelled file and its picture out."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import gradio as gr

from bot import texts as bot_texts
from bot.labeller import SUFFIXES, result_name, text_places
from tweetsent.figures import distribution_png
from tweetsent.files import SHEETS
from tweetsent.labelling import label_table, texts_of, write_labelled
from tweetsent.labels import Scores
from tweetsent.ui import fragments, texts
from tweetsent.ui.page import Page, Update, refusal, telling
from tweetsent.uploads import read_apart

if TYPE_CHECKING:
    import pandas as pd


def build(page: Page) -> None:
    """Adds what is on the part of the page to the open `gr.Blocks`."""
    with gr.Accordion(texts.FILE, open=False, elem_id="file-part"):
        _Part(page).listen()


class _Part:
    """The components of the part, and what they do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.taken: gr.State = gr.State()
        self.job: gr.State = gr.State()
        gr.HTML(fragments.note(texts.file_hint(page.settings.tweetsent_file_mb)))
        self.file = gr.File(label=texts.CHOOSE_FILE, elem_id="file")
        self.column = gr.Dropdown(label=texts.COLUMN, visible=False, elem_id="column")
        self.start = gr.Button(
            texts.LABEL_FILE, variant="primary", interactive=False, elem_id="label-file"
        )
        self.too_large = gr.Button(visible="hidden", elem_id="too-large")  # a script presses it
        self.stop = gr.Button(texts.STOP_FILE, visible=False, elem_id="stop-file")
        self.status = gr.HTML(elem_id="file-status")
        self.picture = gr.HTML(elem_id="file-picture")
        self.download = gr.DownloadButton(texts.DOWNLOAD_FILE, visible=False, elem_id="download")

    def listen(self) -> None:
        """Say which event does what."""
        of_result = [self.status, self.picture, self.download]
        parts = [self.file, self.column, self.start, self.stop, *of_result]
        queued: dict[str, Any] = {"api_visibility": "private"}
        at_once = {"queue": False, **queued}
        self.file.clear(self.cleared, None, parts, **at_once)
        self.too_large.click(self.on_too_large, **queued)
        reading = self.file.upload(self.locked, None, parts, **at_once).success(
            self.on_upload, self.file, [self.taken, *parts], **queued
        )
        taking = self.start.click(
            self.on_start, [self.taken, self.column], [self.taken, self.job, *parts], **at_once
        )
        labelling = taking.success(self.on_turn, self.job, of_result, concurrency_limit=1, **queued)
        for work in (reading, labelling):
            work.success(self.opened, None, [self.file, self.stop], **at_once)
            work.failure(self.emptied, None, parts, **at_once)
        # The browser takes work that was cancelled for a failure, so the part is emptied.
        self.stop.click(None, cancels=[labelling], **queued)
        self.stop.click(self.on_stop, self.job, **queued)

    def cleared(self) -> Update:
        """Nothing is said of a file any more."""
        return {
            self.column: gr.Dropdown(value=None, visible=False),
            self.start: gr.Button(interactive=False),
            self.stop: gr.Button(visible=False),
            self.status: "",
            self.picture: "",
            self.download: gr.DownloadButton(visible=False),
        }

    def locked(self) -> Update:
        """No other file can be chosen while one is read."""
        return self.cleared() | {
            self.file: gr.File(interactive=False),
            self.status: fragments.note(texts.READING),
        }

    def opened(self) -> Update:
        """What was said stays, and another file can be chosen."""
        return {self.file: gr.File(interactive=True), self.stop: gr.Button(visible=False)}

    def emptied(self) -> Update:
        """As if there had been no file."""
        return self.cleared() | {self.file: gr.File(value=None, interactive=True)}

    def on_too_large(self) -> None:
        """The browser did not send the file."""
        raise refusal(texts.too_large(self.page.settings.tweetsent_file_mb))

    async def on_upload(self, path: str, request: gr.Request) -> Update:
        """Takes the file, whose place Gradio gives to everybody's equal one, and names a column."""
        with telling(self.page):
            self.page.admit(request)
            taken = self.page.new_file(PurePath(path).name)
            await asyncio.to_thread(shutil.move, path, taken)
            columns, likely = await _columns(self.page, taken)
            said = texts.PICK_COLUMN if likely > 1 else bot_texts.files.chosen(columns[0][0])
            return {
                self.taken: taken,
                self.column: gr.Dropdown(columns, value=columns[0][1], visible=len(columns) > 1),
                self.start: gr.Button(interactive=True),
                self.status: fragments.note(said),
            }

    async def on_start(self, taken: Path | None, place: int | None, request: gr.Request) -> Update:
        """The file's turn may come when other visitors' files are done."""
        with telling(self.page):
            if taken is None or place is None:
                raise refusal(texts.NO_FILE)
            self.page.admit(request)
            return self.locked() | {
                self.taken: None,
                self.job: (taken, place),
                self.file: gr.File(value=None, interactive=False),
                self.status: fragments.note(texts.WAITING_TURN),
                self.stop: gr.Button(visible=True),
            }

    async def on_turn(self, job: tuple[Path, int] | None) -> AsyncIterator[Update]:
        """Labels the file, and says how far it is."""
        with telling(self.page):
            if job is None:  # a forged event
                raise refusal(texts.NO_FILE)
            yield {self.status: fragments.note(texts.READING)}
            path, place = job
            table = await _read(self.page, path)
            cells = await asyncio.to_thread(texts_of, table, place, path)
            path.unlink(missing_ok=True)
            wanted = {cell for cell in cells if cell}
            scores: dict[str, Scores] = {}
            began, done, length = time.monotonic(), 0, sum(map(len, wanted))
            async for part in self.page.service.classify_all(wanted):
                scores.update((one, scored.scores) for one, scored in part.items())
                done += sum(map(len, part))  # characters: the short texts come first
                left = (time.monotonic() - began) * (length - done) / done
                yield {self.status: fragments.note(texts.progress(len(scores), len(wanted), left))}
            labelled, summary = await asyncio.to_thread(label_table, table, cells, scores)
            output = self.page.new_file(result_name(path.name))
            await asyncio.to_thread(write_labelled, labelled, summary, output)
            title = bot_texts.files.picture_title(summary)
            png = await asyncio.to_thread(distribution_png, summary.by_label, title=title)
            caption = bot_texts.files.caption(
                path.name, str(table.columns[place]), summary, table.attrs.get(SHEETS)
            )
            yield {
                self.status: fragments.lines(caption.splitlines()),
                self.picture: fragments.figures([fragments.figure(png, title, output.stem)]),
                self.download: gr.DownloadButton(value=str(output), visible=True),
            }

    def on_stop(self, job: tuple[Path, int] | None) -> None:
        """The work on the file was given up, maybe before its turn."""
        if job is not None:
            job[0].unlink(missing_ok=True)
            gr.Info(texts.FILE_STOPPED)


async def _columns(page: Page, path: Path) -> tuple[list[tuple[str, int]], int]:
    """Names and places of all columns, and how many of them, the first ones, may hold the texts."""
    table = await _read(page, path)
    likely = await asyncio.to_thread(text_places, table, Path(path.name.lower()))
    if not likely:
        raise refusal(bot_texts.files.NO_TEXT_COLUMN)
    others = [place for place in range(table.shape[1]) if place not in likely]
    return [(str(table.columns[place]), place) for place in [*likely, *others]], len(likely)


async def _read(page: Page, path: Path) -> "pd.DataFrame":
    """The table of an uploaded file, under a name that says what is in it."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise refusal(texts.OTHER_FILE)
    if not path.exists():
        raise refusal(texts.FILE_GONE)
    with TemporaryDirectory(dir=page.temporary) as scratch:
        # Macros make no difference to what is read.
        copy = Path(scratch) / f"file{'.xlsx' if suffix == '.xlsm' else suffix}"
        await asyncio.to_thread(shutil.copy, path, copy)
        return await read_apart(copy, page.settings.tweetsent_file_rows)
