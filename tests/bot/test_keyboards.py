"""Callback data: made and read back, and nothing else is accepted."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.keyboards import (
    AnnouncementPress,
    ConsentPress,
    CorrectionPress,
    ErasePress,
    FilePress,
    HistoryPress,
    ReviewPress,
    RollBackPress,
    VotePress,
    announcement_keyboard,
    answer_keyboard,
    consent_keyboard,
    decode,
    erase_keyboard,
    file_keyboard,
    history_keyboard,
    prediction_of_buttons,
    review_keyboard,
    roll_back_keyboard,
    stop_keyboard,
    vote_keyboard,
)
from tweetsent.labels import LABELS, Scores
from tweetsent.records import Prediction

LARGEST_ID = 10**18 - 1
PREDICTION = Prediction(
    id=1,
    text="a",
    scores=Scores(0.1, 0.2, 0.7),
    model_version="v",
    latency_ms=1.0,
    created_at=datetime.now(UTC),
    answer_message_id=None,
    message_id=1,
    is_answer_stale=False,
)


@given(st.integers(1, LARGEST_ID))
def test_buttons_of_answers_come_back(prediction_id: int) -> None:
    for scores in (Scores(0.1, 0.8, 0.1), Scores(0.2, 0.4, 0.4)):
        prediction = replace(PREDICTION, id=prediction_id, scores=scores)
        keyboard = answer_keyboard(prediction)
        (row,) = keyboard.inline_keyboard

        assert {decode(str(button.callback_data)) for button in row} == {
            CorrectionPress(prediction_id, label) for label in LABELS
        }
        assert prediction_of_buttons(keyboard) == prediction_id


@given(st.integers(1, LARGEST_ID), st.integers(1, LARGEST_ID))
def test_buttons_of_votes_come_back(prediction_id: int, user_id: int) -> None:
    keyboard = vote_keyboard(prediction_id, user_id)
    (row,) = keyboard.inline_keyboard
    data = [str(button.callback_data) for button in row]

    assert [decode(item) for item in data] == [
        VotePress(prediction_id, user_id, label) for label in LABELS
    ]
    assert max(len(item.encode()) for item in data) <= 64
    assert prediction_of_buttons(keyboard) == prediction_id


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
def test_history_buttons_come_back(prediction_id: int) -> None:
    keyboard = history_keyboard(newer_than=prediction_id, older_than=prediction_id)
    assert keyboard is not None
    (row,) = keyboard.inline_keyboard

    assert [decode(str(button.callback_data)) for button in row] == [
        HistoryPress(prediction_id, older=False),
        HistoryPress(prediction_id, older=True),
    ]
    assert history_keyboard(newer_than=None, older_than=None) is None


@given(st.integers(1, LARGEST_ID))
def test_erase_buttons_come_back(user_id: int) -> None:
    (row,) = erase_keyboard(user_id).inline_keyboard

    assert [decode(str(button.callback_data)) for button in row] == [
        ErasePress(user_id, confirmed=True),
        ErasePress(user_id, confirmed=False),
    ]


@given(st.integers(1, LARGEST_ID))
def test_roll_back_buttons_come_back(activation_id: int) -> None:
    (row,) = roll_back_keyboard(activation_id).inline_keyboard

    assert [decode(str(button.callback_data)) for button in row] == [
        RollBackPress(activation_id, True),
        RollBackPress(activation_id, False),
    ]
    assert prediction_of_buttons(roll_back_keyboard(activation_id)) is None


@given(st.integers(1, LARGEST_ID))
def test_announcement_buttons_come_back(announcement_id: int) -> None:
    rows = [
        *announcement_keyboard(announcement_id).inline_keyboard,
        *stop_keyboard(announcement_id).inline_keyboard,
    ]

    assert [[decode(str(button.callback_data)) for button in row] for row in rows] == [
        [AnnouncementPress(announcement_id, True), AnnouncementPress(announcement_id, False)],
        [AnnouncementPress(announcement_id, False)],
    ]


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
    [
        "d:١:0",
        "d:1:0\n",
        "d:01:0",
        "d:1:0:0",
        "D:1:0",
        "o:1:",
        "o::1",
        "o:1:2",
        "r:1:3",
        "g:1:2",
        "d:1:2:0",
        "v:1:0",
        "y:1:2",
    ],
)
def test_near_misses_are_refused(data: str) -> None:
    with pytest.raises(ValueError, match="unknown callback data"):
        decode(data)
