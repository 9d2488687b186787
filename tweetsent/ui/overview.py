"""The tab Durum: how much was asked, how sure the model was and how right."""

import asyncio
from collections.abc import AsyncIterator

import gradio as gr

from bot import texts as bot_texts
from bot.texts.wording import count, decimal, percent
from tweetsent.figures import (
    confidence_png,
    confusion_png,
    distribution_png,
    reliability_png,
    trend_png,
)
from tweetsent.records import Scope, Spread, Stats
from tweetsent.ui import fragments, texts
from tweetsent.ui.page import Page, Update, telling

_ALL = ""


def build(page: Page) -> None:
    """Adds what is on the tab to the open `gr.Blocks`."""
    with gr.Row():
        period = gr.Dropdown(list(texts.PERIODS), value=0, label=texts.PERIOD, elem_id="period")
        model = gr.Dropdown(
            [(texts.ALL_MODELS, _ALL)], value=_ALL, label=texts.MODEL, elem_id="version"
        )
    refresh = gr.Button(texts.REFRESH, elem_id="refresh", size="sm")
    numbers = gr.HTML(elem_id="numbers")
    pictures = gr.HTML(elem_id="pictures")

    async def on_show(days: int, version: str) -> AsyncIterator[Update]:
        with telling(page):
            scope = Scope(days or None, version or None)
            stats = await page.service.stats(scope)
            spread = await page.service.spread(scope)
            yield {numbers: fragments.numbers(_numbers(stats, spread)) + _hint(stats)}
            yield {pictures: await asyncio.to_thread(_pictures, stats, spread, scope)}

    async def on_versions() -> Update:
        with telling(page):
            seen = (await page.service.stats()).by_model
            choices = [(texts.ALL_MODELS, _ALL), *((version, version) for version in seen)]
            return {model: gr.Dropdown(choices)}

    shown = [numbers, pictures]
    gr.on(None, on_show, [period, model], shown, api_visibility="private")
    gr.on(None, on_versions, None, model, api_visibility="private")
    refresh.click(on_show, [period, model], shown, api_visibility="private")
    refresh.click(on_versions, None, model, api_visibility="private")


def _numbers(stats: Stats, spread: Spread) -> list[tuple[str, str]]:
    quality = []
    if stats.accuracy is not None and stats.macro_f1 is not None:
        quality = [
            (texts.ACCURACY, percent(stats.accuracy)),
            (texts.MACRO_F1, decimal(stats.macro_f1)),
        ]
    return [
        (texts.PREDICTIONS, count(stats.predictions)),
        (texts.LAST_DAY, count(stats.predictions_last_day)),
        (texts.USERS, count(stats.users)),
        (texts.CORRECTIONS, count(stats.corrections)),
        (texts.TRAINABLE, count(stats.trainable_corrections)),
        *quality,
        *(
            (texts.latency(percentile), texts.milliseconds(number))
            for percentile, number in spread.latency_ms.items()
        ),
    ]


def _hint(stats: Stats) -> str:
    if not stats.predictions:
        return fragments.paragraph(texts.NOTHING_YET)
    said = texts.rests_on(stats.corrections) if stats.corrections else texts.NO_CORRECTIONS
    return fragments.note(said)


def _pictures(stats: Stats, spread: Spread, scope: Scope) -> str:
    """Every picture that there is something to see on."""
    if not stats.predictions:
        return ""
    name = bot_texts.statistics.scope_name(scope)
    titles = bot_texts.statistics
    drawn = [
        (trend_png(stats.trend, title=name), titles.trend_caption(stats.trend), "gunler"),
        (distribution_png(stats.by_label, title=texts.SHARES), texts.SHARES, "etiketler"),
        (confidence_png(spread.confidences, title=texts.CONFIDENCES), texts.CONFIDENCES, "guven"),
    ]
    if spread.reliability is not None:
        confusion = confusion_png(
            stats.confusion,
            title=titles.PICTURE_TITLE,
            rows=titles.PICTURE_ROWS,
            columns=titles.PICTURE_COLUMNS,
        )
        reliability = reliability_png(spread.reliability, title=texts.RELIABILITY)
        drawn += [
            (confusion, titles.PICTURE_TITLE, "karisiklik"),
            (reliability, texts.RELIABILITY, "guvenilirlik"),
        ]
    return fragments.figures([fragments.figure(*one) for one in drawn])
