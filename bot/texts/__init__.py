"""Every text that users read, in Turkish, by topic.

Plain text: no markup, so nothing needs escaping.
"""

from bot.texts import (
    announcements,
    answers,
    chats,
    errors,
    export,
    files,
    guide,
    health,
    inline,
    limits,
    models,
    own_data,
    privacy,
    retraining,
    review,
    statistics,
    terminal,
    wording,
)

__all__ = [
    "announcements",
    "answers",
    "chats",
    "errors",
    "export",
    "files",
    "guide",
    "health",
    "inline",
    "limits",
    "models",
    "own_data",
    "privacy",
    "retraining",
    "review",
    "statistics",
    "terminal",
    "wording",
]
