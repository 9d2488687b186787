from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select, text

from tests.tweetsent.conftest import Saver
from tweetsent.errors import NotFoundError, StoreError
from tweetsent.labels import Label, Scores
from tweetsent.records import Consent, Incoming
from tweetsent.sessions import reading
from tweetsent.store import CONSENT_VERSION, Store
from tweetsent.tables import CorrectionRow, PredictionRow, User


def test_a_prediction_comes_back_as_it_was_saved(store: Store) -> None:
    before = datetime.now(UTC)
    scores = Scores(0.125, 0.25, 0.625)
    saved = store.save_prediction(
        Incoming(user_id=7, chat_id=-100, message_id=5, text="çok güzel 😊"),
        scores,
        model_version="m1",
        prompt_version="p1",
        latency_ms=12.5,
    )
    assert (saved.text, saved.scores, saved.latency_ms) == ("çok güzel 😊", scores, 12.5)
    assert (saved.model_version, saved.answer_message_id) == ("m1", None)
    assert before <= saved.created_at <= datetime.now(UTC)
    assert store.get_prediction(saved.id, chat_id=-100) == saved


def test_everything_about_the_message_is_stored_under_pseudonyms(
    store: Store, save: Saver, engine: Engine
) -> None:
    save(5, user_id=123456789, chat_id=123456789, is_forward=True)
    with reading(engine) as session:
        row = session.scalars(select(PredictionRow)).one()
        user = session.scalars(select(User)).one()
    assert (row.label, row.prompt_version) == (Label.POSITIVE, "p1")
    assert (row.is_forward, row.is_group) == (True, False)
    assert len({user.pseudonym, row.chat}) == 2
    assert "123456789" not in user.pseudonym + row.chat


def test_a_message_keeps_its_first_prediction(store: Store, save: Saver) -> None:
    first = save(5, label=Label.POSITIVE)
    assert save(5, label=Label.NEGATIVE, model_version="m2") == first
    assert save(5, chat_id=2).id != first.id
    assert store.stats(train_on_forwards=False).predictions == 2


def test_a_prediction_is_found_by_the_message_and_by_the_answer(store: Store, save: Saver) -> None:
    saved = save(5, chat_id=10)
    store.set_answer(saved.id, 6)
    by_message, by_answer = store.find_prediction(10, 5), store.find_prediction(10, 6)
    assert by_message is not None
    assert by_message == by_answer
    assert (by_message.id, by_message.answer_message_id) == (saved.id, 6)
    assert store.find_prediction(10, 7) is None
    assert store.find_prediction(11, 5) is None


def test_the_last_prediction_is_of_the_user_and_the_chat(store: Store, save: Saver) -> None:
    # A message may be answered after a newer one.
    newest, *_ = [save(message_id, chat_id=-10, user_id=1) for message_id in (8, 7)]
    save(9, chat_id=-10, user_id=2)
    save(10, chat_id=1, user_id=1)
    assert store.last_prediction(1, -10) == newest
    assert store.last_prediction(2, 1) is store.last_prediction(3, -10) is None


def test_the_author_is_who_sent_the_message(store: Store, save: Saver) -> None:
    first, second = save(5, chat_id=-10, user_id=1), save(6, chat_id=-10, user_id=2)
    authors = [store.is_author(user, saved.id) for saved in (first, second) for user in (1, 2, 3)]
    assert authors == [True, False, False, False, True, False]
    assert store.correct(1, first.id, Label.NEGATIVE).by_author
    assert not store.correct(2, first.id, Label.NEGATIVE).by_author


def test_another_chat_can_not_get_a_prediction(store: Store, save: Saver) -> None:
    saved = save(5, chat_id=10)
    with pytest.raises(NotFoundError):
        store.get_prediction(saved.id, chat_id=11)


