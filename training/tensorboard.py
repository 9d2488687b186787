"""TensorBoard logs of a run, for those who watch more than the bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from training.evaluation import make_folder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from training.qlora import Progress


class Logs:
    """Takes what a run tells; without a writer it forgets it."""

    def __init__(self, writer: "SummaryWriter | None") -> None:
        self._writer = writer

    def on_step(self, at: "Progress") -> None:
        """Loss and learning rate, of the training that the adapter comes of."""
        if self._writer and not at.stage:
            self._writer.add_scalar("training/loss", at.loss, at.step)
            self._writer.add_scalar("training/learning_rate", at.learning_rate, at.step)

    def on_scores(self, step: int, scores: dict[str, float]) -> None:
        """Macro-F1 by validation file."""
        if self._writer:
            for name, value in scores.items():
                self._writer.add_scalar(f"macro_f1/{name}", value, step)
            self._writer.flush()


@contextmanager
def tensorboard_logs(folder: Path | None) -> Iterator[Logs]:
    """Logs written into a folder; None writes none. DataError when it can't be made."""
    if folder is None:
        yield Logs(None)
        return
    from torch.utils.tensorboard import SummaryWriter

    make_folder(folder)
    writer = SummaryWriter(str(folder))
    try:
        yield Logs(writer)
    finally:
        writer.close()
