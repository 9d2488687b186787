"""Callback data: made and read back, and nothing else is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.keyboards import (
    ConsentPress,
    CorrectionPress,
    FilePress,
    ReviewPress,
    RollBackPress,
    consent_keyboard,
    correction_keyboard,
    decode,
    file_keyboard,
    prediction_of_buttons,
    review_keyboard,
    roll_back_keyboard,
)
from tweetsent.labels import LABELS

LARGEST_ID = 10**18 - 1


@given(st.integers(1, LARGEST_ID))
def test_correction_buttons_come_back(prediction_id: int) -> None:
    (row,) = correction_keyboard(prediction_id).inline_keyboard
    data = [str(button.callback_data) for button in row]

    assert [decode(item) for item in data] == [
        CorrectionPress(prediction_id, label) for label in LABELS
    ]
    assert max(len(item.encode()) for item in data) <= 64
    assert prediction_of_buttons(correction_keyboard(prediction_id)) == prediction_id


@given(st.integers(1, LARGEST_ID))
def test_consent_buttons_come_back(user_id: int) -> None:
    (row,) = consent_keyboard(user_id).inline_keyboard

    assert [decode(str(button.callback_data)) for button in row] == [
        ConsentPress(user_id, True),
        ConsentPress(user_id, False),
    ]
    assert prediction_of_buttons(consent_keyboard(user_id)) is None


@given(st.integers(1, LARGEST_ID))
def test_review_buttons_come_back(correction_id: int) -> None:
    (row,) = review_keyboard(correction_id).inline_keyboard

    assert [decode(str(button.callback_data)) for button in row] == [
        ReviewPress(correction_id, True),
        ReviewPress(correction_id, False),
        ReviewPress(correction_id, None),
    ]
    assert prediction_of_buttons(review_keyboard(correction_id)) is None


@given(st.integers(1, LARGEST_ID))
def test_roll_back_buttons_come_back(activation_id: int) -> None:
    (row,) = roll_back_keyboard(activation_id).inline_keyboard

    assert [decode(str(button.callback_data)) for button in row] == [
        RollBackPress(activation_id, True),
        RollBackPress(activation_id, False),
    ]
    assert prediction_of_buttons(roll_back_keyboard(activation_id)) is None


@given(st.integers(1, LARGEST_ID))
def test_file_buttons_come_back(file_id: int) -> None:
    keyboard = file_keyboard(file_id, [name * 40 for name in "aaçdeğışz"])
    buttons = [row[0] for row in keyboard.inline_keyboard]

    assert [decode(str(button.callback_data)) for button in buttons] == [
        FilePress(file_id, choice) for choice in (*range(9), None)
    ]
    assert max(len(button.text) for button in buttons) <= 64
    assert prediction_of_buttons(keyboard) is None


@given(st.text(max_size=64))
def test_other_data_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="unknown callback data"):
        decode("?" + data)


@pytest.mark.parametrize(
    "data",
    ["d:١:0", "d:1:0\n", "d:01:0", "d:1:0:0", "D:1:0", "o:1:", "o::1", "o:1:2", "r:1:3", "g:1:2"],
)
def test_near_misses_are_refused(data: str) -> None:
    with pytest.raises(ValueError, match="unknown callback data"):
        decode(data)
