"""The queue for admins and their word on what waits in it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select

from tests.tweetsent.conftest import ADMIN, OTHER_ADMIN, Saver
from tweetsent.labels import LABELS
from tweetsent.records import CorrectionState, ReviewItem
from tweetsent.sessions import reading
from tweetsent.store import Store
from tweetsent.tables import CorrectionRow, User

NEG, NEU, POS = LABELS


@pytest.fixture(autouse=True)
def _consents(store: Store) -> None:
    for user in (1, 2, 3):
        store.set_consent(user, True)


def queue(store: Store, *, train_on_forwards: bool = True) -> list[ReviewItem]:
    return store.review_queue(train_on_forwards=train_on_forwards)


def review(store: Store, admin: int, correction_id: int, *, accept: bool) -> bool:
    return store.review(admin, correction_id, accept=accept, train_on_forwards=True)


def test_what_waits_comes_oldest_first_with_all_there_is_to_know(store: Store, save: Saver) -> None:
    store.correct(1, save(1).id, NEG)  # accepted
    store.correct(1, save(2, confidence=0.97).id, NEG)
    group = save(3, is_group=True)
    for user, label in ((1, NEU), (2, NEG), (3, NEG)):
        store.correct(user, group.id, label)
    first, second, third, _ = queue(store)
    assert (first.text, first.label, first.others) == ("metin 2", NEG, {})
    assert (first.scores.label, first.scores.confidence) == (POS, pytest.approx(0.97))
    assert (first.state, first.reason) == (CorrectionState.PENDING, "model_is_sure")
    assert (second.label, second.others, second.reason) == (NEU, {NEG: 2}, "disagreement")
    assert (third.label, third.others) == (NEG, {NEG: 1, NEU: 1})
    assert [item.text for item in queue(store, train_on_forwards=False)] == ["metin 2"]


def test_only_what_may_be_trained_with_is_shown(store: Store, save: Saver) -> None:
    store.correct(1, save(1, confidence=0.97).id, NEG)
    store.correct(9, save(2, user_id=9, confidence=0.97).id, NEG)
    store.correct(1, save(3, confidence=0.97, parts=3).id, NEG)
    assert [item.text for item in queue(store)] == ["metin 1"]
    store.set_consent(1, False)
    assert queue(store) == []
    assert not review(store, ADMIN, 1, accept=True)
    store.set_consent(1, True)
    assert not review(store, ADMIN, 3, accept=True)


@pytest.mark.parametrize("accept", [True, False])
def test_a_word_is_kept_and_the_same_again_changes_nothing(
    store: Store, save: Saver, engine: Engine, accept: bool
) -> None:
    store.correct(1, save(1, confidence=0.97).id, NEG)
    assert review(store, ADMIN, 1, accept=accept)
    with reading(engine) as session:
        row = session.scalars(select(CorrectionRow)).one()
        decider = session.get(User, row.decided_by)
    assert row.state.value == ("accepted" if accept else "rejected")
    assert row.reason == "reviewed"
    assert row.decided_at is not None
    assert decider is not None
    assert queue(store) == []
    assert review(store, ADMIN, 1, accept=accept)
    with reading(engine) as session:
        again = session.scalars(select(CorrectionRow)).one()
    assert again.decided_at == row.decided_at
    assert not review(store, ADMIN, 1, accept=not accept)


def test_of_two_admins_the_first_decides(store: Store, save: Saver) -> None:
    store.correct(1, save(1, confidence=0.97).id, NEG)
    with ThreadPoolExecutor(2) as pool:
        words = list(
            pool.map(
                lambda word: review(store, word[0], 1, accept=word[1]),
                [(ADMIN, True), (OTHER_ADMIN, False)],
            )
        )
    assert sorted(words) == [False, True]


def test_a_word_settles_what_others_said_of_the_message(store: Store, save: Saver) -> None:
    group = save(1, is_group=True)
    for user, label in ((1, NEU), (2, NEG), (3, NEG)):
        store.correct(user, group.id, label)
    assert review(store, ADMIN, 2, accept=True)
    assert queue(store) == []
    kept = store.training_corrections(train_on_forwards=True)
    assert [(row.id, row.label, row.is_vouched) for row in kept] == [
        (2, NEG, True),
        (3, NEG, False),
    ]


def test_a_refusal_leaves_the_others_to_the_policy(store: Store, save: Saver) -> None:
    group = save(1, is_group=True)
    for user, label in ((1, NEU), (2, NEG), (3, NEG)):
        store.correct(user, group.id, label)
    assert review(store, ADMIN, 2, accept=False)
    assert [item.label for item in queue(store)] == [NEU]


@pytest.mark.parametrize("correction_id", [0, -1, 99, 10**17])
def test_there_is_nothing_to_decide_of_what_does_not_exist(
    store: Store, correction_id: int
) -> None:
    assert not review(store, ADMIN, correction_id, accept=True)


def test_a_superseded_correction_is_not_decided_any_more(store: Store, save: Saver) -> None:
    message = save(1, confidence=0.97).id
    store.correct(1, message, NEG)
    store.correct(1, message, POS)
    assert not review(store, ADMIN, 1, accept=True)
    assert queue(store) == []


def test_a_word_can_be_taken_back_by_who_gave_it(store: Store, save: Saver) -> None:
    group = save(1, is_group=True)
    for user, label in ((1, NEG), (2, NEU)):
        store.correct(user, group.id, label)
    before = queue(store)
    assert review(store, ADMIN, before[0].correction_id, accept=True)
    assert queue(store) == []  # it overruled the other one
    assert not store.take_back_review(OTHER_ADMIN, before[0])
    assert store.take_back_review(ADMIN, before[0])
    assert queue(store) == before
    assert not store.take_back_review(ADMIN, before[0])


def test_a_word_on_a_suspicious_label_taken_back_leaves_it_suspicious(
    store: Store, save: Saver
) -> None:
    correction = store.correct(1, save(1).id, NEG)
    assert correction.new is NEG
    store.screen([1], suspicious=[1])
    (item,) = queue(store)
    assert review(store, ADMIN, item.correction_id, accept=False)
    assert store.take_back_review(ADMIN, item)
    assert queue(store) == [item]


def test_nothing_is_taken_back_of_what_the_user_changed(store: Store, save: Saver) -> None:
    prediction = save(1, confidence=0.97)
    store.correct(1, prediction.id, NEG)
    (item,) = queue(store)
    assert review(store, ADMIN, item.correction_id, accept=True)
    store.correct(1, prediction.id, NEU)
    assert not store.take_back_review(ADMIN, item)


def test_an_anonymous_word_waits_for_an_admin_however_the_policy_sees_it(
    store: Store, save: Saver
) -> None:
    own = save(1)
    store.correct(1, own.id, NEG, is_anonymous=True)
    (item,) = queue(store)
    assert (item.state, item.reason) == (CorrectionState.PENDING, "anonymous")
    assert store.training_corrections(train_on_forwards=True) == []
    assert review(store, ADMIN, item.correction_id, accept=True)
    assert len(store.training_corrections(train_on_forwards=True)) == 1