@pytest.mark.parametrize("prediction_id", [0, -1, 99, 2**63, 10**30])
def test_unknown_and_forged_ids_are_not_found(store: Store, prediction_id: int) -> None:
    with pytest.raises(NotFoundError):
        store.get_prediction(prediction_id, chat_id=1)
    with pytest.raises(NotFoundError):
        store.correct(1, prediction_id, Label.NEUTRAL)
    with pytest.raises(NotFoundError):
        store.set_answer(prediction_id, 6)
    with pytest.raises(NotFoundError):
        store.is_author(1, prediction_id)


def test_corrections_follow_each_other(store: Store, save: Saver, engine: Engine) -> None:
    saved = save(5, label=Label.POSITIVE)
    steps = [
        store.correct(1, saved.id, label)
        for label in (Label.NEGATIVE, Label.NEUTRAL, Label.NEUTRAL, Label.NEGATIVE)
    ]
    assert [(step.old.value, step.new.value) for step in steps] == [
        ("positive", "negative"),
        ("negative", "neutral"),
        ("neutral", "neutral"),
        ("neutral", "negative"),
    ]
    assert steps[-1].prediction == saved
    with reading(engine) as session:
        rows = session.scalars(select(CorrectionRow).order_by(CorrectionRow.id)).all()
    assert [row.label.value for row in rows] == ["negative", "neutral", "negative"]
    # Each was superseded at the moment the next one came.
    assert [row.superseded_at for row in rows] == [rows[1].created_at, rows[2].created_at, None]


def test_each_user_corrects_for_themselves(store: Store, save: Saver) -> None:
    saved = save(5, label=Label.POSITIVE, user_id=1)
    store.correct(1, saved.id, Label.NEGATIVE)
    other = store.correct(2, saved.id, Label.NEUTRAL)
    assert other.old is Label.POSITIVE
    assert store.correct(1, saved.id, Label.POSITIVE).old is Label.NEGATIVE
    assert store.stats(train_on_forwards=False).corrections == 2


def test_consent_is_asked_once_for_each_user(store: Store, save: Saver) -> None:
    first, second = save(5), save(6)
    asked = [
        store.correct(1, first.id, Label.NEGATIVE).ask_consent,
        store.correct(1, second.id, Label.NEGATIVE).ask_consent,
        store.correct(2, second.id, Label.NEGATIVE).ask_consent,
    ]
    assert asked == [True, False, True]


def test_consent_is_asked_once_even_of_corrections_at_the_same_time(
    store: Store, save: Saver
) -> None:
    ids = [save(message_id).id for message_id in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        corrections = list(pool.map(lambda id_: store.correct(1, id_, Label.NEUTRAL), ids))
    assert sum(correction.ask_consent for correction in corrections) == 1


@pytest.mark.parametrize("granted", [True, False])
def test_who_answered_before_is_not_asked(store: Store, save: Saver, granted: bool) -> None:
    store.set_consent(1, granted)
    assert not store.correct(1, save(5).id, Label.NEGATIVE).ask_consent


def test_consent_can_be_given_and_withdrawn(store: Store, engine: Engine) -> None:
    assert store.consent(1) is Consent.UNASKED
    store.set_consent(1, True)
    assert store.consent(1) is Consent.GRANTED
    store.set_consent(1, False)
    assert store.consent(1) is Consent.REFUSED
    assert store.consent(2) is Consent.UNASKED
    with reading(engine) as session:
        user = session.scalars(select(User)).one()
    assert user.consent_version == CONSENT_VERSION
    assert user.consent_at is not None


def test_the_same_message_saved_by_two_threads_is_one_row(store: Store, save: Saver) -> None:
    with ThreadPoolExecutor(4) as pool:
        saved = list(pool.map(lambda _: save(5), range(8)))
    assert len({prediction.id for prediction in saved}) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # it breaks the schema
def test_database_errors_are_readable(store: Store, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE corrections"))
        connection.execute(text("DROP TABLE predictions"))
    with pytest.raises(StoreError, match=r"predictions.*: run `tweetsent db upgrade`"):
        store.find_prediction(1, 5)
