"""The errors a user can do something about; each carries one readable English line.

Only the command line and the bot's error handler turn them into words for a person.
"""


class TweetsentError(Exception):
    """Root of the project's errors."""


class ConfigError(TweetsentError):
    """A setting is missing or wrong; the message names the variable."""


class DataError(TweetsentError):
    """A data file, a column, a label or a label map can't be used."""


class ModelError(TweetsentError):
    """A base model, a model cache or an adapter can't be used."""


class VersionError(TweetsentError):
    """A version of the model is unknown or deleted, or there is none to go back to."""


class StoreError(TweetsentError):
    """The database is missing, too old, too new, locked or damaged."""


class TelegramError(TweetsentError):
    """Telegram can't be reached or refuses the token."""


class UnknownLabelError(TweetsentError):
    """Words that name no label."""


class NoWordsError(TweetsentError):
    """A text without words: empty, emoji, links or digits only."""


class NotFoundError(TweetsentError):
    """A message that has no prediction."""


class RunError(TweetsentError):
    """A retraining run can't start or go on: another one runs, or took its place."""


class StoppedError(TweetsentError):
    """The user stopped a run; what is done so far is kept."""
