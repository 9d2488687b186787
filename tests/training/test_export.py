"""Which rows a training set gets, from a base file and a real database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.corrections import correct
from training.data import Example
from training.export import export_snapshot, merge, read_base
from training.snapshot import Row, read_snapshot, write_snapshot
from tweetsent.database import create_engine_for, upgrade
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Label
from tweetsent.policy import Policy
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import TrainingCorrection
from tweetsent.store import Store

NEG, NEU, POS = LABELS
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BASE = "text,label\nçok güzel,olumlu\nberbat bir gün,olumsuz\nara beni 05321234567,tarafsız\n"


def said(
    id_: int, text: str, label: Label, *, user: int = 1, vouched: bool = False, days: int = 0
) -> TrainingCorrection:
    at = NOON + timedelta(days=days, seconds=id_)
    return TrainingCorrection(
        id_, user, text, label, at, vouched, is_proven=False, is_screened=True
    )


def brief(rows: list[Row]) -> list[tuple[str, Label, str]]:
    return [(row.text, row.label, row.source) for row in rows]


def test_a_correction_wins_over_a_base_row_of_the_same_text() -> None:
    base = [Example("Çok güzel!", NEG), Example("kötü", NEG), Example("KÖTÜ", NEG)]
    rows = merge(base, [said(1, "çok güzel", POS)])
    assert brief(rows) == [("kötü", NEG, "base"), ("çok güzel", POS, "correction")]
    assert (rows[1].day, rows[1].correction_ids) == (NOON.date(), (1,))


def test_texts_are_masked_before_they_are_compared() -> None:
    base = [Example("yaz @ali", NEG)]
    corrections = [said(1, "yaz @veli", POS), said(2, "numaram 0532 123 45 67 güzel", POS)]
    assert brief(merge(base, corrections)) == [
        ("numaram [telefon] güzel", POS, "correction"),
        ("yaz @user", POS, "correction"),
    ]


def test_corrections_of_one_text_are_settled_by_a_strict_majority() -> None:
    voices = [said(1, "idare eder", NEU), said(2, "idare eder", POS, user=2)]
    assert merge([], voices) == []
    rows = merge([], [*voices, said(3, "İdare eder.", NEU, user=3, days=1)])
    assert [(row.label, row.correction_ids, row.day) for row in rows] == [
        (NEU, (1, 3), NOON.date())
    ]


def test_a_user_has_one_voice_on_a_text_and_an_admin_the_last() -> None:
    spam = [said(number, "iyi", NEG, user=1) for number in range(1, 6)]
    assert brief(merge([], [*spam, said(6, "iyi", POS, user=2)])) == []
    assert brief(merge([], [*spam, said(6, "iyi", POS, user=1)])) == [("iyi", POS, "correction")]
    others = [said(7, "iyi", NEG, user=2), said(8, "iyi", NEG, user=3)]
    vouched = said(9, "iyi", POS, user=4, vouched=True)
    assert brief(merge([], [*others, vouched])) == [("iyi", POS, "correction")]


def test_the_order_tells_nothing_of_who_said_what() -> None:
    corrections = [said(1, "c", NEG, days=1), said(2, "b", NEG, user=2), said(3, "a", NEG, days=1)]
    assert [row.text for row in merge([], corrections)] == ["b", "a", "c"]


def test_a_base_file_must_name_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("text,label\ngüzel bir gün,0\nkötü bir gün,1\n")
    with pytest.raises(DataError, match=r"must be named negative, .* not '0', '1'$"):
        read_base(path)
    with pytest.raises(DataError, match="there is no such file"):
        read_base(tmp_path / "nowhere.csv")


def test_of_a_snapshot_only_the_base_rows_are_taken(tmp_path: Path) -> None:
    rows = [Row("güzel", POS, "base"), Row("kötü", NEG, "correction", NOON.date(), (1,))]
    manifest = write_snapshot(tmp_path / "old", rows, policy={})
    examples, dataset = read_base(tmp_path / "old")
    assert examples == [Example("güzel", POS)]
    assert (dataset.name, dataset.sha256, dataset.rows) == ("old", manifest.rows_sha256, 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    url = f"sqlite:///{tmp_path / 'tweetsent.db'}"
    upgrade(url)
    return Store(create_engine_for(url), Pseudonymiser(b"a key for the tests only"))


@pytest.fixture
def base_data(tmp_path: Path) -> Path:
    path = tmp_path / "base.csv"
    path.write_text(BASE, encoding="utf-8")
    return path


def test_an_export_holds_the_base_and_what_consent_allows(
    store: Store, base_data: Path, tmp_path: Path
) -> None:
    store.set_consent(1, True)
    correct(store, 1, 1, "çok güzel", NEG)
    correct(store, 1, 2, "ne desem bilemedim, ali@ornek.com", NEU)
    correct(store, 2, 3, "izin vermedim", NEG)
    notes: list[str] = []

    def export(name: str, parent: Path | None = None) -> list[Row]:
        made = export_snapshot(
            tmp_path / name,
            store,
            base_data=base_data,
            train_on_forwards=False,
            parent=parent,
            say=notes.append,
        )
        return made.rows

    rows = export("one")
    assert brief(rows) == [
        ("berbat bir gün", NEG, "base"),
        ("ara beni [telefon]", NEU, "base"),
        ("ne desem bilemedim, [eposta]", NEU, "correction"),
        ("çok güzel", NEG, "correction"),
    ]
    first = read_snapshot(tmp_path / "one")
    assert brief(first.rows) == brief(rows)
    assert first.manifest.base is not None
    assert (first.manifest.base.name, first.manifest.base.rows) == ("base.csv", 3)
    assert first.manifest.policy["corrections_per_user"] == Policy().corrections_per_user
    assert "texts are in column 'text'" in notes[0]

    flagged = next(row for row in rows if row.text == "çok güzel")
    assert store.screen(flagged.correction_ids, suspicious=flagged.correction_ids) == 1
    assert ("çok güzel", POS, "base") in brief(export("two", parent=tmp_path / "one"))
    assert read_snapshot(tmp_path / "two").manifest.parent == first.manifest.rows_sha256

    store.set_consent(1, False)
    assert {row.source for row in export("three")} == {"base"}


def test_the_same_export_again_is_the_same_snapshot(
    store: Store, base_data: Path, tmp_path: Path
) -> None:
    store.set_consent(1, True)
    for message in range(1, 9):
        correct(store, 1, message, f"metin {message}", NEG)
    made = [
        export_snapshot(tmp_path / name, store, base_data=base_data, train_on_forwards=False)
        for name in ("one", "two")
    ]
    assert made[0].manifest.files == made[1].manifest.files
    assert made[0].manifest.rows_sha256 == made[1].manifest.rows_sha256


def test_nothing_to_export_is_an_error_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to export: TWEETSENT_BASE_DATA names no data"):
        export_snapshot(tmp_path / "one", store, base_data=None, train_on_forwards=False)
    assert not (tmp_path / "one").exists()


def test_an_erased_user_is_in_no_later_export(
    store: Store, base_data: Path, tmp_path: Path
) -> None:
    for user in (1, 2):
        store.set_consent(user, True)
        correct(store, user, 1, f"metin {user}", NEG)

    def exported(name: str) -> set[str]:
        made = export_snapshot(tmp_path / name, store, base_data=base_data, train_on_forwards=True)
        return {row.text for row in read_snapshot(made.path).rows if row.source == "correction"}

    assert exported("before") == {"metin 1", "metin 2"}
    store.own.erase(1)
    assert exported("after") == {"metin 2"}
