"""The tab Dene: a text or a file in, labels out, and one click to correct them."""

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
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.records import OWNER_ID, Consent, Incoming
from tweetsent.ui import fragments, texts
from tweetsent.ui.page import Page, refusal, telling
from tweetsent.uploads import read_apart

if TYPE_CHECKING:
    import pandas as pd

LONGEST_TEXT = 4096
"""Characters, as many as a message on Telegram has."""


def build(page: Page) -> None:
    """Adds what is on the tab to the open `gr.Blocks`."""
    prediction = gr.State(0)
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

    outputs = [prediction, result, correct, corrected, decided, consent, words, *buttons]

    async def on_ask(written: str, request: gr.Request) -> AsyncIterator[dict[Any, Any]]:
        with telling(page):
            page.admit(request)
            if len(written) > LONGEST_TEXT:
                raise refusal(texts.too_long(LONGEST_TEXT))
            user_id = page.user_id(request)
            # No other message of the browser has this number, and later ones have larger ones.
            message = Incoming(user_id, user_id, time.time_ns() // 1000, written)
            analysis = await page.service.analyse(message)
            made = analysis.prediction
            shown = {
                prediction: made.id,
                result: _result(made.scores, made.model_version, analysis.is_foreign),
                correct: gr.Column(visible=True),
                corrected: "",
                decided: "",
                consent: gr.Column(visible=False),
                words: fragments.note(texts.WAITING),
                **{
                    button: gr.Button(_choice(label, made.scores), variant="secondary")
                    for label, button in zip(LABELS, buttons, strict=True)
                },
            }
            if analysis.passages.whole is None or len(analysis.passages.parts) > 1:
                parts = zip(analysis.passages.parts, analysis.scores, strict=True)
                yield shown | {words: fragments.lines([_line(part, one) for part, one in parts])}
                return
            yield shown
            yield {words: fragments.words(*await page.service.effects(made.text))}

    gr.on([ask.click, text.submit], on_ask, text, outputs, api_visibility="private")

    def on_correct(label: Label) -> Any:
        async def handler(prediction_id: int, request: gr.Request) -> dict[Any, Any]:
            with telling(page):
                user_id = page.user_id(request)
                change = await page.service.correct(
                    user_id, prediction_id, label, is_anonymous=user_id != OWNER_ID
                )
                said = fragments.paragraph(bot_texts.answers.correction(change))
                return {
                    corrected: said,
                    consent: gr.Column(visible=change.ask_consent),
                    **{
                        button: gr.Button(variant="primary" if one is label else "secondary")
                        for one, button in zip(LABELS, buttons, strict=True)
                    },
                }

        return handler

    for label, button in zip(LABELS, buttons, strict=True):
        button.click(
            on_correct(label), prediction, [corrected, consent, *buttons], api_visibility="private"
        )
    _build_file(page)
    _build_privacy(page, consent, answers, decided)


def _build_file(page: Page) -> None:
    """A file in, the labelled file and its picture out."""
    with gr.Accordion(texts.FILE, open=False, elem_id="file-part"):
        gr.HTML(fragments.note(texts.FILE_HINT))
        file = gr.File(label=texts.CHOOSE_FILE, elem_id="file")
        column = gr.Dropdown(label=texts.COLUMN, visible=False, elem_id="column")
        start = gr.Button(texts.LABEL_FILE, variant="primary", elem_id="label-file")
        status = gr.HTML(elem_id="file-status")
        picture = gr.HTML(elem_id="file-picture")
        download = gr.DownloadButton(texts.DOWNLOAD_FILE, visible=False, elem_id="download")

    async def on_upload(path: str | None, request: gr.Request) -> AsyncIterator[dict[Any, Any]]:
        """Asks for the column where several may hold the texts; what was shown of a file goes."""
        yield {
            status: "",
            picture: "",
            download: gr.DownloadButton(visible=False),
            column: gr.Dropdown(value=None, visible=False),
        }
        with telling(page):
            if path is None:
                return
            page.admit(request)
            table = await _read(page, path)
            places = await asyncio.to_thread(text_places, table, Path(path.lower()))
            if not places:
                raise refusal(bot_texts.files.NO_TEXT_COLUMN)
            choices = [(str(table.columns[place]), place) for place in places]
            is_open = len(places) > 1
            yield {
                column: gr.Dropdown(choices=choices, value=places[0], visible=is_open),
                status: "" if is_open else fragments.note(bot_texts.files.chosen(choices[0][0])),
            }

    async def on_start(
        path: str | None, place: int | None, request: gr.Request
    ) -> AsyncIterator[dict[Any, Any]]:
        with telling(page):
            if path is None or place is None:
                raise refusal(texts.NO_FILE)
            page.admit(request)
            yield {status: fragments.note(texts.READING), file: None}
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

    reading = file.upload(
        on_upload, file, [column, status, picture, download], api_visibility="private"
    )
    labelling = start.click(
        on_start,
        [file, column],
        [status, picture, download, file],
        api_visibility="private",
        concurrency_limit=1,
    )
    for refused, component in ((reading, file), (labelling, status)):
        refused.failure(lambda: None, None, component, api_visibility="private")


def _build_privacy(
    page: Page, question: gr.Column, answers: tuple[gr.Button, gr.Button], decided: gr.HTML
) -> None:
    """What is stored, and its user's say in it; the answers to the question count here, too."""
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
                decided: "",
                sure: gr.Row(visible=False),
            }

    for button, visible in ((erase, True), (erase_no, False)):
        button.click(
            lambda visible=visible: gr.Row(visible=visible),
            outputs=sure,
            queue=False,
            api_visibility="private",
        )
    erase_yes.click(on_erase, None, [erased, state, decided, sure], api_visibility="private")


def _consent_buttons(prefix: str) -> tuple[gr.Button, gr.Button]:
    with gr.Row():
        return (
            gr.Button(texts.CONSENT_YES, elem_id=f"{prefix}-yes", min_width=120),
            gr.Button(texts.CONSENT_NO, elem_id=f"{prefix}-no", min_width=120),
        )


def _consent_state(granted: bool) -> str:
    return fragments.note(texts.GRANTED if granted else texts.NOT_GRANTED)


def _result(scores: Scores, version: str, is_foreign: bool) -> str:
    hints = [bot_texts.answers.FOREIGN] if is_foreign else []
    return fragments.result(scores, version) + "".join(map(fragments.paragraph, hints))


def _choice(label: Label, scores: Scores) -> str:
    if label is scores.label:
        return f"{bot_texts.answers.RIGHT}: {bot_texts.wording.name(label)}"
    return bot_texts.answers.correct_to(label)


def _line(part: str, scores: Scores) -> str:
    return f"{scores.label.emoji} {bot_texts.wording.percent(scores.confidence)} {part}"


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
