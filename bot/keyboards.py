"""Inline keyboards and the data their buttons carry.

The data comes back from the user's app and is never trusted: `decode` refuses everything that
`_encode` can't have made, and handlers check that the prediction belongs to the chat.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot import texts
from tweetsent.labels import LABELS, Label

# Eighteen digits fit a 64-bit database key; Telegram allows 64 bytes of data.
_DATA = re.compile(r"([a-z]):([1-9][0-9]{0,17}):([0-9])")


@dataclass(frozen=True, slots=True)
class CorrectionPress:
    """A tap that gives a prediction a label."""

    prediction_id: int
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
class FilePress:
    """A tap on the message about a file that is being labelled."""

    file_id: int
    choice: int | None
    """The column of texts, counted from 0 among those offered; None to cancel."""


MOST_CHOICES = 9
"""How many columns can be offered."""

Press = CorrectionPress | ConsentPress | ReviewPress | RollBackPress | FilePress
"""Each is what it is about, a number, and the choice that was made of it."""

_KINDS: dict[str, tuple[type[Press], tuple[object, ...]]] = {
    "d": (CorrectionPress, LABELS),
    "o": (ConsentPress, (False, True)),
    "r": (ReviewPress, (True, False, None)),
    "g": (RollBackPress, (False, True)),
    "f": (FilePress, (None, *range(MOST_CHOICES))),
}
"""What a press's data begins with, and what its last digit counts; messages keep old data."""


def correction_keyboard(prediction_id: int) -> InlineKeyboardMarkup:
    """The three labels, to correct or confirm a prediction."""
    return _row(
        {texts.wording.name(label): CorrectionPress(prediction_id, label) for label in LABELS}
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
    about, choice = astuple(press)
    (kind,) = (kind for kind, (made, _) in _KINDS.items() if isinstance(press, made))
    return f"{kind}:{about}:{_KINDS[kind][1].index(choice)}"


def decode(data: str) -> Press:
    """The press that callback data stands for.

    Raises ValueError for data this project never makes.
    """
    match = _DATA.fullmatch(data)
    if match is None or match[1] not in _KINDS:
        raise ValueError("unknown callback data")
    made, choices = _KINDS[match[1]]
    if int(match[3]) >= len(choices):
        raise ValueError("unknown callback data")
    return made(int(match[2]), choices[int(match[3])])  # type: ignore[arg-type] # of its own kind


def prediction_of_buttons(keyboard: InlineKeyboardMarkup | None) -> int | None:
    """The prediction that a message's buttons correct; None when it has no such button."""
    for row in keyboard.inline_keyboard if keyboard else ():
        for button in row:
            with suppress(ValueError):
                press = decode(str(button.callback_data))
                if isinstance(press, CorrectionPress):
                    return press.prediction_id
    return None
