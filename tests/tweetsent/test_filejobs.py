"""Files in work: one of a user at a time, so many a day, and decided by who sent them."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from tweetsent.errors import FileBusyError, FileQuotaError, NotFoundError, NotOwnerError
from tweetsent.filejobs import KEPT, FileJobs
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import FileState, Upload
from tweetsent.tables import FileRow, utc_now

MANY = 9


@pytest.fixture
def files(engine: Engine) -> FileJobs:
    return FileJobs(engine, Pseudonymiser(b"k" * 32))


def upload(message_id: int, chat_id: int = 7) -> Upload:
    return Upload(chat_id, message_id, f"file{message_id}", "gizli ad.xlsx")


def begun(files: FileJobs, message_id: int = 1, user_id: int = 7, per_day: int = MANY) -> int:
    job = files.begin(user_id, upload(message_id, user_id), per_day)
    assert job is not None
    return job.id


def test_a_message_is_taken_once(files: FileJobs) -> None:
    begun(files)
    assert files.begin(7, upload(1), MANY) is None


def test_one_file_of_a_user_at_a_time(files: FileJobs) -> None:
    first = begun(files)
    begun(files, user_id=8)
    with pytest.raises(FileBusyError):
        files.begin(7, upload(2), MANY)
    assert files.move(first, FileState.DONE)
    begun(files, 2)


def test_so_many_a_day_and_failed_ones_do_not_count(files: FileJobs, engine: Engine) -> None:
    for message_id in (1, 2):
        files.move(begun(files, message_id, per_day=2), FileState.FAILED)
    for message_id in (3, 4):
        files.move(begun(files, message_id, per_day=2), FileState.DONE)
    with pytest.raises(FileQuotaError):
        files.begin(7, upload(5), 2)
    with Session(engine) as session, session.begin():
        session.execute(update(FileRow).values(created_at=utc_now() - timedelta(hours=25)))
    begun(files, 5, per_day=2)


def test_nothing_raw_is_left_of_a_finished_file(files: FileJobs, engine: Engine) -> None:
    job = begun(files)
    files.move(job, FileState.DONE)
    with Session(engine) as session:
        row = session.scalars(select(FileRow)).one()
        assert row.upload is None
        assert (len(row.owner), len(row.chat)) == (64, 64)
    with Session(engine) as session, session.begin():
        session.execute(update(FileRow).values(created_at=utc_now() - KEPT - timedelta(hours=1)))
    begun(files, 2)
    with Session(engine) as session:
        assert session.scalars(select(FileRow.message_id)).all() == [2]


def test_only_the_owner_decides_and_only_while_there_is_something_to(files: FileJobs) -> None:
    job = begun(files)
    for decide in (lambda: files.cancel(8, job), lambda: files.choose(8, job, 0)):
        with pytest.raises(NotOwnerError):
            decide()
    with pytest.raises(NotFoundError):
        files.cancel(7, job + 1)
    assert files.choose(7, job, 0) is None  # nobody asked
    files.begin_try(job)
    files.move(job, FileState.WAITING)
    assert files.begin_try(job) is None
    chosen = files.choose(7, job, 3)
    assert chosen is not None
    assert (chosen.state, chosen.choice, chosen.attempts) == (FileState.RUNNING, 3, 0)
    assert [files.cancel(7, job), files.cancel(7, job)] == [True, False]
    assert not files.move(job, FileState.DELIVERING)


def test_what_is_being_sent_can_not_be_cancelled(files: FileJobs) -> None:
    job = begun(files)
    files.move(job, FileState.DELIVERING)
    assert not files.cancel(7, job)


def test_one_that_waits_gives_way(files: FileJobs) -> None:
    first = begun(files)
    files.move(first, FileState.WAITING)
    second = begun(files, 2)
    assert [job.id for job in files.unfinished()] == [second]
    assert files.choose(7, first, 0) is None


def test_tries_are_counted_and_the_message_is_kept(files: FileJobs) -> None:
    job = begun(files)
    files.shown(job, 99)
    files.begin_try(job)
    files.begin_try(job)
    (left,) = files.unfinished()
    assert (left.attempts, left.status_message_id, left.upload) == (2, 99, upload(1))
