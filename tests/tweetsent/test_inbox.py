import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, event, func, select, update

from tweetsent.inbox import FAILED_KEPT, HANDLED_KEPT, Inbox
from tweetsent.sessions import reading, writing
from tweetsent.tables import HandledUpdate, InboxRow, utc_now


@pytest.fixture
def inbox(engine: Engine) -> Inbox:
    return Inbox(engine)


def pending(inbox: Inbox) -> list[tuple[int, int | None, str]]:
    return [(row.update_id, row.chat_id, row.payload) for row in inbox.pending(per_chat=100)]


def failed_row(engine: Engine) -> InboxRow:
    with reading(engine) as session:
        return session.scalars(select(InboxRow).where(InboxRow.failed_at.is_not(None))).one()


def set_handled_at(engine: Engine, time: datetime) -> None:
    with writing(engine) as session:
        session.execute(update(HandledUpdate).values(handled_at=time))


def test_updates_wait_in_telegrams_order(inbox: Inbox) -> None:
    payload = json.dumps({"text": "güzel\x00\ud83d"})
    inbox.add([(12, -100, "{}"), (10, 5, payload)])
    inbox.add([(11, None, "{}")])
    assert pending(inbox) == [(10, 5, payload), (11, None, "{}"), (12, -100, "{}")]


def test_updates_are_on_the_disk_when_telegram_is_told(sqlite_engine: Engine) -> None:
    levels = []

    @event.listens_for(sqlite_engine, "commit")
    def note(connection: Connection) -> None:
        levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())

    Inbox(sqlite_engine).add([(1, 5, "{}")])
    assert levels == [2]  # FULL


def test_adding_nothing_is_harmless(inbox: Inbox) -> None:
    inbox.add([])
    assert pending(inbox) == []


def test_a_redelivered_update_is_ignored_while_it_waits(inbox: Inbox) -> None:
    inbox.add([(10, 5, "first")])
    inbox.add([(10, 5, "again"), (10, 5, "and again"), (11, 5, "next")])
    assert pending(inbox) == [(10, 5, "first"), (11, 5, "next")]


def test_adding_says_what_is_to_be_handled(inbox: Inbox) -> None:
    inbox.add([(10, 5, "first"), (11, 5, "{}"), (12, 5, "{}")])
    inbox.done(11)
    inbox.failed(12, "ValueError")
    added = inbox.add([(13, 6, "{}"), (10, 5, "again"), (11, 5, "{}"), (12, 5, "{}")])
    assert [(row.update_id, row.payload) for row in added] == [(10, "first"), (13, "{}")]


def test_a_finished_update_is_deleted_and_never_handled_again(inbox: Inbox, engine: Engine) -> None:
    inbox.add([(10, 5, "{}"), (11, 5, "{}")])
    inbox.done(10)
    inbox.done(10)
    inbox.add([(10, 5, "{}")])
    assert pending(inbox) == [(11, 5, "{}")]
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(InboxRow)) == 1


def test_an_older_id_that_comes_later_is_taken(inbox: Inbox) -> None:
    """Webhooks deliver out of order, and Telegram may go on from a lower number."""
    inbox.add([(500, 5, "{}")])
    inbox.done(500)
    inbox.add([(20, 5, "{}")])
    assert pending(inbox) == [(20, 5, "{}")]


def test_a_failed_update_is_kept_but_not_pending(inbox: Inbox, engine: Engine) -> None:
    inbox.add([(10, 5, "{}")])
    inbox.failed(10, "ValueError: \x00 bad \ud83d\n" + "x" * 10_000)
    inbox.add([(10, 5, "{}")])
    assert pending(inbox) == []
    row = failed_row(engine)
    assert (row.attempts, row.payload) == (1, "{}")
    assert row.error is not None
    assert row.error.startswith("ValueError: bad ? xxx")
    assert len(row.error) == 500


def test_an_update_put_off_stays_pending_with_its_attempts(inbox: Inbox) -> None:
    started = utc_now()
    inbox.add([(10, 5, "{}")])
    inbox.put_off(10, "NetworkError")
    inbox.put_off(10, "NetworkError")
    (row,) = inbox.pending(per_chat=1)
    assert row.attempts == 2
    assert started <= row.received_at <= utc_now()


def test_of_each_chat_the_first_few_are_pending(inbox: Inbox) -> None:
    chats = [5, None, 5, 6, 5, None, None]
    inbox.add([(number, chat, "{}") for number, chat in enumerate(chats)])
    inbox.failed(0, "ValueError")
    assert [row.update_id for row in inbox.pending(per_chat=2)] == [1, 2, 3, 4, 5]
    inbox.done(1)
    assert [row.update_id for row in inbox.pending(per_chat=1)] == [2, 3, 5]


def test_finished_ids_are_remembered_as_long_as_telegram_repeats_them(
    inbox: Inbox, engine: Engine
) -> None:
    inbox.add([(10, 5, "{}")])
    inbox.done(10)
    set_handled_at(engine, utc_now() - timedelta(hours=24))
    inbox.add([(10, 5, "{}")])
    assert pending(inbox) == []


def test_old_finished_ids_do_not_pile_up(inbox: Inbox, engine: Engine) -> None:
    for update_id in range(5):
        inbox.done(update_id)
    set_handled_at(engine, utc_now() - HANDLED_KEPT - timedelta(minutes=1))
    inbox.add([(10, 5, "{}")])
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(HandledUpdate)) == 0


def test_failed_updates_are_forgotten_after_some_days(inbox: Inbox, engine: Engine) -> None:
    inbox.add([(10, 5, "{}"), (11, 5, "{}"), (12, 5, "{}")])
    inbox.failed(10, "old")
    with writing(engine) as session:
        old = utc_now() - FAILED_KEPT - timedelta(minutes=1)
        session.execute(update(InboxRow).where(InboxRow.update_id == 10).values(failed_at=old))
    inbox.failed(11, "new")
    inbox.add([])
    assert failed_row(engine).update_id == 11
    assert pending(inbox) == [(12, 5, "{}")]
