"""Pieces of HTML that several tabs show; every text in them is escaped here."""

import base64
from collections.abc import Sequence
from html import escape

from bot.texts.wording import name, percent
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.occlusion import MOST_WORDS, Effect
from tweetsent.ui import texts

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
    notes = [texts.words_legend(label.turkish)]
    if any(effect.change is None for effect in effects):
        notes.append(texts.first_words(MOST_WORDS))
    return (
        f"<h3>{escape(texts.words_title(label.turkish))}</h3>"
        f'<p class="ts-words">{marked}</p>{"".join(map(note, notes))}'
    )


def figure(png: bytes, title: str, file_name: str) -> str:
    """A picture that can be downloaded; it is part of the page, so no file of it is served."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return (
        f'<figure class="ts-figure"><img src="{source}" alt="{escape(title)}">'
        f'<figcaption><a href="{source}" download="{escape(file_name)}.png" '
        f'aria-label="{escape(title)}: {texts.DOWNLOAD}">{texts.DOWNLOAD}</a></figcaption></figure>'
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
