"""The rules one by one, and what they leave of an attack."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweetsent.labels import LABELS, Label, Scores
from tweetsent.policy import (
    Case,
    Policy,
    TrackRecord,
    Voice,
    decide,
    select_for_training,
)
from tweetsent.records import CorrectionState, Reason, TrainingCorrection

NEG, NEU, POS = LABELS
ACCEPTED, PENDING = CorrectionState.ACCEPTED, CorrectionState.PENDING
REJECTED, DISPUTED = CorrectionState.REJECTED, CorrectionState.DISPUTED
UNSURE, SURE = Scores(0.1, 0.2, 0.7), Scores(0.02, 0.03, 0.95)
LIAR = TrackRecord(judged=3, refused=2)


def decided(
    *voices: Voice,
    scores: Scores = UNSURE,
    accepted: frozenset[Label] = frozenset(),
    refused: frozenset[Label] = frozenset(),
) -> list[tuple[CorrectionState, Reason]]:
    decisions = decide(Case(scores, voices, accepted, refused), Policy())
    return [(decisions[v.correction_id].state, decisions[v.correction_id].reason) for v in voices]


def test_the_senders_own_word_is_accepted() -> None:
    assert decided(Voice(1, NEG)) == [(ACCEPTED, Reason.OWN_WORD)]


def test_a_very_sure_model_makes_it_wait() -> None:
    assert decided(Voice(1, NEG), scores=SURE) == [(PENDING, Reason.MODEL_IS_SURE)]
    assert decided(Voice(1, POS), scores=SURE) == [(ACCEPTED, Reason.OWN_WORD)]
    just_below = Scores(0.03, 0.021, 0.949)
    assert decided(Voice(1, NEG), scores=just_below) == [(ACCEPTED, Reason.OWN_WORD)]


def test_the_word_of_a_single_other_user_waits() -> None:
    assert decided(Voice(1, NEG, is_sender=False)) == [(PENDING, Reason.SINGLE_VOICE)]


def test_two_who_agree_are_accepted_even_against_a_sure_model() -> None:
    voices = Voice(1, NEG, is_sender=False), Voice(2, NEG, is_sender=False)
    assert decided(*voices, scores=SURE) == [(ACCEPTED, Reason.AGREEMENT)] * 2


def test_one_who_disagrees_makes_it_disputed_for_all() -> None:
    voices = Voice(1, NEG), Voice(2, NEG, is_sender=False), Voice(3, NEU, is_sender=False)
    assert decided(*voices) == [(DISPUTED, Reason.DISAGREEMENT)] * 3


def test_an_admins_word_is_accepted_and_settles_the_others() -> None:
    voices = Voice(1, NEG), Voice(2, POS), Voice(3, NEG, is_admin=True, is_sender=False)
    assert decided(*voices, scores=SURE) == [
        (ACCEPTED, Reason.CONFIRMED),
        (REJECTED, Reason.OVERRULED),
        (ACCEPTED, Reason.ADMIN),
    ]


def test_what_admins_ruled_on_a_message_holds_for_later_voices() -> None:
    assert decided(Voice(1, NEG), accepted=frozenset({NEG})) == [(ACCEPTED, Reason.CONFIRMED)]
    assert decided(Voice(1, NEU), accepted=frozenset({NEG})) == [(REJECTED, Reason.OVERRULED)]
    assert decided(Voice(1, NEG), refused=frozenset({NEG})) == [(REJECTED, Reason.OVERRULED)]
    assert decided(Voice(1, NEU), refused=frozenset({NEG})) == [(ACCEPTED, Reason.OWN_WORD)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (TrackRecord(judged=3, refused=2), Reason.OFTEN_OVERRULED),
        (TrackRecord(judged=2, refused=2), None),
        (TrackRecord(judged=4, refused=2), None),
        (TrackRecord(changes=19, contrary=5), Reason.OFTEN_CONTRARY),
        (TrackRecord(changes=20, contrary=5), None),
        (TrackRecord(changes=4, contrary=4), None),
    ],
)
def test_when_a_user_is_not_trusted(record: TrackRecord, reason: Reason | None) -> None:
    assert record.distrust(Policy()) is reason
    expected = (ACCEPTED, Reason.OWN_WORD) if reason is None else (PENDING, reason)
    assert decided(Voice(1, NEG, record=record)) == [expected]


def test_users_who_are_not_trusted_neither_support_nor_dispute() -> None:
    liar = Voice(2, NEU, is_sender=False, record=LIAR)
    assert decided(Voice(1, NEG), liar) == [
        (ACCEPTED, Reason.OWN_WORD),
        (PENDING, Reason.OFTEN_OVERRULED),
    ]
    supporter = Voice(2, NEG, is_sender=False, record=LIAR)
    assert decided(Voice(1, NEG, is_sender=False), supporter)[0] == (PENDING, Reason.SINGLE_VOICE)


def accepted(
    counts: dict[int, int], *, proven: bool = True, vouched: bool = False
) -> list[TrainingCorrection]:
    """So many corrections of each user, one user after the other, a minute apart."""
    users = [user for user, count in counts.items() for _ in range(count)]
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return [
        TrainingCorrection(
            id_, user, f"t{id_}", NEG, start + timedelta(minutes=id_), vouched, proven, True
        )
        for id_, user in enumerate(users, start=1)
    ]


def taken(corrections: list[TrainingCorrection]) -> dict[int, int]:
    selected = select_for_training(corrections, Policy())
    users = [correction.user_id for correction in selected]
    return {user: users.count(user) for user in users}


def test_a_user_gives_at_most_so_many_and_the_oldest_of_them() -> None:
    corrections = accepted(dict.fromkeys(range(1, 11), 60))
    selected = select_for_training(list(reversed(corrections)), Policy())
    assert taken(corrections) == dict.fromkeys(range(1, 11), 50)
    of_first = [correction for correction in selected if correction.user_id == 1]
    assert of_first == corrections[:50]


def test_a_user_makes_up_at_most_a_share_of_the_set() -> None:
    others = dict.fromkeys(range(2, 22), 5)
    assert taken(accepted({1: 500} | others)) == {1: 25} | others  # 25 of 125


@pytest.mark.parametrize("proven", [True, False])
def test_a_few_of_everybody_always_go(proven: bool) -> None:
    assert taken(accepted({1: 500, 2: 3}, proven=proven)) == {1: 10, 2: 3}


def test_users_that_admins_do_not_know_give_a_few_only() -> None:
    known, unknown = accepted(dict.fromkeys(range(1, 11), 60)), accepted({11: 60}, proven=False)
    assert taken(known + unknown) == dict.fromkeys(range(1, 11), 50) | {11: 10}


@pytest.mark.parametrize(
    ("record", "is_proven"),
    [
        (TrackRecord(), False),
        (TrackRecord(judged=1), True),
        (TrackRecord(judged=2, refused=1), False),
        (TrackRecord(judged=3, refused=1), True),
    ],
)
def test_who_is_proven(record: TrackRecord, is_proven: bool) -> None:
    assert record.is_proven is is_proven


def test_what_an_admin_vouches_for_is_not_limited() -> None:
    assert taken(accepted({1: 500}, vouched=True)) == {1: 500}


@given(st.dictionaries(st.integers(1, 30), st.integers(1, 120), max_size=30), st.booleans())
def test_no_limit_is_ever_exceeded(counts: dict[int, int], proven: bool) -> None:
    result = taken(accepted(counts, proven=proven))
    policy = Policy()
    allowed = max(policy.least_per_user, policy.share_per_user * sum(result.values()))
    assert all(count <= min(policy.corrections_per_user, allowed) for count in result.values())
    # And nobody gives less than the least, unless they have less.
    assert all(result[user] >= min(count, policy.least_per_user) for user, count in counts.items())
