"""A process in place of `tweetsent retrain`: `python -m tests.bot.run_process FOLDER TRIGGER`.

It makes no adapter but writes a run into the folder's database as the real one does. Half-way
through its training it waits for the file `end`, which says how it ends.
"""

import json
import sys
import time
from pathlib import Path

from tweetsent.database import create_engine_for
from tweetsent.records import RunState, RunStep, Trigger
from tweetsent.runs import Runs


def main(folder: Path, trigger: Trigger) -> None:
    """One run."""
    engine = create_engine_for(f"sqlite:///{folder / 'tweetsent.db'}")
    lease = Runs(engine).start(trigger)
    lease.exported("0" * 64, 31)
    lease.progress(RunStep.TRAINING, 50, 100)
    while not (folder / "end").exists():
        time.sleep(0.02)
    end = json.loads((folder / "end").read_text("utf-8"))
    if "decision" in end:
        lease.made("v-2")
        lease.progress(RunStep.PROMOTION)
    lease.finish(RunState(end["state"]), end["reason"], end.get("decision"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Trigger(sys.argv[2]))
