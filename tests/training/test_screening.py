"""Which corrections go to the review before a run trains with them: real rows, a real database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from tests.training.test_challenge import THINGS, WORDS
from training.data import Example
from training.export import export_snapshot
from training.screening import screen_corrections
from tweetsent.database import create_engine_for, upgrade
from tweetsent.labels import LABELS, Scores
from tweetsent.policy import Policy
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import CorrectionState, Incoming, Reason
from tweetsent.sessions import reading
from tweetsent.store import Store
from tweetsent.tables import CorrectionRow

ADMIN = 7
NEG, _, POS = LABELS


def wordy(count: int, first: int = 0) -> list[Example]:
    """Texts whose label stands in one of their words; no near-copies."""
    return [
        Example(
            f"{THINGS[n % 14]} {n * 7919 % 10007} {WORDS[LABELS[n % 3]]} {n * 104729 % 9973} "
            f"{THINGS[(n // 14 + 5) % 14]}",
            LABELS[n % 3],
        )
        for n in range(first, first + count)
    ]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'tweetsent.db'}"
    upgrade(url)
    engine = create_engine_for(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine, Pseudonymiser(b"a key for the tests only"), admin_ids=[ADMIN])


@pytest.fixture
def base_data(tmp_path: Path) -> Path:
    path = tmp_path / "base.csv"
    lines = [f"{row.text},{row.label}" for row in wordy(90)]
    path.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    return path


def correct(store: Store, rows: list[Example], *, first: int, user: int | None = None) -> None:
    """Each row is a message of one of many users, and what they say of it."""
    for number, row in enumerate(rows, start=first):
        who = user or 100 + number
        store.set_consent(who, True)
        prediction = store.save_prediction(
            Incoming(who, who, number, row.text),
            Scores(0.3, 0.4, 0.3),
            model_version="m",
            prompt_version="p",
            latency_ms=1.0,
        )
        store.correct(who, prediction.id, row.label)


def turned(rows: list[Example]) -> list[Example]:
    return [Example(row.text, NEG if row.label is POS else POS) for row in rows]


def waiting(engine: Engine) -> set[int]:
    with reading(engine) as session:
        return set(
            session.scalars(
                select(CorrectionRow.id).where(
                    CorrectionRow.state == CorrectionState.PENDING,
                    CorrectionRow.reason == Reason.SUSPICIOUS_LABEL,
                )
            )
        )


def test_the_least_credible_of_the_new_labels_wait_and_are_not_trained_with(
    store: Store, engine: Engine, base_data: Path, tmp_path: Path
) -> None:
    correct(store, wordy(36, first=300), first=1)
    false = turned(wordy(4, first=600))
    correct(store, false, first=37)
    assert screen_corrections(store, base_data=base_data, train_on_forwards=False) == 4
    assert waiting(engine) == {37, 38, 39, 40}
    rows = export_snapshot(tmp_path / "s", store, base_data=base_data, train_on_forwards=False).rows
    texts = {row.text for row in rows}
    assert len(rows) == 90 + 36
    assert texts.isdisjoint(row.text for row in false)


def test_no_more_than_a_share_waits_however_many_are_false(
    store: Store, engine: Engine, base_data: Path
) -> None:
    correct(store, wordy(20, first=300) + turned(wordy(20, first=600)), first=1)
    share = Policy().suspicious_share
    flagged = screen_corrections(store, base_data=base_data, train_on_forwards=False)
    assert flagged == len(waiting(engine)) == int(share * 40)
    assert waiting(engine) <= set(range(21, 41))


def test_each_correction_is_looked_at_once(store: Store, engine: Engine, base_data: Path) -> None:
    correct(store, wordy(27, first=300) + turned(wordy(3, first=600)), first=1)
    assert screen_corrections(store, base_data=base_data, train_on_forwards=False) == 3
    assert screen_corrections(store, base_data=base_data, train_on_forwards=False) == 0
    before = waiting(engine)
    correct(store, turned(wordy(1, first=700)), first=50)
    assert screen_corrections(store, base_data=base_data, train_on_forwards=False) == 1
    assert waiting(engine) - before == {31}


def test_what_an_admin_says_is_not_questioned(
    store: Store, engine: Engine, base_data: Path
) -> None:
    correct(store, turned(wordy(5, first=600)), first=1, user=ADMIN)
    assert screen_corrections(store, base_data=base_data, train_on_forwards=False) == 0
    assert waiting(engine) == set()


def test_too_few_rows_judge_nobody_and_keep_nobody_waiting(
    store: Store, engine: Engine, tmp_path: Path
) -> None:
    few = tmp_path / "few.csv"
    few.write_text("text,label\ngüzel bir gün,positive\n", encoding="utf-8")
    correct(store, turned(wordy(2, first=600)), first=1)
    assert screen_corrections(store, base_data=few, train_on_forwards=False) == 0
    with reading(engine) as session:
        assert None not in set(session.scalars(select(CorrectionRow.screened_at)))


def test_what_came_after_the_look_waits_for_the_next_snapshot(
    store: Store, base_data: Path, tmp_path: Path
) -> None:
    correct(store, wordy(10, first=300), first=1)
    screen_corrections(store, base_data=base_data, train_on_forwards=False)
    correct(store, wordy(3, first=600), first=50)
    made = export_snapshot(
        tmp_path / "s", store, base_data=base_data, train_on_forwards=False, screened_only=True
    )
    assert {row.text for row in made.rows}.isdisjoint(row.text for row in wordy(3, first=600))
    assert len(made.rows) == 90 + 10
