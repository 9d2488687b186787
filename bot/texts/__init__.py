"""Every text that users read, in Turkish, by topic.

Plain text: no markup, so nothing needs escaping.
"""

from bot.texts import (
    answers,
    errors,
    guide,
    health,
    models,
    privacy,
    retraining,
    review,
    statistics,
    terminal,
    wording,
)

__all__ = [
    "answers",
    "errors",
    "guide",
    "health",
    "models",
    "privacy",
    "retraining",
    "review",
    "statistics",
    "terminal",
    "wording",
]
