"""benchmarks/serve_speed.py from end to end, with the tiny model."""

import csv
import json
from pathlib import Path

import pytest

from benchmarks import serve_speed
from tests.cli import forked
from tests.sentences import SENTENCES
from tweetsent.model import BaseModel

WAYS = {"reference", "tweetsent", "padded batches", "text-classification", "generate()"}


def test_every_way_is_measured_and_ours_agree_with_the_reference(
    tiny_base: BaseModel,
    tiny_adapters: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TWEETSENT_DEVICE", "cpu")
    forked.prepare()
    monkeypatch.setattr(serve_speed, "PROCESSES", forked.CONTEXT)  # five imports of torch less
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([row.text] for row in SENTENCES[:40])])
    serve_speed.main(
        str(tmp_path / "t.csv"),
        "text",
        str(tmp_path / "result"),
        str(tiny_base.source),
        str(tiny_adapters[0]),
    )
    content = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    results = {result["way"]: result for result in content["ways"]}
    assert set(results) >= WAYS
    assert not [name for name, result in results.items() if result.get("failed")]
    for name, result in results.items():
        assert result["alone_ms"] > 0, name
        assert result["per_second"] > 0, name
        assert result["gib"] > 0, name
    assert results["reference"]["agree"] == 1
    assert results["tweetsent"]["agree"] >= 0.95  # bf16 or not, beside fp32
    assert (tmp_path / "result.png").read_bytes().startswith(b"\x89PNG")
    printed = capfd.readouterr().out
    assert all(name in printed for name in results)
