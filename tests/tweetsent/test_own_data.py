"""What one user gets to see, and that nothing of them is left once they are erased."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from tests.tweetsent.conftest import ADMIN, Saver
from tweetsent.errors import StoreError
from tweetsent.labels import LABELS, Scores
from tweetsent.own_data import Contact, Holdings, OwnNumbers
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Consent, CorrectionState, Incoming, RunState, Trigger, Upload
from tweetsent.runs import Runs, snapshot_of
from tweetsent.sessions import empty_log, reading, writing
from tweetsent.store import CONSENT_VERSION, Store
from tweetsent.tables import Base, CorrectionRow, InboxRow, PredictionRow, RunRow, User

NEG, NEU, POS = LABELS
PSEUDONYMISE = Pseudonymiser(b"a key for the tests only")


def rows(engine: Engine, table: type[Base]) -> int:
    with reading(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_stranger_has_nothing(store: Store) -> None:
    assert store.own.person(1) is store.own.numbers(1) is None
    page = store.own.history(1, 5)
    assert (page.messages, page.newer, page.total) == ([], 0, 0)
    assert store.own.messages(1, 5, older_than=None) == []
    assert store.own.corrections(1, 5, older_than=None) == []
    assert store.own.holdings(1) == Holdings(0, 0)


def test_a_person_is_a_pseudonym_and_a_word_on_training(store: Store) -> None:
    at = store.set_consent(1, True)
    person = store.own.person(1)
    assert person is not None
    assert len(person.pseudonym) == 64
    assert (person.consent, person.consent_at) == (Consent.GRANTED, at)
    assert person.consent_version == CONSENT_VERSION


def test_pages_of_the_history_are_the_users_own_and_lead_to_each_other(
    store: Store, save: Saver
) -> None:
    for number in range(1, 6):
        save(number)
        save(100 + number, user_id=2)
    first = store.own.history(1, 2)
    assert [message.message_id for message in first.messages] == [5, 4]
    assert (first.newer, first.total) == (0, 5)
    second = store.own.history(1, 2, older_than=first.messages[-1].id)
    assert [message.message_id for message in second.messages] == [3, 2]
    assert second.newer == 2
    save(6)  # pages stay where they are while messages come
    back = store.own.history(1, 2, newer_than=second.messages[0].id)
    assert back.messages == first.messages
    assert (back.newer, back.total) == (1, 6)
    assert store.own.history(2, 2, newer_than=10**17).messages == []


def test_the_history_shows_the_users_last_word_and_nobody_elses(store: Store, save: Saver) -> None:
    message = save(1, is_group=True)
    store.correct(2, message.id, NEG)
    assert store.own.history(1, 5).messages[0].own_label is None
    store.correct(1, message.id, NEG)
    store.correct(1, message.id, NEU)
    (shown,) = store.own.history(1, 5).messages
    assert (shown.own_label, shown.scores.label, shown.is_group) == (NEU, POS, True)


def test_numbers_are_the_users_own(store: Store, save: Saver) -> None:
    for number, label in enumerate((POS, POS, NEG), start=1):
        save(number, label=label)
    save(9, user_id=2, label=NEU)
    for prediction_id, label in ((1, NEG), (1, POS), (3, POS), (4, NEG)):
        store.correct(1, prediction_id, label)
    numbers = store.own.numbers(1)
    assert numbers is not None
    assert numbers == OwnNumbers(numbers.known_since, {NEG: 1, NEU: 0, POS: 2}, 3, 1)
    assert datetime.now(UTC) - numbers.known_since < timedelta(hours=1)


def test_corrections_come_with_those_that_were_changed(store: Store, save: Saver) -> None:
    save(1)
    store.set_consent(1, True)
    store.correct(1, 1, NEG)
    store.correct(1, 1, NEU)
    store.correct(2, 1, NEG)
    last, first = store.own.corrections(1, 5, older_than=None)
    assert (last.label, last.superseded_at) == (NEU, None)
    assert (last.state, last.reason) == (CorrectionState.ACCEPTED, "own_word")
    assert first.label is NEG
    assert first.superseded_at is not None
    assert store.own.corrections(1, 1, older_than=last.id) == [first]


def test_erasing_leaves_nothing_of_a_user_and_everything_of_the_others(
    store: Store, save: Saver, engine: Engine
) -> None:
    mine, theirs = save(1), save(2, user_id=2)
    for user in (1, 2):
        store.set_consent(user, True)
        for prediction in (mine, theirs):
            store.correct(user, prediction.id, NEG)
            store.correct(user, prediction.id, NEU)
    assert store.own.holdings(1) == Holdings(messages=1, corrections=6)

    store.own.erase(1)

    assert (rows(engine, User), rows(engine, PredictionRow), rows(engine, CorrectionRow)) == (
        1,
        1,
        2,
    )
    assert store.own.person(1) is None
    assert store.consent(1) is Consent.UNASKED
    assert store.find_prediction(1, 1) is None
    assert store.own.history(2, 5).total == 1
    kept = store.training_corrections(train_on_forwards=True)
    assert [row.text for row in kept] == ["metin 2"]
    assert store.stats(train_on_forwards=True).predictions == 1
    store.own.erase(1)  # once more, after a crash, or as a stranger
    assert store.correct(1, theirs.id, NEG).ask_consent


def test_the_list_of_announcements_and_files_forget_the_user_too(store: Store) -> None:
    for user in (1, 2):
        store.announcements.remember_chat(user)
        store.files.begin(user, Upload(user, 5, "BQAC", "tablo.csv"), per_day=10)
    assert store.own.contact(1).gets_announcements
    assert [file.name for file in store.own.contact(1).files] == ["tablo.csv"]

    (erased,) = store.own.erase(1)

    assert store.own.contact(1) == Contact(gets_announcements=False, files=[])
    assert store.own.contact(2).gets_announcements
    (left,) = store.files.unfinished()
    assert left.id != erased
    fresh = store.files.begin(1, Upload(1, 6, "BQAC", "tablo.csv"), per_day=10)
    assert fresh is not None
    assert fresh.id > max(erased, left.id)


def test_the_id_of_an_erased_message_is_never_given_again(store: Store, save: Saver) -> None:
    erased = save(1)
    store.own.erase(1)
    assert save(2).id > erased.id


def test_a_page_without_messages_knows_how_many_are_newer(store: Store, save: Saver) -> None:
    oldest = save(1)
    page = store.own.history(1, 5, older_than=oldest.id)
    assert (page.messages, page.newer) == ([], 1)


def test_statistics_of_nobody(store: Store, save: Saver) -> None:
    store.correct(1, save(1).id, NEG)
    store.own.erase(1)
    numbers = store.stats(train_on_forwards=True)
    assert (numbers.users, numbers.predictions, numbers.corrections) == (0, 0, 0)
    assert store.review_queue(train_on_forwards=True) == []


@pytest.mark.parametrize("accept", [True, False])
def test_what_an_erased_admin_decided_stays_decided(
    store: Store, save: Saver, engine: Engine, accept: bool
) -> None:
    store.set_consent(1, True)
    store.correct(1, save(1, confidence=0.97).id, NEG)
    assert store.review(ADMIN, 1, accept=accept, train_on_forwards=True)

    store.own.erase(ADMIN)

    kept = store.training_corrections(train_on_forwards=True)
    assert [row.is_vouched for row in kept] == [True] * accept
    with reading(engine) as session:
        row = session.scalars(select(CorrectionRow)).one()
    assert (row.reason, row.decided_by) == ("reviewed", None)
    assert store.review_queue(train_on_forwards=True) == []
    assert not store.review(ADMIN, 1, accept=not accept, train_on_forwards=True)


def test_failed_updates_that_name_the_user_go_and_no_others(store: Store, engine: Engine) -> None:
    def update(sender: int, chat: int, text: str = "selam") -> str:
        message = {"from": {"id": sender, "is_bot": False}, "chat": {"id": chat}, "text": text}
        return json.dumps({"message": message})

    payloads = {
        1: update(7, 7),
        2: update(7, -100),
        3: update(8, 8, text='"id": 7, "id": 7}'),
        4: update(77, 77),
        5: update(7, 7),
    }
    store.inbox.add([(number, None, payload) for number, payload in payloads.items()])
    for number in (1, 2, 3, 4):
        store.inbox.failed(number, "ModelError")

    store.own.erase(7)

    with reading(engine) as session:
        left = session.scalars(select(InboxRow.update_id).order_by(InboxRow.update_id)).all()
    assert left == [3, 4, 5]  # the last one waits: it was sent after the user's wish


def save_text(store: Store, number: int, text: str) -> None:
    store.save_prediction(
        Incoming(1, 1, number, text),
        Scores(0.2, 0.2, 0.6),
        model_version="m1",
        prompt_version="p1",
        latency_ms=1.0,
    )


def test_an_sqlite_file_holds_no_word_of_an_erased_user(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    store = Store(sqlite_engine, PSEUDONYMISE)
    for number in range(1, 300):
        save_text(store, number, f"kimse bilmesin {number} {'.' * number}")

    def found() -> list[str]:
        files = tmp_path.glob("tweetsent.db*")
        return sorted(path.name for path in files if b"kimse bilmesin" in path.read_bytes())

    empty_log(sqlite_engine)
    assert found() == ["tweetsent.db"]
    store.own.erase(1)
    assert found() == []


def ended(engine: Engine, at: datetime | None) -> int:
    """The id of a run that ended at a time, or runs."""
    lease = Runs(engine).start(Trigger.CLI)
    if at is not None:
        lease.finish(RunState.REFUSED)
        with writing(engine) as session:
            session.get_one(RunRow, lease.run_id).finished_at = at
    return lease.run_id


@pytest.mark.parametrize("answered", [True, False])
def test_data_sets_that_may_hold_the_user_are_deleted(
    engine: Engine, tmp_path: Path, answered: bool
) -> None:
    store = Store(engine, PSEUDONYMISE, snapshots=tmp_path / "snapshots")
    save_text(store, 1, "benim")
    store.correct(1, 1, NEG)
    if answered:
        store.set_consent(1, True)
    now = datetime.now(UTC)
    before, after = ended(engine, now - timedelta(days=1)), ended(engine, now)
    unexported, running = ended(engine, now), ended(engine, None)
    for run_id in (before, after, running):
        folder = snapshot_of(tmp_path / "snapshots", run_id)
        folder.mkdir(parents=True)
        (folder / "data.parquet").write_bytes(b"benim")

    store.own.erase(1)

    left = sorted(int(folder.name) for folder in (tmp_path / "snapshots").iterdir())
    assert left == ([before] if answered else [before, after, running])
    assert unexported not in left


def test_nobody_is_erased_by_halves(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(engine, PSEUDONYMISE, snapshots=tmp_path)
    save_text(store, 1, "benim")
    store.correct(1, 1, NEG)
    store.set_consent(1, True)
    folder = snapshot_of(tmp_path, ended(engine, datetime.now(UTC)))
    folder.mkdir()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(StoreError, match=r"can't delete the data set .*: Permission denied$"):
            store.own.erase(1)
    assert store.own.holdings(1) == Holdings(1, 1)
    store.own.erase(1)
    assert not folder.exists()
