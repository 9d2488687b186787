"""Pieces of HTML that several tabs show; every text in them is escaped here."""

import base64
from collections.abc import Sequence
from html import escape

from bot.texts.wording import name, percent
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.occlusion import Effect
from tweetsent.ui import texts

CSS = """
.gradio-container { width: 100%; max-width: 60rem !important; margin: 0 auto !important }
.gradio-container .main { padding: 1rem !important }
.gradio-container .column { --layout-gap: .6rem }
.gradio-container * { letter-spacing: normal }
footer { display: none !important }
[data-testid="status-tracker"]:has(> .error) { display: none } /* the toast says what is wrong */
.ts-label { font-size: 1.6rem; font-weight: 650; margin: .2rem 0 .6rem }
.ts-bars { display: grid; grid-template-columns: max-content 1fr 3.2rem; gap: .45rem .8rem;
  align-items: center }
.ts-track { height: .85rem; border-radius: .5rem; background: var(--background-fill-secondary);
  border: 1px solid var(--border-color-primary); overflow: hidden }
.ts-fill { height: 100%; min-width: 2px }
.ts-negative { background: #d9822b } .ts-neutral { background: #9a9a9a }
.ts-positive { background: #2f6fb0 }
.ts-note { color: var(--body-text-color); opacity: .75; font-size: .9rem; margin: .6rem 0 0 }
.ts-words { font-size: 1.15rem; line-height: 2.1; overflow-wrap: anywhere; margin: .3rem 0 }
.ts-words mark { color: inherit; border-radius: .3rem; padding: .12rem .22rem;
  background: rgb(47 111 176 / var(--ts)) }
.ts-words mark.ts-against { background: rgb(217 130 43 / var(--ts));
  border-bottom: 2px dotted #d9822b }
.dark .ts-words mark { background: rgb(58 122 196 / calc(1.2 * var(--ts))) }
.dark .ts-words mark.ts-against { background: rgb(186 93 10 / calc(1.2 * var(--ts))) }
.ts-list { padding: 0; margin: .6rem 0; list-style: none } .ts-list li { margin: .25rem 0;
  overflow-wrap: anywhere }
.ts-figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr));
  gap: 1rem }
.ts-figure { margin: 0; max-width: 32rem; border: 1px solid var(--border-color-primary);
  border-radius: .6rem; padding: .5rem; background: #fff }
.ts-figure img { width: 100%; height: auto; display: block }
.ts-figure a { display: inline-block; color: #1d4f86; font-size: .9rem; padding: .3rem }
.ts-top { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem;
  flex-wrap: wrap } .ts-top h1 { margin: 0; font-size: 1.35rem }
.ts-top nav { display: flex; gap: 1rem; flex-wrap: wrap }
.ts-top form { margin: 0 } .ts-top button { all: unset; text-decoration: underline;
  cursor: pointer } .ts-top button:focus-visible { outline: 2px solid }
.ts-numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: .6rem; margin: .4rem 0 } .ts-numbers div { border: 1px solid var(--border-color-primary);
  border-radius: .6rem; padding: .5rem .7rem } .ts-numbers dt { font-size: .85rem;
  opacity: .75 } .ts-numbers dd { margin: 0; font-size: 1.25rem;
  font-weight: 600; overflow-wrap: anywhere }
.ts-scroll { overflow-x: auto; margin: .6rem 0 } .ts-scroll:focus-visible { outline: 2px solid }
.ts-scroll table { border-collapse: collapse; width: 100%; font-size: .92rem }
.ts-scroll table, .ts-scroll tr, .ts-scroll th, .ts-scroll td { border: 0 !important }
.ts-scroll th, .ts-scroll td { padding: .4rem .6rem; text-align: left; vertical-align: top;
  box-shadow: inset 0 -1px var(--border-color-primary); white-space: nowrap }
.ts-scroll td.ts-wide { min-width: 13rem; white-space: normal; overflow-wrap: anywhere }
.ts-scroll tr.ts-marked { background: var(--background-fill-secondary); font-weight: 600 }
@media (max-width: 30rem) { .ts-scroll table { font-size: .82rem }
  .ts-scroll th, .ts-scroll td { padding: .35rem .45rem } }
.ts-steps { list-style: none; padding: 0; margin: .6rem 0 } .ts-steps li { margin: .3rem 0 }
.ts-steps [aria-current] { font-weight: 600 } .ts-steps progress { width: 100%; max-width: 24rem;
  display: block; margin-top: .3rem; accent-color: #2f6fb0 }
.ts-question { position: fixed; inset: auto 0 0 0; z-index: 1000; padding: 1rem; max-width: 60rem;
  margin: 0 auto; border-radius: .6rem .6rem 0 0; background: var(--background-fill-primary);
  border: 1px solid var(--border-color-primary); box-shadow: 0 0 1.5rem rgb(0 0 0 / .35) }
"""
# Gradio titles its toasts "Error" or "Warning", whatever it is told.
CSS += ".toast-title { font-size: 0 !important } .toast-title::before { font-size: 1rem }"
CSS += "".join(
    f'.toast-title.{kind}::before {{ content: "{title}" }}' for kind, title in texts.TOASTS.items()
)
STRONGEST = 0.75
"""How opaque the colour of a word is that decides alone; more would make it hard to read."""
_WIDE_CHARACTERS = 28
"""Cells with more get a column that is wide enough to read them."""


