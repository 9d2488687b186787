"""Fuzz one target for some seconds, guided by coverage; needs the extra `fuzz`.

    python -m tests.fuzz TARGET SECONDS

A finding is printed as a traceback, and its input is written to a file named crash-… here.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tweetsent", "bot", "openpyxl"]):
    from tests.fuzz.targets import TARGETS


def main(name: str, seconds: str) -> None:
    """Run until the time is over or something is found."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.seeds):
            Path(folder, str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", "-timeout=60", "-rss_limit_mb=3000"]
        atheris.Setup([sys.argv[0], folder, *limits, "-max_len=8192"], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
