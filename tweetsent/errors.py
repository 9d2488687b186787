"""The errors a user can do something about; each carries one readable English line.

Only the command line and the bot's error handler turn them into words for a person.
"""

from enum import StrEnum


class TweetsentError(Exception):
    """Root of the project's errors."""


class ConfigError(TweetsentError):
    """A setting is missing or wrong; the message names the variable."""


class Flaw(StrEnum):
    """What may be wrong with a file."""

    EMPTY = "empty"
    PROTECTED = "protected"
    OLD_OFFICE = "old_office"
    NO_WORKBOOK = "no_workbook"
    """It is named .xlsx and is none, or a damaged one."""
    WORKBOOK = "workbook"
    """It is an .xlsx of another name."""
    UNPACKED_SIZE = "unpacked_size"
    ENCODING = "encoding"
    QUOTE = "quote"
    CELLS = "cells"
    """A line has more cells than the header."""
    NO_HEADER = "no_header"
    ROWS = "rows"
    COLUMNS = "columns"
    LONG_TEXT = "long_text"
    SLOW = "slow"
    """It takes too long to read."""


class DataError(TweetsentError):
    """A data file, a column, a label or a label map can't be used.

    `flaw` is for those who say it in words of their own; `line` is 0 where none is to blame.
    """

    def __init__(self, message: str, flaw: Flaw | None = None, line: int = 0) -> None:
        super().__init__(message)
        self.flaw = flaw
        self.line = line


class ModelError(TweetsentError):
    """A base model, a model cache or an adapter can't be used."""


class NoAnswerError(ModelError):
    """The model hangs."""


class QueueFullError(TweetsentError):
    """So many texts wait for the model that no more are taken."""


class VersionError(TweetsentError):
    """A version of the model is unknown or deleted, or there is none to go back to."""


class UnseenVersionError(VersionError):
    """No prediction is of this version of the model; `seen` are those there are, newest first."""

    def __init__(self, version: str, seen: list[str]) -> None:
        versions = ", ".join(seen) or "none"
        super().__init__(
            f"no prediction is of the model {version!r}; there are those of {versions}"
        )
        self.version = version
        self.seen = seen


class StoreError(TweetsentError):
    """The database is missing, too old, too new, locked, full or damaged.

    `is_passing` says that what failed may well succeed later, once the fault is over.
    """

    def __init__(self, message: str, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class TelegramError(TweetsentError):
    """Telegram can't be reached or refuses the token."""


class UnknownLabelError(TweetsentError):
    """Words that name no label."""


class NoWordsError(TweetsentError):
    """A text without words: empty, emoji, mentions or digits only."""


class OnlyLinksError(NoWordsError):
    """A text that is nothing but links."""


class OnlyTweetLinkError(OnlyLinksError):
    """A text that is nothing but links, one of them to a tweet."""


class NotFoundError(TweetsentError):
    """A message that has no prediction, or a file that is not known any more."""


class NotOwnerError(TweetsentError):
    """Only the user who sent a file may decide about it."""


class FileBusyError(TweetsentError):
    """A user sent a file while another one of theirs is in work."""


class FileQuotaError(TweetsentError):
    """A user sent more files in a day than they may."""


class RunError(TweetsentError):
    """A retraining run can't start or go on: another one runs, or took its place."""


class Lack(StrEnum):
    """What a retraining run may lack."""

    FREE_ADAPTER = "free_adapter"
    BASE_DATA = "base_data"
    TEST_DATA = "test_data"
    FILE = "file"
    CORRECTIONS = "corrections"
    NEW_CORRECTIONS = "new_corrections"


_LACKS = {
    Lack.FREE_ADAPTER: "TWEETSENT_ADAPTER names the adapter: whatever a run made would not serve",
    Lack.BASE_DATA: "TWEETSENT_BASE_DATA is not set: corrections alone are too little to train on; "
    "name the labelled file that they are to be added to",
    Lack.TEST_DATA: "TWEETSENT_TEST_DATA is not set, and what serves was trained on all of the "
    "base data: a part of it would flatter what serves; name a labelled file to test on",
    Lack.FILE: "there is no {path}: TWEETSENT_BASE_DATA or TWEETSENT_TEST_DATA names it",
    Lack.CORRECTIONS: "{found} accepted corrections are too few to learn from some and test on "
    "others: {needed} are needed",
    Lack.NEW_CORRECTIONS: "{found} accepted corrections came since the last run, and "
    "TWEETSENT_RETRAIN_MIN_CORRECTIONS is {needed}",
}


class NotReadyError(RunError):
    """A retraining run can't begin; `found` and `needed` count corrections."""

    def __init__(self, lack: Lack, found: int = 0, needed: int = 0, path: str = "") -> None:
        super().__init__(_LACKS[lack].format(found=found, needed=needed, path=path))
        self.lack = lack
        self.found = found
        self.needed = needed
        self.path = path


class StoppedError(TweetsentError):
    """The user stopped a run; what is done so far is kept."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
