"""What is worth a person's look in a training set, found here and in a process of its own."""

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tests.training.test_screening import wordy
from training import inspection
from training.inspection import Inspection, inspect, inspect_apart, trainable
from training.snapshot import Row
from tweetsent.errors import DataError
from tweetsent.labels import LABELS
from tweetsent.records import TrainingCorrection

NEG, NEU, POS = LABELS
ROWS = [Row(row.text, row.label, "base") for row in wordy(90)]
TURNED = next(place for place, row in enumerate(ROWS) if row.label is POS)
ROWS[TURNED] = replace(ROWS[TURNED], label=NEG)
ROWS += [
    Row("toplantı yarın saat ikide başlıyor", NEU, "base"),
    Row("toplantı yarın saat ikide başlıyormuş", NEU, "base"),
    Row("kargo bugün geldi, her şey sağlam", POS, "base"),
    Row("kargo bugün geldi, her şey sapasağlam", NEU, "correction", date(2026, 11, 24)),
]


def test_a_turned_label_and_near_copies_are_found() -> None:
    found = inspect([row.text for row in ROWS], [row.label for row in ROWS])
    assert found == Inspection([(TURNED, POS)], could_judge=True, near=[[92, 93], [90, 91]])
    assert asyncio.run(inspect_apart(ROWS)) == found


def test_few_rows_are_searched_for_near_copies_alone() -> None:
    few = ROWS[-4:]
    found = inspect([row.text for row in few], [row.label for row in few])
    assert found == Inspection([], could_judge=False, near=[[2, 3], [0, 1]])


def test_a_search_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_INSPECTOR", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(DataError, match="ended with 3"):
        asyncio.run(inspect_apart(ROWS))


def test_of_an_older_set_only_what_may_be_trained_with_still_is_left() -> None:
    day = date(2026, 11, 24)
    kept = Row("Ara: [telefon] ÇOK iyi", POS, "correction", day)
    gone = Row("geri aldım", NEG, "correction", day)
    base = Row("geri aldım!", NEU, "base")
    correction = TrainingCorrection(
        id=1,
        user_id=1,
        text="ara: 0532 123 45 67 çok iyi",
        label=NEG,
        created_at=datetime.now(UTC),
        is_vouched=False,
        is_proven=False,
        is_screened=True,
    )
    assert trainable([base, kept, gone], [correction]) == [base, kept]
    assert trainable([kept, gone], []) == []
