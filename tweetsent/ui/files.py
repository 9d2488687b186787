"""A file on the page Dene: a table or a list in, the labelled file and its picture out."""

import asyncio
import shutil
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
from tweetsent.ui.page import Page, refusal, telling
from tweetsent.uploads import read_apart

if TYPE_CHECKING:
    import pandas as pd


def build(page: Page) -> None:
    """Adds what is on the part of the page to the open `gr.Blocks`."""
    with gr.Accordion(texts.FILE, open=False, elem_id="file-part"):
        gr.HTML(fragments.note(texts.FILE_HINT))
        file = gr.File(label=texts.CHOOSE_FILE, elem_id="file")
        column = gr.Dropdown(label=texts.COLUMN, visible=False, elem_id="column")
        start = gr.Button(
            texts.LABEL_FILE, variant="primary", interactive=False, elem_id="label-file"
        )
        status = gr.HTML(elem_id="file-status")
        picture = gr.HTML(elem_id="file-picture")
        download = gr.DownloadButton(texts.DOWNLOAD_FILE, visible=False, elem_id="download")
    taken = gr.State()
    parts = [file, column, start, status, picture, download]

    def cleared() -> dict[Any, Any]:
        return {
            column: gr.Dropdown(value=None, visible=False),
            start: gr.Button(interactive=False),
            status: "",
            picture: "",
            download: gr.DownloadButton(visible=False),
        }

    def locked() -> dict[Any, Any]:
        return cleared() | {
            file: gr.File(interactive=False),
            status: fragments.note(texts.READING),
        }

    async def on_upload(path: str, request: gr.Request) -> dict[Any, Any]:
        """Asks for the column where several may hold the texts."""
        with telling(page):
            page.admit(request)
            choices = await _columns(page, path)
            is_open = len(choices) > 1
            return {
                column: gr.Dropdown(choices=choices, value=choices[0][1], visible=is_open),
                start: gr.Button(interactive=True),
                status: "" if is_open else fragments.note(bot_texts.files.chosen(choices[0][0])),
            }

    async def on_start(path: str | None, place: int | None, request: gr.Request) -> dict[Any, Any]:
        """Takes the file at once: its turn may come when other visitors' files are done."""
        with telling(page):
            if path is None or place is None:
                raise refusal(texts.NO_FILE)
            page.admit(request)
            return locked() | {
                taken: (path, place),
                file: gr.File(value=None, interactive=False),
            }

    async def on_turn(job: tuple[str, int]) -> AsyncIterator[dict[Any, Any]]:
        path, place = job
        with telling(page):
            table = await _read(page, path)
            cells = await asyncio.to_thread(texts_of, table, place, Path(path))
            Path(path).unlink(missing_ok=True)
            wanted = {cell for cell in cells if cell}
            scores: dict[str, Scores] = {}
            async for part in page.service.classify_all(wanted):
                scores.update((one, scored.scores) for one, scored in part.items())
                yield {status: fragments.note(texts.progress(len(scores), len(wanted)))}
            labelled, summary = await asyncio.to_thread(label_table, table, cells, scores)
            output = page.new_file(result_name(PurePath(path).name))
            await asyncio.to_thread(write_labelled, labelled, summary, output)
            title = bot_texts.files.picture_title(summary)
            png = await asyncio.to_thread(distribution_png, summary.by_label, title=title)
            caption = bot_texts.files.caption(
                PurePath(path).name, str(table.columns[place]), summary, table.attrs.get(SHEETS)
            )
            yield {
                status: fragments.lines(caption.splitlines()),
                picture: fragments.figures([fragments.figure(png, title, output.stem)]),
                download: gr.DownloadButton(value=str(output), visible=True),
            }

    at_once: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    file.clear(cleared, None, parts, **at_once)
    reading = file.upload(locked, None, parts, **at_once).success(
        on_upload, file, parts, api_visibility="private"
    )
    labelling = start.click(on_start, [file, column], [taken, *parts], **at_once).success(
        on_turn, taken, [status, picture, download], api_visibility="private", concurrency_limit=1
    )
    for work in (reading, labelling):
        work.success(lambda: gr.File(interactive=True), None, file, **at_once)
        work.failure(
            lambda: cleared() | {file: gr.File(value=None, interactive=True)},
            None,
            parts,
            **at_once,
        )


async def _columns(page: Page, path: str) -> list[tuple[str, int]]:
    """Names and places of the columns that may hold the texts."""
    table = await _read(page, path)
    places = await asyncio.to_thread(text_places, table, Path(path.lower()))
    if not places:
        raise refusal(bot_texts.files.NO_TEXT_COLUMN)
    return [(str(table.columns[place]), place) for place in places]


async def _read(page: Page, path: str) -> "pd.DataFrame":
    """The table of an uploaded file, under a name that says what is in it."""
    suffix = PurePath(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise refusal(texts.OTHER_FILE)
    with TemporaryDirectory(dir=page.temporary) as scratch:
        # Macros make no difference to what is read.
        copy = Path(scratch) / f"file{'.xlsx' if suffix == '.xlsm' else suffix}"
        await asyncio.to_thread(shutil.copy, path, copy)
        return await read_apart(copy, page.settings.tweetsent_file_rows)
