"""What a person should look at in a training set: improbable labels, and texts that are nearly one.

The search takes minutes of a large set, so `inspect_apart` makes it in a process of its own.
"""

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from training.data import Example
from training.duplicates import near_duplicate_groups, text_key
from training.masking import mask_personal
from training.snapshot import Row
from tweetsent.errors import DataError
from tweetsent.labels import LABELS, Label
from tweetsent.records import TrainingCorrection

_INSPECTOR = (sys.executable, "-m", __name__)
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a list of rows, by their places in it."""

    suspicious: list[tuple[int, Label]]
    """Rows whose labels are improbable and the likeliest of the others; the worst first."""
    could_judge: bool
    """Whether there were enough rows to find such labels."""
    near: list[list[int]]
    """Rows that are near-copies of each other; those that differ in their labels first."""


def trainable(rows: Iterable[Row], corrections: Sequence[TrainingCorrection]) -> list[Row]:
    """Rows of an older set without the corrections that are in no new one, `corrections` being its.

    Consents may have been withdrawn since, and nobody is to see these texts any more.
    """
    keys = {text_key(mask_personal(correction.text)) for correction in corrections}
    return [row for row in rows if row.source == "base" or text_key(row.text) in keys]


def inspect(texts: Sequence[str], labels: Sequence[Label]) -> Inspection:
    """Find the improbable labels and the near-copies; no two rows may be equal."""
    # It takes seconds to import, which a page that only counts need not wait for.
    from training.label_noise import out_of_sample_probabilities, suspicious_rows

    examples = [Example(text, label) for text, label in zip(texts, labels, strict=True)]
    suspicious: list[tuple[int, Label]] = []
    try:
        probabilities = out_of_sample_probabilities(examples)
    except DataError:
        could_judge = False
    else:
        could_judge = True
        for place in suspicious_rows(probabilities, list(labels)):
            others = [label for label in LABELS if label is not labels[place]]
            shares = probabilities[place]
            suspicious.append((place, max(others, key=lambda label: shares[LABELS.index(label)])))
    groups: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(near_duplicate_groups(list(texts))):
        groups[group].append(place)
    near = [places for places in groups.values() if len(places) > 1]
    near.sort(key=lambda places: len({labels[place] for place in places}) == 1)
    return Inspection(suspicious, could_judge, near)


async def inspect_apart(rows: Sequence[Row]) -> Inspection:
    """As `inspect`, with low priority in a process of its own; raises DataError when that fails."""
    process = await asyncio.create_subprocess_exec(
        *_INSPECTOR,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        asked = json.dumps([(row.text, row.label) for row in rows])
        answer, _ = await process.communicate(asked.encode())
    finally:
        if process.returncode is None:  # nobody waits for it any more
            process.kill()
            await process.wait()
    if process.returncode:
        raise DataError(f"the data can't be searched: the search ended with {process.returncode}")
    found = json.loads(answer)
    suspicious = [(place, Label(label)) for place, label in found["suspicious"]]
    return Inspection(suspicious, found["could_judge"], found["near"])


def _main() -> None:
    os.nice(_NICENESS)
    rows = json.load(sys.stdin)
    found = inspect([text for text, _ in rows], [Label(label) for _, label in rows])
    sys.stdout.write(json.dumps(asdict(found)))


if __name__ == "__main__":
    _main()
