"""Private chats, and announcements that reach each of them at most once."""

import pytest
from sqlalchemy import Engine

from tweetsent.announcements import Announcements
from tweetsent.errors import NotFoundError
from tweetsent.records import Announcement, AnnouncementState, Outcome

ADMIN, OTHER_ADMIN = 901, 902
LARGEST_ID = 2**52  # as Telegram documents


@pytest.fixture
def announcements(engine: Engine) -> Announcements:
    return Announcements(engine)


def asked(announcements: Announcements, admin: int = ADMIN, message_id: int = 1) -> Announcement:
    draft = announcements.draft(admin, message_id, "Merhaba")
    announcements.asked(draft.id, 100 + message_id)
    return draft


def started(announcements: Announcements, *chats: int) -> int:
    """An announcement that is being sent to these chats."""
    for chat_id in chats:
        announcements.remember_chat(chat_id)
    draft = asked(announcements)
    assert announcements.start(draft.id, ADMIN, 101) is not None
    return draft.id


def test_a_chat_is_remembered_once_and_forgotten(announcements: Announcements) -> None:
    assert announcements.remember_chat(LARGEST_ID)
    assert not announcements.remember_chat(LARGEST_ID)
    assert announcements.draft(ADMIN, 1, "a").recipients == 1
    announcements.forget_chat(LARGEST_ID)
    announcements.forget_chat(LARGEST_ID)
    assert announcements.draft(ADMIN, 2, "a").recipients == 0
    assert announcements.remember_chat(LARGEST_ID)


def test_a_forgotten_chat_has_no_draft(announcements: Announcements) -> None:
    draft = asked(announcements)
    announcements.forget_chat(ADMIN)
    with pytest.raises(NotFoundError):
        announcements.start(draft.id, ADMIN, 101)


def test_the_same_command_gives_the_same_draft_and_a_new_one_replaces_it(
    announcements: Announcements,
) -> None:
    first = asked(announcements)
    again = announcements.draft(ADMIN, 1, "Başka")
    assert (again.id, again.text, again.status_message_id) == (first.id, "Merhaba", 101)
    others = asked(announcements, OTHER_ADMIN)
    announcements.draft(ADMIN, 2, "Yeni")
    with pytest.raises(NotFoundError):
        announcements.start(first.id, ADMIN, 101)
    assert announcements.start(others.id, OTHER_ADMIN, 101) is not None


def test_nothing_is_sent_before_it_was_started(announcements: Announcements) -> None:
    announcements.remember_chat(5)
    draft = asked(announcements)
    assert announcements.at_work() is None
    assert announcements.next_recipient(draft.id) is None
    assert announcements.next_recipient(draft.id + 1) is None


@pytest.mark.parametrize("place", [(ADMIN, 102), (OTHER_ADMIN, 101)])
def test_it_is_started_and_cancelled_where_it_was_asked_alone(
    announcements: Announcements, place: tuple[int, int]
) -> None:
    draft = asked(announcements)
    with pytest.raises(NotFoundError):
        announcements.start(draft.id, *place)
    with pytest.raises(NotFoundError):
        announcements.cancel(draft.id, *place)


def test_recipients_come_once_in_order_until_the_end(announcements: Announcements) -> None:
    number = started(announcements, 30, LARGEST_ID, 10)
    assert [announcements.next_recipient(number) for _ in range(2)] == [10, 30]
    announcements.remember_chat(20)  # is behind by now
    announcements.remember_chat(40)
    assert [announcements.next_recipient(number) for _ in range(3)] == [40, LARGEST_ID, None]


def test_outcomes_are_counted(announcements: Announcements) -> None:
    number = started(announcements, 10, 20, 30, 40)
    for outcome in (Outcome.SENT, Outcome.BLOCKED, Outcome.FAILED):
        chat_id = announcements.next_recipient(number)
        assert chat_id is not None
        noted = announcements.note_outcome(number, chat_id, outcome)
    assert (noted.attempted, noted.sent, noted.blocked) == (3, 1, 1)
    assert (noted.recipients, noted.text) == (4, "Merhaba")
    announcements.drop(number)
    assert announcements.at_work() is None
    assert announcements.draft(ADMIN, 9, "a").recipients == 3  # 20 is forgotten


def test_what_was_put_off_comes_again(announcements: Announcements) -> None:
    number = started(announcements, 10, 20)
    assert announcements.next_recipient(number) == 10
    assert announcements.note_outcome(number, 10, Outcome.PUT_OFF).attempted == 0
    assert [announcements.next_recipient(number) for _ in range(3)] == [10, 20, None]


def test_one_at_a_time(announcements: Announcements) -> None:
    number = started(announcements, 10)
    other = asked(announcements, OTHER_ADMIN)
    assert announcements.start(other.id, OTHER_ADMIN, 101) is None
    again = announcements.start(number, ADMIN, 101)
    assert again is not None
    assert again.state is AnnouncementState.RUNNING
    announcements.drop(number)
    assert announcements.start(other.id, OTHER_ADMIN, 101) is not None


def test_a_cancelled_one_has_no_more_recipients_and_waits_to_be_told(
    announcements: Announcements,
) -> None:
    number = started(announcements, 10, 20)
    announcements.next_recipient(number)
    assert announcements.cancel(number, ADMIN, 101)
    assert announcements.next_recipient(number) is None
    at_work = announcements.at_work()
    assert at_work is not None
    assert at_work.state is AnnouncementState.CANCELLED
    with pytest.raises(NotFoundError):
        announcements.start(number, ADMIN, 101)


def test_a_cancelled_draft_is_gone(announcements: Announcements) -> None:
    draft = asked(announcements)
    assert not announcements.cancel(draft.id, ADMIN, 101)
    with pytest.raises(NotFoundError):
        announcements.cancel(draft.id, ADMIN, 101)
