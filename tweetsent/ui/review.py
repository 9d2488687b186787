"""The tab İnceleme: the corrections that wait, one by one with the keyboard or many at once."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from bot import texts as bot_texts
from bot.texts.wording import shortened
from tweetsent.records import OWNER_ID, ReviewItem
from tweetsent.ui import fragments, texts
from tweetsent.ui.page import Page, Update, refusal, telling

_MOST_LISTED = 100
_LONGEST_LISTED = 160
Words = list[list[ReviewItem]]
"""What the owner decided since the page was opened; each entry is one click, the last one last."""


def build(page: Page) -> None:
    """Adds what is on the tab to the open `gr.Blocks`."""
    current: gr.State = gr.State(None)
    words: gr.State = gr.State([])
    # What the browser shows comes back with a click, which may be older than the state.
    seen = gr.Number(visible="hidden", elem_id="review-number")
    shown = gr.HTML(elem_id="review-item")
    with gr.Row():
        accept, reject, skip, undo = (
            gr.Button(text, elem_id=f"review-{word}", min_width=120, interactive=False)
            for text, word in (
                (texts.ACCEPT, "accept"),
                (texts.REJECT, "reject"),
                (texts.SKIP, "skip"),
                (texts.UNDO, "undo"),
            )
        )
    said = gr.HTML(elem_id="review-said")
    gr.HTML(fragments.note(texts.REVIEW_KEYS))
    with gr.Accordion(texts.BULK, open=False, elem_id="bulk"):
        chosen = gr.CheckboxGroup(
            [], label=texts.WAITING_ONES, elem_id="bulk-items", show_select_all=True
        )
        with gr.Row():
            accept_all, reject_all = bulk = [
                gr.Button(
                    texts.bulk(accepted, 0),
                    elem_id=f"bulk-{word}",
                    min_width=120,
                    interactive=False,
                )
                for accepted, word in ((True, "accept"), (False, "reject"))
            ]
    outputs = [current, words, seen, shown, accept, reject, skip, undo, said, chosen, *bulk]

    def on_choose(numbers: list[int]) -> Update:
        return {
            button: gr.Button(texts.bulk(accepted, len(numbers)), interactive=bool(numbers))
            for accepted, button in ((True, accept_all), (False, reject_all))
        }

    def undoable(done: Words) -> Update:
        return {words: done, undo: gr.Button(interactive=bool(done))}

    async def queue(after: int, message: str, done: Words) -> Update:
        """The first item behind one, and what waits in all."""
        waiting = await page.service.review_queue()
        following = [item for item in waiting if item.correction_id > after]
        item = following[0] if following else None
        text = _shown(item, len(following), len(waiting))
        return {
            **undoable(done),
            **on_choose([]),
            current: item,
            seen: item.correction_id if item else None,
            shown: fragments.lines([line for line in text.splitlines() if line]),
            accept: gr.Button(interactive=item is not None),
            reject: gr.Button(interactive=item is not None),
            skip: gr.Button(interactive=bool(waiting)),  # leads back from the end, too
            said: fragments.paragraph(message) if message else "",
            chosen: gr.CheckboxGroup(
                [(_listed(one), one.correction_id) for one in waiting[:_MOST_LISTED]], value=[]
            ),
        }

    async def on_load() -> Update:
        with telling(page):
            return await queue(0, "", [])

    def on_word(accepted: bool) -> Any:
        async def handler(item: ReviewItem | None, number: int | None, done: Words) -> Update:
            with telling(page):
                if item is None:  # the button is off: a late or forged event
                    return await queue(0, "", done)
                if number != item.correction_id:  # two clicks at once: the second one's is gone
                    raise refusal(texts.NOT_SEEN)
                if not await page.service.review(OWNER_ID, number, accept=accepted):
                    return await queue(number, bot_texts.review.TOO_LATE, done)
                return await queue(
                    number, texts.ACCEPTED if accepted else texts.REJECTED, [*done, [item]]
                )

        return handler

    async def on_skip(item: ReviewItem | None, done: Words) -> Update:
        with telling(page):
            return await queue(item.correction_id if item else 0, texts.SKIPPED, done)

    async def on_undo(done: Words) -> Update:
        with telling(page):
            if not done:
                raise refusal(texts.NOTHING_TO_UNDO)
            back = [
                item for item in done[-1] if await page.service.take_back_review(OWNER_ID, item)
            ]
            if not back:
                return await queue(0, texts.TOO_LATE_TO_UNDO, done[:-1])
            return await queue(back[0].correction_id - 1, texts.TAKEN_BACK, done[:-1])

    def on_words(accepted: bool) -> Any:
        async def handler(numbers: list[int], done: Words) -> AsyncIterator[Update]:
            with telling(page):
                items: list[ReviewItem] = []
                for item in await page.service.review_queue():
                    if item.correction_id in numbers and await page.service.review(
                        OWNER_ID, item.correction_id, accept=accepted
                    ):
                        items.append(item)
                        yield undoable([*done, items])  # even if the next one fails
                yield await queue(
                    0,
                    texts.decided(accepted, len(items), len(numbers) - len(items)),
                    [*done, items] if items else done,
                )

        return handler

    for trigger, handler, inputs in (
        (accept, on_word(True), [current, seen, words]),
        (reject, on_word(False), [current, seen, words]),
        (skip, on_skip, [current, words]),
        (undo, on_undo, [words]),
        (accept_all, on_words(True), [chosen, words]),
        (reject_all, on_words(False), [chosen, words]),
    ):
        # One after the other: two at once would know the same decisions, and one would forget.
        trigger.click(
            handler,
            inputs,
            outputs,
            api_visibility="private",
            concurrency_id="review",
            concurrency_limit=1,
        )
    chosen.input(
        on_choose,
        chosen,
        bulk,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="always_last",
    )
    gr.on(None, on_load, None, outputs, api_visibility="private")


def _shown(item: ReviewItem | None, left: int, waiting: int) -> str:
    if item:
        return bot_texts.review.item(item, left=left)
    return texts.skipped(waiting) if waiting else bot_texts.review.end(skipped=0)


def _listed(item: ReviewItem) -> str:
    model, user = item.scores.label.emoji, item.label.emoji
    return f"🤖 {model} → 👤 {user} “{shortened(item.text, _LONGEST_LISTED)}”"
