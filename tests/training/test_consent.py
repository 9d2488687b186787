"""Whoever said what in whichever order: every row of a snapshot is of people who consent."""

import random
from pathlib import Path

import pytest

from training.export import export_snapshot
from tweetsent.database import create_engine_for, upgrade
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Scores
from tweetsent.policy import Policy
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Incoming
from tweetsent.store import Store

USERS = range(1, 7)
POLICY = Policy(corrections_per_user=10_000, share_per_user=1.0, least_per_user=10_000)
"""Without limits, and all users are admins: what is left out lacks consent, or is contradicted."""
KINDS = [(False, False)] * 3 + [(True, False), (False, True)]


class Story:
    """A random history of a bot, and what a snapshot may hold of it."""

    def __init__(self, seed: int, store: Store) -> None:
        self._random = random.Random(seed)
        self._store = store
        self._consents = dict.fromkeys(USERS, False)
        self._messages: dict[int, tuple[int, str, bool]] = {}
        self._corrected: set[tuple[int, int]] = set()

    def step(self) -> None:
        """Something happens."""
        user = self._random.choice(USERS)
        what = self._random.choices(
            ["write", "correct", "edit", "consent", "erase"], [6, 8, 1, 4, 0.3]
        )[0]
        known = list(self._messages)
        if what == "write" or not known:
            self._write(user)
        elif what == "correct":
            number = self._random.choice(known)
            self._store.correct(user, number, self._random.choice(LABELS))
            self._corrected.add((number, user))
        elif what == "edit":
            self._edit(self._random.choice(known))
        elif what == "consent":
            self._consents[user] = self._random.random() < 0.6
            self._store.set_consent(user, self._consents[user])
        else:
            self._store.own.erase(user)
            self._consents[user] = False
            self._messages = {n: m for n, m in self._messages.items() if m[0] != user}
            self._corrected = {
                (n, by) for n, by in self._corrected if by != user and n in self._messages
            }

    def allowed(self, *, train_on_forwards: bool) -> set[str]:
        """The texts whose author consents, as does one who corrects them at least."""
        return {
            words
            for number, (author, words, is_others) in self._messages.items()
            if self._consents[author]
            and (train_on_forwards or not is_others)
            and any(self._consents[by] for at, by in self._corrected if at == number)
        }

    def _write(self, user: int) -> None:
        is_forward, is_group = self._random.choice(KINDS)
        serial = self._random.getrandbits(40)
        words = f"kelime {serial:x} sözü"
        row = self._save(Incoming(user, user, serial, words, is_forward, is_group))
        self._messages[row] = (user, words, is_forward or is_group)

    def _save(self, incoming: Incoming) -> int:
        made = {"model_version": "m", "prompt_version": "p", "latency_ms": 1.0}
        return self._store.save_prediction(incoming, Scores(0.3, 0.3, 0.4), **made).id

    def _edit(self, number: int) -> None:
        author, words, is_others = self._messages[number]
        (row,) = [
            one
            for one in self._store.own.messages(author, 10_000, older_than=None)
            if one.id == number
        ]
        words = f"{words} sonra"
        incoming = Incoming(author, author, row.message_id, words, is_edited=True)
        made = {"model_version": "m", "prompt_version": "p", "latency_ms": 1.0}
        self._store.update_prediction(incoming, Scores(0.3, 0.3, 0.4), **made)
        self._messages[number] = (author, words, is_others)
        self._corrected = {(n, by) for n, by in self._corrected if n != number}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    url = f"sqlite:///{tmp_path / 'tweetsent.db'}"
    upgrade(url)
    pseudonymise = Pseudonymiser(b"a key for the tests only")
    return Store(create_engine_for(url), pseudonymise, admin_ids=USERS, policy=POLICY)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_row_of_every_snapshot_is_of_people_who_consent(
    seed: int, store: Store, tmp_path: Path
) -> None:
    story, seen = Story(seed, store), 0
    for number in range(120):
        story.step()
        if number % 10 or number < 20:
            continue
        for train_on_forwards in (False, True):
            allowed = story.allowed(train_on_forwards=train_on_forwards)
            folder = tmp_path / f"{number}-{train_on_forwards}"
            try:
                snapshot = export_snapshot(
                    folder, store, base_data=None, train_on_forwards=train_on_forwards
                )
            except DataError:  # nobody consents
                continue
            rows = {row.text for row in snapshot.rows}
            assert rows <= allowed
            seen += len(rows)
    assert seen > 20
