"""Inline keyboards and the data their buttons carry.

The data comes back from the user's app and is never trusted: `decode` refuses everything that
`_encode` can't have made, and handlers check that the prediction belongs to the chat.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot import texts
from tweetsent.labels import LABELS, Label

# Eighteen digits fit a 64-bit database key; Telegram allows 64 bytes of data.
_PRESS = re.compile(r"([dorg]):([1-9][0-9]{0,17}):([0-2])")
_VERDICTS = (True, False, None)


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


Press = CorrectionPress | ConsentPress | ReviewPress | RollBackPress


def correction_keyboard(prediction_id: int) -> InlineKeyboardMarkup:
    """The three labels, to correct or confirm a prediction."""
    return InlineKeyboardMarkup.from_row(
        [
            InlineKeyboardButton(
                texts.name(label), callback_data=_encode(CorrectionPress(prediction_id, label))
            )
            for label in LABELS
        ]
    )


def consent_keyboard(user_id: int) -> InlineKeyboardMarkup:
    """Yes and no to training with this user's corrections."""
    return InlineKeyboardMarkup.from_row(
        [
            InlineKeyboardButton(text, callback_data=_encode(ConsentPress(user_id, granted)))
            for text, granted in ((texts.CONSENT_YES, True), (texts.CONSENT_NO, False))
        ]
    )


def review_keyboard(correction_id: int) -> InlineKeyboardMarkup:
    """Accept, reject and skip, for one correction."""
    names = (texts.REVIEW_ACCEPT, texts.REVIEW_REJECT, texts.REVIEW_SKIP)
    return InlineKeyboardMarkup.from_row(
        [
            InlineKeyboardButton(text, callback_data=_encode(ReviewPress(correction_id, accept)))
            for text, accept in zip(names, _VERDICTS, strict=True)
        ]
    )


def roll_back_keyboard(activation_id: int) -> InlineKeyboardMarkup:
    """Yes and no to going back from an activation."""
    return InlineKeyboardMarkup.from_row(
        [
            InlineKeyboardButton(
                text, callback_data=_encode(RollBackPress(activation_id, confirmed))
            )
            for text, confirmed in ((texts.ROLL_BACK_YES, True), (texts.ROLL_BACK_NO, False))
        ]
    )


def _encode(press: Press) -> str:
    if isinstance(press, CorrectionPress):
        return f"d:{press.prediction_id}:{LABELS.index(press.label)}"
    if isinstance(press, ReviewPress):
        return f"r:{press.correction_id}:{_VERDICTS.index(press.accept)}"
    if isinstance(press, RollBackPress):
        return f"g:{press.activation_id}:{int(press.confirmed)}"
    return f"o:{press.user_id}:{int(press.granted)}"


def decode(data: str) -> Press:
    """The press that callback data stands for.

    Raises ValueError for data this project never makes.
    """
    match = _PRESS.fullmatch(data)
    if match is None:
        raise ValueError("unknown callback data")
    kind, id_, choice = match[1], int(match[2]), int(match[3])
    if kind == "d":
        return CorrectionPress(id_, LABELS[choice])
    if kind == "r":
        return ReviewPress(id_, _VERDICTS[choice])
    if choice > 1:
        raise ValueError("unknown callback data")
    if kind == "g":
        return RollBackPress(id_, choice == 1)
    return ConsentPress(id_, choice == 1)


def prediction_of_buttons(keyboard: InlineKeyboardMarkup | None) -> int | None:
    """The prediction that a message's buttons correct; None when it has no such button."""
    for row in keyboard.inline_keyboard if keyboard else ():
        for button in row:
            with suppress(ValueError):
                press = decode(str(button.callback_data))
                if isinstance(press, CorrectionPress):
                    return press.prediction_id
    return None
