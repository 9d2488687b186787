"""Inline keyboards and the data their buttons carry.

The data comes back from the user's app and is never trusted: `decode` refuses everything that
`_encode` can't have made, and handlers check that the prediction belongs to the chat and the
button to who pressed it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot import texts
from tweetsent.labels import LABELS, Label
from tweetsent.records import Prediction

# Eighteen digits fit a 64-bit database key; Telegram allows 64 bytes of data.
_DATA = re.compile(r"([a-z])((?::[1-9][0-9]{0,17}){1,2}):([0-9])")


@dataclass(frozen=True, slots=True)
class CorrectionPress:
    """A tap under an answer, by which the message's author gives it a label."""

    prediction_id: int
    label: Label


@dataclass(frozen=True, slots=True)
class VotePress:
    """A tap under a reply to `/duzelt`, by which whoever typed it gives a prediction a label."""

    prediction_id: int
    user_id: int
    label: Label


@dataclass(frozen=True, slots=True)
class ConsentPress:
    """A tap that answers the consent question put to one user."""

    user_id: int
    granted: bool


@dataclass(frozen=True, slots=True)
class ReviewPress:
    """An admin's tap on a correction that waits."""

    correction_id: int
    accept: bool | None
    """None to skip it."""


@dataclass(frozen=True, slots=True)
class RollBackPress:
    """A tap that answers whether to go back from one activation to the version before."""

    activation_id: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class AnnouncementPress:
    """A tap that has an announcement sent, or dropped or stopped."""

    announcement_id: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class HistoryPress:
    """A tap that turns the pages of the user's history, from the message at a page's end."""

    prediction_id: int
    older: bool


@dataclass(frozen=True, slots=True)
class ErasePress:
    """A tap that answers whether to erase one user."""

    user_id: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class FilePress:
    """A tap on the message about a file that is being labelled."""

    file_id: int
    choice: int | None
    """The column of texts, counted from 0 among those offered; None to cancel."""


MOST_CHOICES = 9
"""How many columns can be offered."""

Press = (
    CorrectionPress
    | VotePress
    | ConsentPress
    | ReviewPress
    | RollBackPress
    | AnnouncementPress
    | HistoryPress
    | ErasePress
    | FilePress
)
"""Each is what it is about, one or two numbers, and the choice that was made of it."""

_KINDS: dict[str, tuple[type[Press], tuple[object, ...]]] = {
    "d": (CorrectionPress, LABELS),
    "v": (VotePress, LABELS),
    "o": (ConsentPress, (False, True)),
    "r": (ReviewPress, (True, False, None)),
    "g": (RollBackPress, (False, True)),
    "y": (AnnouncementPress, (False, True)),
    "s": (HistoryPress, (False, True)),
    "u": (ErasePress, (False, True)),
    "f": (FilePress, (None, *range(MOST_CHOICES))),
}
"""What a press's data begins with, and what its last digit counts; messages keep old data."""


def answer_keyboard(prediction: Prediction) -> InlineKeyboardMarkup:
    """Whether the answer's label is right or one of the two others is, for the message's author.

    An answer that is unsure asks for one of all three.
    """
    scores = prediction.scores
    if scores.is_unsure:
        labels = {texts.wording.name(label): label for label in LABELS}
    else:
        others = [label for label in LABELS if label is not scores.label]
        labels = {texts.answers.RIGHT: scores.label}
        labels |= {texts.answers.correct_to(label): label for label in others}
    return _row({text: CorrectionPress(prediction.id, label) for text, label in labels.items()})


def vote_keyboard(
    prediction_id: int, user_id: int, labels: Iterable[Label] = LABELS
) -> InlineKeyboardMarkup:
    """Labels for one user to choose from, whoever wrote the message."""
    return _row(
        {texts.wording.name(label): VotePress(prediction_id, user_id, label) for label in labels}
    )


def consent_keyboard(user_id: int) -> InlineKeyboardMarkup:
    """Yes and no to training with this user's corrections."""
    return _row(
        {
            texts.privacy.CONSENT_YES: ConsentPress(user_id, granted=True),
            texts.privacy.CONSENT_NO: ConsentPress(user_id, granted=False),
        }
    )