def result(scores: Scores, version: str) -> str:
    """Label, confidence and the three scores as bars."""
    bars = "".join(_bar(label, scores.of(label)) for label in LABELS)
    return (
        f'<p class="ts-label">{name(scores.label)} · {percent(scores.confidence)}</p>'
        f'<div class="ts-bars">{bars}</div>{note(texts.model(version))}'
    )


def note(text: str) -> str:
    """A line in small letters."""
    return f'<p class="ts-note">{escape(text)}</p>'


def paragraph(text: str) -> str:
    """A line in letters as large as the rest."""
    return f"<p>{escape(text)}</p>"


def lines(entries: Sequence[str]) -> str:
    """Some lines below each other."""
    return f'<ul class="ts-list">{"".join(f"<li>{escape(one)}</li>" for one in entries)}</ul>'


def words(label: Label, effects: Sequence[Effect]) -> str:
    """A text whose words are coloured by what they did for its label."""
    marked = " ".join(_word(effect) for effect in effects)
    return (
        f"<h3>{escape(texts.words_title(label.turkish))}</h3>"
        f'<p class="ts-words">{marked}</p>{note(texts.words_legend(label.turkish))}'
    )


def figure(png: bytes, title: str, file_name: str) -> str:
    """A picture that can be downloaded; it is part of the page, so no file of it is served."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return (
        f'<figure class="ts-figure"><img src="{source}" alt="{escape(title)}">'
        f'<figcaption><a href="{source}" download="{escape(file_name)}.png">'
        f"{texts.DOWNLOAD}</a></figcaption></figure>"
    )


def figures(drawn: Sequence[str]) -> str:
    """Pictures beside each other where there is room."""
    return f'<div class="ts-figures">{"".join(drawn)}</div>'


def numbers(entries: Sequence[tuple[str, str]]) -> str:
    """Figures with their names."""
    cells = "".join(
        f"<div><dt>{escape(title)}</dt><dd>{escape(value)}</dd></div>" for title, value in entries
    )
    return f'<dl class="ts-numbers">{cells}</dl>'


def table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], marked: int | None = None
) -> str:
    """Rows and columns under a title; what is too wide for a phone is scrolled, by keyboard too."""
    columns = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(
        f"<tr{' class=ts-marked' if place == marked else ''}>{''.join(map(_cell, row))}</tr>"
        for place, row in enumerate(rows)
    )
    return (
        f'<h3>{escape(title)}</h3><div class="ts-scroll" tabindex="0" role="region" '
        f'aria-label="{escape(title)}"><table><thead><tr>{columns}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def steps(names: Sequence[str], current: int, share: float | None) -> str:
    """What is done, what goes on and how far it is, and what is to come."""
    entries = []
    for place, step in enumerate(names):
        if place < current:
            entries.append(f"<li>✓ {escape(step)}</li>")
        elif place > current:
            entries.append(f"<li>· {escape(step)}</li>")
        else:
            bar = "" if share is None else f'<progress max="1" value="{share:.3f}"></progress>'
            done = "" if share is None else f" {percent(share)}"
            entries.append(f'<li aria-current="step">⏳ {escape(step)}{done}{bar}</li>')
    return f'<ol class="ts-steps">{"".join(entries)}</ol>'


def _cell(text: str) -> str:
    wide = ' class="ts-wide"' if len(text) > _WIDE_CHARACTERS else ""
    return f"<td{wide}>{escape(text)}</td>"


def _bar(label: Label, share: float) -> str:
    return (
        f'<span>{name(label)}</span><div class="ts-track" role="img" '
        f'aria-label="{label.turkish} {percent(share)}"><div class="ts-fill ts-{label}" '
        f'style="width:{100 * share:.1f}%"></div></div><span>{percent(share)}</span>'
    )


def _word(effect: Effect) -> str:
    word = escape(effect.word)
    if effect.change is None:
        return word
    kind = ' class="ts-against"' if effect.change < 0 else ""
    strength = min(abs(effect.change), 1.0) ** 0.5 * STRONGEST  # small effects are seen, too
    return (
        f'<mark{kind} style="--ts:{strength:.2f}" title="{texts.word_effect(effect.change)}">'
        f"{word}</mark>"
    )
