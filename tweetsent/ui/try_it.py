"""The page Dene: a text in, its label out, one click to correct it, and the visitor's privacy."""

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from bot import texts as bot_texts
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.records import OWNER_ID, Consent, Incoming
from tweetsent.ui import files, fragments, texts
from tweetsent.ui.page import Page, Update, refusal, telling

LONGEST_TEXT = 4096
"""Characters, as many as a message on Telegram has."""


@dataclass
class _Asked:
    """What was asked last; one object for a whole visit, so that slow work sees it is outdated."""

    number: int = 0
    """The message's, which is there before the answer; 0 for none."""
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

    def cleared() -> Update:
        return {
            **dict.fromkeys((result, corrected, decided, words), ""),
            **dict.fromkeys((correct, consent), gr.Column(visible=False)),
            **dict.fromkeys(buttons, gr.Button(variant="secondary")),
        }

    async def on_ask(written: str, last: _Asked, request: gr.Request) -> Update:
        with telling(page):
            page.admit(request)
            if not written.strip():
                raise refusal(texts.NO_TEXT)
            if len(written) > LONGEST_TEXT:
                raise refusal(texts.too_long(LONGEST_TEXT))
            user_id = page.user_id(request)
            # No other message of the browser has this number, and later ones have larger ones.
            number = last.number = time.time_ns() // 1000
            analysis = await page.service.analyse(Incoming(user_id, user_id, number, written))
            if last.number != number:  # another text was asked about since, or all was erased
                return {words: gr.skip()}
            made, passages = analysis.prediction, analysis.passages
            is_list = passages.whole is None or len(passages.parts) > 1
            last.prediction_id, last.to_explain = made.id, "" if is_list else made.text
            parts = zip(passages.parts, analysis.scores, strict=True)
            return cleared() | {
                result: _result(made.scores, made.model_version, analysis.is_foreign),
                correct: gr.Column(visible=True),
                words: fragments.lines([_line(part, one) for part, one in parts])
                + fragments.note(texts.WHOLE_ONLY)
                if is_list
                else fragments.note(texts.WAITING),
                **{
                    button: gr.Button(_choice(label, made.scores), variant="secondary")
                    for label, button in zip(LABELS, buttons, strict=True)
                },
            }

    async def on_answered(last: _Asked) -> Any:
        return await _explained(page, last)

    def forget(last: _Asked) -> Update:
        last.number, last.prediction_id, last.to_explain = 0, 0, ""
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
        async def handler(last: _Asked, request: gr.Request) -> Update:
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
    _build_reconnected()
    files.build(page)
    erasing = _build_privacy(page, consent, answers, decided)
    erasing.success(forget, last, outputs, queue=False, api_visibility="private")


def _build_reconnected() -> None:
    """A script presses it where Gradio has loaded the page anew after a lost connection."""
    pressed = gr.Button(visible="hidden", elem_id="reconnected").click
    pressed(lambda: gr.Info(texts.RECONNECTED), api_visibility="private")


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
        async def handler(request: gr.Request) -> Update:
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

    async def on_erase(request: gr.Request) -> Update:
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
    last.to_explain = ""  # once for each text, which was counted
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
