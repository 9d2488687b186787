"""The tab Veri: what runs were trained with and a new one would be, and what to look at in it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import gradio as gr

from bot import texts as bot_texts
from bot.texts.wording import count, moment, name, percent, shortened
from training.export import merge, read_base
from training.inspection import Inspection, inspect_apart, trainable
from training.snapshot import (
    Row,
    SnapshotManifest,
    count_rows,
    list_snapshots,
    read_snapshot,
    write_rows,
)
from tweetsent.errors import DataError
from tweetsent.figures import distribution_png
from tweetsent.labels import LABELS, Label
from tweetsent.records import TrainingCorrection
from tweetsent.ui import fragments, texts
from tweetsent.ui.page import Page, Update, refusal, telling

_NEW = ""
"""In place of a name: what a set would hold that was made now."""
_MOST_SHOWN = 50
_LONGEST_SHOWN = 280
_SUFFIXES = {texts.PREPARE_XLSX: "xlsx", texts.PREPARE_CSV: "csv"}

Counts = Mapping[Any, Mapping[Label, int]]
"""Rows by source and label."""


def build(page: Page) -> None:
    """Adds what is on the tab to the open `gr.Blocks`."""
    refresh = gr.Button(texts.REFRESH, elem_id="data-refresh", size="sm")
    listed = gr.HTML(elem_id="sets")
    chosen = gr.Dropdown(
        [(texts.NEW_SET, _NEW)], value=None, label=texts.CHOOSE_SET, elem_id="chosen-set"
    )
    counted = gr.HTML(elem_id="set-counts")
    with gr.Row():
        prepare = [gr.Button(title, min_width=120) for title in _SUFFIXES]
    prepared = gr.HTML(elem_id="set-prepared")
    download = gr.DownloadButton(texts.DOWNLOAD_SET, visible=False, elem_id="set-download")
    search = gr.Button(texts.INSPECT, variant="primary", elem_id="inspect")
    found = gr.HTML(elem_id="inspection")
    cleared = {prepared: "", download: gr.DownloadButton(visible=False), found: ""}

    async def on_show(selected: str | None) -> Update:
        """All sets, and the newest where none was chosen."""
        with telling(page):
            sets = await asyncio.to_thread(list_snapshots, page.settings.snapshots)
            if selected != _NEW and selected not in sets:
                selected = next(iter(sets), None)
            choices = [(texts.NEW_SET, _NEW), *((texts.set_name(one), one) for one in sets)]
            shown = _counts(sets[selected].counts) if selected in sets else ""
            return cleared | {
                listed: _listed(sets),
                chosen: gr.Dropdown(choices, value=selected),
                counted: shown,
            }

    async def on_load() -> Update:
        return await on_show(None)

    async def on_choose(selected: str | None) -> Update:
        with telling(page):
            sets = await asyncio.to_thread(list_snapshots, page.settings.snapshots)
            if selected in sets:
                return cleared | {counted: _counts(sets[selected].counts)}
            rows, _ = await _rows(page, selected)
            return cleared | {counted: _counts(count_rows(rows))}

    def on_prepare(suffix: str) -> Any:
        async def handler(selected: str | None) -> Update:
            with telling(page):
                rows, hidden = await _rows(page, selected)
                path = page.new_file(texts.set_file(selected or _NEW, suffix))
                await asyncio.to_thread(write_rows, rows, path)
                said = [texts.prepared(len(rows), hidden), bot_texts.export.MASKED]
                return {
                    prepared: fragments.note(" ".join(said)),
                    download: gr.DownloadButton(value=str(path), visible=True),
                }

        return handler

    async def on_search(selected: str | None) -> AsyncIterator[Update]:
        with telling(page):
            yield {found: fragments.note(texts.INSPECTING)}
            rows, hidden = await _rows(page, selected)
            inspection = await inspect_apart(rows)
            note = fragments.note(texts.hidden_rows(hidden)) if hidden else ""
            yield {found: note + _suspicious(rows, inspection) + _near(rows, inspection)}

    shown = [listed, chosen, counted, *cleared]
    # With the choice as an input, it would be done again for each choice.
    gr.on(None, on_load, None, shown, api_visibility="private")
    refresh.click(on_show, chosen, shown, api_visibility="private")
    chosen.input(on_choose, chosen, [counted, *cleared], api_visibility="private")
    for button, suffix in zip(prepare, _SUFFIXES.values(), strict=True):
        button.click(
            on_prepare(suffix),
            chosen,
            [prepared, download],
            api_visibility="private",
            concurrency_limit=1,
            concurrency_id="sets",
        )
    search.click(on_search, chosen, found, api_visibility="private", concurrency_limit=1)


async def _rows(page: Page, selected: str | None) -> tuple[list[Row], int]:
    """The rows of a set, and how many corrections are left out of an older one."""
    if selected is None:
        raise refusal(texts.SET_GONE)
    corrections = await page.service.training_corrections()
    rows, hidden = await asyncio.to_thread(_read, page, selected, corrections)
    if not rows:
        raise refusal(texts.NO_ROWS)
    return rows, hidden


def _read(
    page: Page, selected: str, corrections: Sequence[TrainingCorrection]
) -> tuple[list[Row], int]:
    try:
        if selected == _NEW:
            base = page.settings.tweetsent_base_data
            return merge(read_base(base)[0] if base else [], corrections), 0
        if selected not in list_snapshots(page.settings.snapshots):  # no path of a visitor's own
            raise refusal(texts.SET_GONE)
        rows = read_snapshot(page.settings.snapshots / selected).rows
    except DataError as error:
        raise refusal(texts.unreadable_set(str(error))) from None
    kept = trainable(rows, corrections)
    return kept, len(rows) - len(kept)


def _listed(sets: Mapping[str, SnapshotManifest]) -> str:
    if not sets:
        return fragments.note(texts.NO_SETS)
    rows = [
        [
            texts.set_name(one),
            moment(datetime.fromisoformat(manifest.created_at)),
            count(manifest.rows),
            *(count(sum(labels.values())) for labels in manifest.counts.values()),
        ]
        for one, manifest in sets.items()
    ]
    return fragments.table(texts.SETS, texts.SET_COLUMNS, rows)


def _counts(counts: Counts) -> str:
    """Rows by source and label, and a picture of the labels."""
    by_label = {label: sum(labels.get(label, 0) for labels in counts.values()) for label in LABELS}
    total = sum(by_label.values())
    rows = [
        [
            title,
            *(count(labels.get(label, 0)) for label in LABELS),
            count(sum(labels.values())),
            percent(sum(labels.values()) / total),
        ]
        for title, labels in (
            *((texts.SOURCES[source], labels) for source, labels in counts.items()),
            (texts.TOTAL, by_label),
        )
    ]
    png = distribution_png(by_label, title=texts.SET_SHARES)
    return fragments.table(
        texts.COUNTS, texts.COUNT_COLUMNS, rows, marked=len(rows) - 1
    ) + fragments.figures([fragments.figure(png, texts.SET_SHARES, "veri-etiketleri")])


def _suspicious(rows: Sequence[Row], inspection: Inspection) -> str:
    if not inspection.could_judge:
        return fragments.paragraph(texts.TOO_FEW_TO_JUDGE)
    if not inspection.suspicious:
        return fragments.paragraph(texts.NO_SUSPICIOUS)
    shown = inspection.suspicious[:_MOST_SHOWN]
    title = texts.suspicious(len(inspection.suspicious), len(shown))
    cells = [
        [_text(rows[place]), name(rows[place].label), name(likelier), _source(rows[place])]
        for place, likelier in shown
    ]
    return fragments.table(title, texts.SUSPICIOUS_COLUMNS, cells) + fragments.note(
        texts.SUSPICIOUS_NOTE
    )


def _near(rows: Sequence[Row], inspection: Inspection) -> str:
    if not inspection.near:
        return fragments.paragraph(texts.NO_NEAR)
    shown = inspection.near[:_MOST_SHOWN]
    title = texts.near_copies(len(inspection.near), len(shown))
    cells = [
        [str(number), _text(rows[place]), name(rows[place].label), _source(rows[place])]
        for number, places in enumerate(shown, start=1)
        for place in places
    ]
    return fragments.table(title, texts.NEAR_COLUMNS, cells) + fragments.note(texts.NEAR_NOTE)


def _text(row: Row) -> str:
    return shortened(row.text, _LONGEST_SHOWN)


def _source(row: Row) -> str:
    return texts.SOURCES[row.source]