def review_keyboard(correction_id: int) -> InlineKeyboardMarkup:
    """Accept, reject and skip, for one correction."""
    return _row(
        {
            texts.review.ACCEPT: ReviewPress(correction_id, accept=True),
            texts.review.REJECT: ReviewPress(correction_id, accept=False),
            texts.review.SKIP: ReviewPress(correction_id, accept=None),
        }
    )


def roll_back_keyboard(activation_id: int) -> InlineKeyboardMarkup:
    """Yes and no to going back from an activation."""
    return _row(
        {
            texts.models.ROLL_BACK_YES: RollBackPress(activation_id, confirmed=True),
            texts.models.ROLL_BACK_NO: RollBackPress(activation_id, confirmed=False),
        }
    )


def announcement_keyboard(announcement_id: int) -> InlineKeyboardMarkup:
    """Send an announcement, or not."""
    return _row(
        {
            texts.announcements.SEND: AnnouncementPress(announcement_id, confirmed=True),
            texts.announcements.CANCEL: AnnouncementPress(announcement_id, confirmed=False),
        }
    )


def stop_keyboard(announcement_id: int) -> InlineKeyboardMarkup:
    """Stop the announcement that is being sent."""
    return _row({texts.announcements.STOP: AnnouncementPress(announcement_id, confirmed=False)})


def history_keyboard(
    *, newer_than: int | None, older_than: int | None
) -> InlineKeyboardMarkup | None:
    """The pages beside one that ends at these messages; None where it is the only one."""
    presses: dict[str, Press] = {}
    if newer_than is not None:
        presses[texts.own_data.NEWER] = HistoryPress(newer_than, older=False)
    if older_than is not None:
        presses[texts.own_data.OLDER] = HistoryPress(older_than, older=True)
    return _row(presses) if presses else None


def erase_keyboard(user_id: int) -> InlineKeyboardMarkup:
    """Yes and no to erasing this user."""
    return _row(
        {
            texts.own_data.ERASE_YES: ErasePress(user_id, confirmed=True),
            texts.own_data.ERASE_NO: ErasePress(user_id, confirmed=False),
        }
    )


def file_keyboard(file_id: int, columns: Sequence[str] = ()) -> InlineKeyboardMarkup:
    """The columns to choose from, where they are asked for, and the way to cancel a file."""
    names = [texts.files.column_button(number, name) for number, name in enumerate(columns, 1)]
    presses = {name: FilePress(file_id, choice) for choice, name in enumerate(names)}
    rows = [
        _row({text: press}).inline_keyboard[0]
        for text, press in {**presses, texts.files.CANCEL: FilePress(file_id, None)}.items()
    ]
    return InlineKeyboardMarkup(rows)


def _row(presses: Mapping[str, Press]) -> InlineKeyboardMarkup:
    """Buttons beside each other, by what is written on them."""
    return InlineKeyboardMarkup.from_row(
        [
            InlineKeyboardButton(text, callback_data=_encode(press))
            for text, press in presses.items()
        ]
    )


def _encode(press: Press) -> str:
    *about, choice = (getattr(press, field.name) for field in fields(press))
    (kind,) = (kind for kind, (made, _) in _KINDS.items() if isinstance(press, made))
    return ":".join(map(str, [kind, *about, _KINDS[kind][1].index(choice)]))


def decode(data: str) -> Press:
    """The press that callback data stands for.

    Raises ValueError for data this project never makes.
    """
    match = _DATA.fullmatch(data)
    if match is None or match[1] not in _KINDS:
        raise ValueError("unknown callback data")
    made, choices = _KINDS[match[1]]
    about, choice = [int(number) for number in match[2][1:].split(":")], int(match[3])
    if len(about) != len(fields(made)) - 1 or choice >= len(choices):
        raise ValueError("unknown callback data")
    return made(*about, choices[choice])  # type: ignore[arg-type, call-arg] # of its kind


def prediction_of_buttons(keyboard: InlineKeyboardMarkup | None) -> int | None:
    """The prediction that a message's buttons correct; None when it has no such button."""
    for row in keyboard.inline_keyboard if keyboard else ():
        for button in row:
            with suppress(ValueError):
                press = decode(str(button.callback_data))
                if isinstance(press, CorrectionPress | VotePress):
                    return press.prediction_id
    return None
