"""What inline mode offers and posts."""

from bot.texts.wording import bar, name, percent
from tweetsent.labels import Scores

HINT = "Duygusunu merak ettiğin metni yaz…"


def title(scores: Scores) -> str:
    """The result in one line."""
    return f"{name(scores.label)} · {percent(scores.confidence)}"


def description(text: str, scores: Scores) -> str:
    """What is shown under the title before it is posted."""
    return f"{bar(scores.confidence)} {text}"


def posted(text: str, scores: Scores) -> str:
    """The message that the user posts: their text and the result."""
    return f"{text}\n\n{title(scores)}\n{bar(scores.confidence)}"
