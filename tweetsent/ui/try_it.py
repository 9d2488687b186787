"""The tab Dene: a text or a file in, labels out, and one click to correct them."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import gradio as gr

from bot import texts as bot_texts
from bot.labeller import SUFFIXES, result_name, text_places
from tweetsent.figures import distribution_png
from tweetsent.files import SHEETS
from tweetsent.labelling import label_table, texts_of, write_labelled
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.records import OWNER_ID, Consent, Incoming
from tweetsent.ui import fragments, texts
from tweetsent.ui.page import Page, refusal, telling
from tweetsent.uploads import read_apart

if TYPE_CHECKING:
    import pandas as pd

LONGEST_TEXT = 4096
"""Characters, as many as a message on Telegram has."""


@dataclass
class _Asked:
    """What was asked last; one object for a whole visit, so that slow work sees it is outdated."""

    prediction_id: int = 0
    to_explain: str = ""
    """The cleaned text whose words are to be coloured, where it is one."""


def build(page: Page) -> None:
    """Adds what is on the tab to the open `gr.Blocks`."""
    last = gr.State(_Asked())
    text = gr.Textbox(
        label=texts.TEXT,
        placeholder=texts.TEXT_PLACEHOLDER,
        lines=1,  # Enter asks, and Shift+Enter begins a line
        max_lines=12,
        max_length=LONGEST_TEXT,
        elem_id="text",
    )
    ask = gr.Button(texts.ASK, variant="primary", elem_id="ask")
    gr.Examples([[one] for one in texts.EXAMPLE_TEXTS], text, label=texts.EXAMPLES, elem_id="ex")
    result = gr.HTML(elem_id="result")
    with gr.Column(visible=False, elem_id="correct") as correct:
        gr.HTML(fragments.paragraph(texts.CORRECT))
        with gr.Row():
            buttons = [gr.Button(elem_id=f"to-{label}", min_width=120) for label in LABELS]
        corrected = gr.HTML(elem_id="corrected")
        decided = gr.HTML(elem_id="decided")
    with gr.Column(visible=False, elem_id="consent") as consent:
        gr.HTML(fragments.paragraph(texts.CONSENT_QUESTION))
        answers = _consent_buttons("asked")
    words = gr.HTML(elem_id="words")

    outputs = [result, correct, corrected, decided, consent, words, *buttons]

    def cleared() -> dict[Any, Any]:
        return {
            **dict.fromkeys((result, corrected, decided, words), ""),
            **dict.fromkeys((correct, consent), gr.Column(visible=False)),
            **dict.fromkeys(buttons, gr.Button(variant="secondary")),
        }

    async def on_ask(written: str, last: _Asked, request: gr.Request) -> dict[Any, Any]:
        with telling(page):
            page.admit(request)
            if len(written) > LONGEST_TEXT:
                raise refusal(texts.too_long(LONGEST_TEXT))
            user_id = page.user_id(request)
            # No other message of the browser has this number, and later ones have larger ones.
            message = Incoming(user_id, user_id, time.time_ns() // 1000, written)
            analysis = await page.service.analyse(message)
            made, passages = analysis.prediction, analysis.passages
            is_list = passages.whole is None or len(passages.parts) > 1
            last.prediction_id, last.to_explain = made.id, "" if is_list else made.text
            parts = zip(passages.parts, analysis.scores, strict=True)
            return cleared() | {
                result: _result(made.scores, made.model_version, analysis.is_foreign),
                correct: gr.Column(visible=True),
                words: fragments.lines([_line(part, one) for part, one in parts])
                if is_list
                else fragments.note(texts.WAITING),
                **{
                    button: gr.Button(_choice(label, made.scores), variant="secondary")
                    for label, button in zip(LABELS, buttons, strict=True)
                },
            }

    async def on_answered(last: _Asked) -> Any:
        return await _explained(page, last)

    def forget(last: _Asked) -> dict[Any, Any]:
        last.prediction_id, last.to_explain = 0, ""
        return cleared()

    # First what was said of another text goes, so that nobody corrects the wrong one.
    asking = gr.on(
        [ask.click, text.submit], forget, last, outputs, queue=False, api_visibility="private"
    ).then(on_ask, [text, last], outputs, api_visibility="private", trigger_mode="multiple")
    # Of its own, so that the next text needn't wait for it.
    explaining = asking.success(
        on_answered, last, words, api_visibility="private", trigger_mode="multiple"
    )
    explaining.failure(lambda: "", None, words, api_visibility="private")

    def on_correct(label: Label) -> Any:
        async def handler(last: _Asked, request: gr.Request) -> dict[Any, Any]:
            with telling(page):
                user_id = page.user_id(request)
                change = await page.service.correct(
                    user_id, last.prediction_id, label, is_anonymous=user_id != OWNER_ID
                )
                said = fragments.paragraph(bot_texts.answers.correction(change))
                return {
                    corrected: said,
                    consent: gr.Column(visible=change.ask_consent),
                    **{
                        button: gr.Button(
                            bot_texts.answers.correct_to(one),  # none is called the right one now
                            variant="primary" if one is label else "secondary",
                        )
                        for one, button in zip(LABELS, buttons, strict=True)
                    },
                }

        return handler

    for label, button in zip(LABELS, buttons, strict=True):
        button.click(
            on_correct(label), last, [corrected, consent, *buttons], api_visibility="private"
        )
    _build_file(page)
    erasing = _build_privacy(page, consent, answers, decided)
    erasing.success(forget, last, outputs, queue=False, api_visibility="private")


def _build_file(page: Page) -> None:
    """A file in, the labelled file and its picture out."""
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


def _build_privacy(
    page: Page, question: gr.Column, answers: tuple[gr.Button, gr.Button], decided: gr.HTML
) -> Any:
    """What is stored, and its user's say in it; the answers to the question count here, too.

    Returns the event after which nothing of them is stored any more.
    """
    with gr.Accordion(texts.PRIVACY, open=False, elem_id="privacy"):
        gr.HTML(fragments.note(texts.PRIVACY_TEXT))
        state = gr.HTML(elem_id="consent-state")
        settled = _consent_buttons("settled")
        erase = gr.Button(texts.ERASE, elem_id="erase")
        with gr.Row(visible=False) as sure:
            erase_yes = gr.Button(texts.ERASE_YES, variant="stop", elem_id="erase-yes")
            erase_no = gr.Button(texts.ERASE_NO)
        erased = gr.HTML(elem_id="erased")

    def on_consent(granted: bool) -> Any:
        async def handler(request: gr.Request) -> dict[Any, Any]:
            with telling(page):
                await page.service.set_consent(page.user_id(request), granted)
                said = _consent_state(granted)
                return {state: said, decided: said, question: gr.Column(visible=False)}

        return handler

    for pair in (answers, settled):
        for granted, button in zip((True, False), pair, strict=True):
            button.click(
                on_consent(granted), None, [state, decided, question], api_visibility="private"
            )

    async def on_load(request: gr.Request) -> str:
        with telling(page):
            consent = await page.service.consent(page.user_id(request))
            return _consent_state(consent is Consent.GRANTED)

    gr.on(None, on_load, None, state, api_visibility="private")

    async def on_erase(request: gr.Request) -> dict[Any, Any]:
        with telling(page):
            await page.service.erase(page.user_id(request))
            return {
                erased: fragments.paragraph(texts.ERASED),
                state: _consent_state(False),
                sure: gr.Row(visible=False),
            }

    for button, visible in ((erase, True), (erase_no, False)):
        button.click(
            lambda visible=visible: gr.Row(visible=visible),
            outputs=sure,
            queue=False,
            api_visibility="private",
        )
    return erase_yes.click(on_erase, None, [erased, state, sure], api_visibility="private")


def _consent_buttons(prefix: str) -> tuple[gr.Button, gr.Button]:
    with gr.Row():
        return (
            gr.Button(texts.CONSENT_YES, elem_id=f"{prefix}-yes", min_width=120),
            gr.Button(texts.CONSENT_NO, elem_id=f"{prefix}-no", min_width=120),
        )


def _consent_state(granted: bool) -> str:
    return fragments.note(texts.GRANTED if granted else texts.NOT_GRANTED)


async def _explained(page: Page, last: _Asked) -> Any:
    """The coloured words, unless another text was asked about while they were looked at."""
    prediction_id, text = last.prediction_id, last.to_explain
    with telling(page):
        if text:
            words = fragments.words(*await page.service.effects(text))
            if last.prediction_id == prediction_id:
                return words
        return gr.skip()


def _result(scores: Scores, version: str, is_foreign: bool) -> str:
    hints = [bot_texts.answers.FOREIGN] if is_foreign else []
    hints += [bot_texts.answers.UNSURE_HINT] if scores.is_unsure else []
    return fragments.result(scores, version) + "".join(map(fragments.paragraph, hints))


def _choice(label: Label, scores: Scores) -> str:
    if label is scores.label:
        return f"{bot_texts.answers.RIGHT}: {bot_texts.wording.name(label)}"
    return bot_texts.answers.correct_to(label)


def _line(part: str, scores: Scores) -> str:
    return f"{scores.label.emoji} {bot_texts.wording.percent(scores.confidence)} {part}"


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
