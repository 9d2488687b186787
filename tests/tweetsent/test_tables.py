from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from tweetsent.labels import Label
from tweetsent.records import Consent
from tweetsent.tables import Base, CorrectionRow, InboxRow, PredictionRow, User


def a_prediction(user: User, message_id: int = 1) -> PredictionRow:
    return PredictionRow(
        user_id=user.id,
        chat="c",
        message_id=message_id,
        text="güzel",
        is_forward=False,
        is_group=False,
        label=Label.POSITIVE,
        score_negative=0.1,
        score_neutral=0.2,
        score_positive=0.7,
        model_version="m1",
        prompt_version="p1",
        latency_ms=1.5,
    )


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def user(session: Session) -> User:
    user = User(pseudonym="u")
    session.add(user)
    session.flush()
    return user


def test_every_constraint_has_a_name() -> None:
    unnamed = [
        (table.name, constraint)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if constraint.name is None
    ]
    assert unnamed == []


def test_times_come_back_aware_in_utc(session: Session) -> None:
    istanbul = datetime(2025, 6, 1, 15, 30, tzinfo=timezone(timedelta(hours=3)))
    session.add(User(pseudonym="u", asked_at=istanbul))
    session.commit()
    stored = session.scalars(select(User.asked_at)).one()
    assert stored == istanbul
    assert stored.tzinfo is UTC


def test_a_time_without_zone_is_refused(session: Session) -> None:
    session.add(User(pseudonym="u", asked_at=datetime(2025, 6, 1)))
    with pytest.raises(StatementError, match="no time zone"):
        session.flush()


def test_enums_are_stored_as_their_values(session: Session, user: User) -> None:
    session.add(a_prediction(user))
    session.flush()
    assert session.execute(text("SELECT label FROM predictions")).scalar() == "positive"
    assert session.execute(text("SELECT consent FROM users")).scalar() == "unasked"
    assert user.consent is Consent.UNASKED


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE predictions SET label = 'happy'", "ck_predictions_label"),
        ("UPDATE users SET consent = 'perhaps'", "ck_users_consent"),
        ("UPDATE predictions SET model_version = NULL", "model_version"),
        ("UPDATE predictions SET prompt_version = NULL", "prompt_version"),
        ("UPDATE predictions SET user_id = 99", "(?i)foreign key"),
    ],
)
def test_the_database_itself_refuses_wrong_rows(
    session: Session, user: User, statement: str, constraint: str
) -> None:
    session.add(a_prediction(user))
    session.commit()
    with pytest.raises(IntegrityError, match=constraint):
        session.execute(text(statement))


def test_one_prediction_for_each_message(session: Session, user: User) -> None:
    session.add_all([a_prediction(user), a_prediction(user, message_id=2)])
    session.flush()
    session.add(a_prediction(user))
    with pytest.raises(IntegrityError, match="message_id"):
        session.flush()


def test_one_live_correction_but_any_number_of_old_ones(session: Session, user: User) -> None:
    prediction = a_prediction(user)
    session.add(prediction)
    session.flush()
    for superseded in (True, True, False):
        row = CorrectionRow(prediction_id=prediction.id, user_id=user.id, label=Label.NEUTRAL)
        row.superseded_at = datetime.now(UTC) if superseded else None
        session.add(row)
    session.flush()
    session.add(CorrectionRow(prediction_id=prediction.id, user_id=user.id, label=Label.NEGATIVE))
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        session.flush()


def test_telegrams_ids_have_64_bits(session: Session, user: User) -> None:
    large = 2**63 - 1
    session.add(a_prediction(user, message_id=large))
    session.add(InboxRow(update_id=large, chat_id=-large, payload="{}"))
    session.commit()
    assert session.scalars(select(PredictionRow.message_id)).one() == large
    assert session.scalars(select(InboxRow.chat_id)).one() == -large
