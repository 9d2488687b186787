"""A second look at the labels of new corrections, before any run trains with them.

Each correction is looked at once, beside all data there is by then: a judgement that is repeated
with every run would send honest, hard ones to the review a few at a time until none is left.
"""

import math
from pathlib import Path

from training.data import Example
from training.export import merge, read_base
from training.label_noise import out_of_sample_probabilities, suspicious_rows
from training.snapshot import Row
from tweetsent.errors import DataError
from tweetsent.store import Store


def screen_corrections(store: Store, *, base_data: Path, train_on_forwards: bool) -> int:
    """Send the new corrections whose labels are least credible to the review; returns how many.

    What an admin vouches for stays; where there are too few rows to judge by, all do. Raises
    DataError, or StoreError when the database fails.
    """
    corrections = store.training_corrections(train_on_forwards=train_on_forwards)
    new = {row.id for row in corrections if not row.is_screened and not row.is_vouched}
    if not new:
        return 0
    base, _ = read_base(base_data)
    rows = merge(base, corrections)
    questioned = {place for place, row in enumerate(rows) if not new.isdisjoint(row.correction_ids)}
    most = math.ceil(store.policy.suspicious_share * len(questioned))
    found = [place for place in _suspicious(rows) if place in questioned][:most]
    suspicious = {number for place in found for number in rows[place].correction_ids}
    return store.screen(new, suspicious=suspicious & new)


def _suspicious(rows: list[Row]) -> list[int]:
    examples = [Example(row.text, row.label) for row in rows]
    try:
        probabilities = out_of_sample_probabilities(examples)
    except DataError:  # too few to judge by
        return []
    return suspicious_rows(probabilities, [row.label for row in examples])
