"""What a long command has done so far, kept beside its output so that a killed run goes on.

A folder with the scores of each finished block, the output as far as it is written, and what they
were made of. Knows nothing of models, nor of what is in an output.
"""

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from tweetsent.errors import DataError
from tweetsent.labels import Scores

_JOB = "job.json"
_LOCK = "lock"


class Partial:
    """An output that is not complete; `partial_output` makes one."""

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(f"{output.name}.partial")
        self.draft = self.folder / output.name
        """Where the output is written until it is complete."""
        self._output = output

    def begin(self, job: Mapping[str, object], say: Callable[[str], None]) -> int:
        """Take up what an earlier run of the same job left, or drop what another one did.

        `say` is told which. Returns how many texts are done.
        """
        before = self._job_before()
        if before != job:
            if before:
                changed = [name for name in job if before.get(name) != job[name]]
                say(f"{self.folder}: is of another {', '.join(changed)}: starting anew")
            self.drop()
            self._write(_JOB, json.dumps(job, indent=2).encode())
        blocks = map(self._read, self._blocks())
        done = sum(len(rows) for rows in blocks if rows is not None)
        if done:
            say(f"{self.folder}: going on after {done:,} texts")
        return done

    def load(self, number: int) -> list[Scores] | None:
        """The scores of a block, None when it is to be classified."""
        rows = self._read(self._block(number))
        return None if rows is None else [Scores(*row) for row in rows.tolist()]

    def save(self, number: int, scores: Sequence[Scores]) -> None:
        """Keep the scores of a block, also for when the power fails. Raises DataError."""
        content = io.BytesIO()
        np.save(content, np.array([astuple(score) for score in scores]).reshape(-1, 3))
        self._write(self._block(number).name, content.getvalue())

    def complete(self) -> None:
        """Give the draft the name of the output and drop the rest. Raises DataError."""
        with self._errors():
            with self.draft.open("rb") as file:
                os.fsync(file.fileno())
            self.draft.replace(self._output)
        self.drop()

    def drop(self) -> None:
        """Forget what was done; what others put into the folder stays."""
        with self._errors():
            # The job first: without it nobody goes on with the rest.
            for path in [self.folder / _JOB, *self._blocks(), self.draft]:
                path.unlink(missing_ok=True)

    def _block(self, number: int) -> Path:
        return self.folder / f"block-{number:08}.npy"

    def _blocks(self) -> Iterator[Path]:
        return self.folder.glob("block-*.npy")

    @staticmethod
    def _read(path: Path) -> "np.ndarray | None":
        try:
            rows: np.ndarray = np.load(path)
        except (OSError, ValueError, EOFError):
            return None  # not there, or damaged
        return rows

    def _job_before(self) -> dict[str, object]:
        try:
            job = json.loads((self.folder / _JOB).read_bytes())
        except (OSError, ValueError):
            return {}
        return job if isinstance(job, dict) else {}

    def _write(self, name: str, content: bytes) -> None:
        """All of a file or nothing."""
        scratch = self.folder / "scratch"
        with self._errors():
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self.folder / name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(f"{self._output}: can't be written: {error.strerror}") from error


@contextmanager
def partial_output(output: Path) -> Iterator[Partial]:
    """The partial output beside `output`, for one process at a time; DataError for a second one.

    Its folder is removed when nothing is left in it.
    """
    partial = Partial(output.resolve())
    lock = FileLock(partial.folder / _LOCK, blocking=False)
    try:
        partial.folder.mkdir(exist_ok=True)
        lock.acquire()
    except Timeout:
        raise DataError(f"{output}: another process is writing it") from None
    except OSError as error:
        raise DataError(f"{output}: can't be written: {error.strerror}") from error
    try:
        yield partial
    finally:
        with suppress(OSError):
            (partial.folder / _LOCK).unlink()
        lock.release()
        with suppress(OSError):
            (partial.folder / "scratch").unlink(missing_ok=True)
            partial.folder.rmdir()
