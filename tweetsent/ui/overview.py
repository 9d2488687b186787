"""The tab Durum: how much was asked, how sure the model was and how right."""

from typing import Any

import gradio as gr

from bot import texts as bot_texts
from tweetsent.records import Scope
from tweetsent.ui import fragments, texts
from tweetsent.ui.page import Page, telling


def build(page: Page) -> None:
    """Adds what is on the tab to the open `gr.Blocks`."""
    with gr.Row():
        period = gr.Dropdown(list(texts.PERIODS), value=0, label=texts.PERIOD)
        refresh = gr.Button(texts.REFRESH, elem_id="refresh")
    numbers = gr.HTML(elem_id="numbers")

    async def on_show(days: int) -> dict[Any, Any]:
        with telling(page):
            scope = Scope(days or None)
            stats = await page.service.stats(scope)
            return {numbers: fragments.lines(bot_texts.statistics.stats(stats, scope).splitlines())}

    gr.on([refresh.click], on_show, period, numbers, api_visibility="private")
    gr.on(None, on_show, period, numbers, api_visibility="private")
