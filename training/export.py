"""Puts the rows of a training set together: base data and accepted corrections, masked.

Which corrections these are, with consent and within limits, is the store's to say.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from training.data import Example, Source, UnmappedCodesError, read_labelled
from training.duplicates import resolve_duplicates, text_key
from training.masking import mask_personal
from training.snapshot import (
    Row,
    Snapshot,
    read_snapshot,
    require_new,
    write_snapshot,
    write_workbook,
)
from tweetsent.adapter import Dataset
from tweetsent.errors import DataError
from tweetsent.records import TrainingCorrection
from tweetsent.store import Store


def export_snapshot(
    folder: Path,
    store: Store,
    *,
    base_data: Path | None,
    train_on_forwards: bool,
    parent: Path | None = None,
    screened_only: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Snapshot:
    """Write all that may be trained with now into a new snapshot folder.

    `parent` is the snapshot that this one follows; with `screened_only` corrections wait for the
    next one whose labels nobody has looked at. Raises DataError, or StoreError when the database
    fails.
    """
    require_new(folder)
    previous = read_snapshot(parent).manifest if parent else None
    base, dataset = read_base(base_data, say) if base_data else ([], None)
    corrections = store.training_corrections(train_on_forwards=train_on_forwards)
    if screened_only:
        corrections = [row for row in corrections if row.is_screened or row.is_vouched]
    rows = merge(base, corrections)
    if not rows:
        raise DataError(
            "there is nothing to export: TWEETSENT_BASE_DATA names no data, and no accepted "
            "correction may be trained with"
        )
    manifest = write_snapshot(
        folder, rows, policy=asdict(store.policy), base=dataset, parent=previous
    )
    return Snapshot(folder, manifest, rows)


def export_workbook(path: Path, corrections: Sequence[TrainingCorrection]) -> int:
    """Write the Excel file of a snapshot that has these corrections alone; returns its rows.

    Nothing is written where none are left, which may be when they contradict each other.
    """
    rows = merge([], corrections)
    if rows:
        write_workbook(rows, path)
    return len(rows)


def read_base(
    path: Path, say: Callable[[str], None] = lambda _: None
) -> tuple[list[Example], Dataset]:
    """The rows of a labelled file, or the base rows of a snapshot folder, masked.

    A snapshot's corrections are left out: only those of the database know who still consents.
    `say` gets lines for the user. Raises DataError.
    """
    if path.is_dir():
        snapshot = read_snapshot(path)
        examples = [Example(row.text, row.label) for row in snapshot.rows if row.source == "base"]
        name, sha256 = path.resolve().name, snapshot.manifest.rows_sha256
        return examples, Dataset(name=name, sha256=sha256, rows=len(examples))
    try:
        data = read_labelled(Source(path))
    except UnmappedCodesError as error:
        codes = ", ".join(repr(code.value) for code in error.codes[:3])
        raise DataError(
            f"{path}: its labels must be named negative, neutral or positive, not {codes}"
        ) from error
    for note in data.notes:
        say(note)
    return [_masked(example) for example in data.examples], data.dataset


def merge(base: Iterable[Example], corrections: Sequence[TrainingCorrection]) -> list[Row]:
    """One row for each text: the base rows in their order, then the corrections by day and text.

    Personal data is masked before texts are compared. A correction wins over a base row, and
    among themselves each source is settled as by `resolve_duplicates`.
    """
    corrected = _rows_of(corrections)
    keys = {text_key(row.text) for row in corrected}
    kept = resolve_duplicates([_masked(example) for example in base]).kept
    rows = [Row(row.text, row.label, "base") for row in kept if text_key(row.text) not in keys]
    return rows + corrected


def _masked(example: Example) -> Example:
    return Example(mask_personal(example.text), example.label)


def _rows_of(corrections: Sequence[TrainingCorrection]) -> list[Row]:
    rows = []
    for voices in _voices_by_text(corrections):
        examples = [Example(mask_personal(voice.text), voice.label) for voice in voices]
        for kept in resolve_duplicates(examples).kept:
            agreeing = [voice for voice in voices if voice.label is kept.label]
            day = min(voice.created_at for voice in agreeing).date()
            ids = tuple(sorted(voice.id for voice in agreeing))
            rows.append(Row(kept.text, kept.label, "correction", day, ids))
    return sorted(rows, key=lambda row: (row.day, row.text))


def _voices_by_text(
    corrections: Sequence[TrainingCorrection],
) -> list[list[TrainingCorrection]]:
    """What is said of each text: one voice for each user, their latest, and admins' word alone."""
    latest: dict[str, dict[int, TrainingCorrection]] = defaultdict(dict)
    for correction in sorted(corrections, key=lambda row: (row.created_at, row.id)):
        latest[text_key(mask_personal(correction.text))][correction.user_id] = correction
    result = []
    for by_user in latest.values():
        voices = list(by_user.values())
        result.append([voice for voice in voices if voice.is_vouched] or voices)
    return result
