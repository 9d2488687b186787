"""The story of benchmarks/corrections_replay.py in short, with the tiny model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from benchmarks import corrections_replay
from benchmarks.corrections_replay import World, divide, keep, make_first, replay
from tests.training.runs import CPU, PLAIN
from tests.training.test_challenge import numbered
from training.splits import without_near
from tweetsent.model import BaseModel

RECIPE = replace(PLAIN, epochs=4, batch_size=8, learning_rate=1e-2)


@pytest.fixture(scope="module")
def world(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A model that has read 30 rows, and 90 more in two rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corrections_replay, "BASE_SHARE", 0.25)
        rows = divide(numbered(150), numbered(45, first=400), seed=1, rounds=2)
    folder = tmp_path_factory.mktemp("replay")
    first = make_first(rows, tiny_base, RECIPE, CPU, folder / "first")
    return World(rows, tiny_base, RECIPE, CPU, first)


def test_no_row_is_in_two_parts(world: World) -> None:
    rows = world.rows
    parts = [rows.base, *rows.rounds, rows.frozen, rows.unseen]
    assert sum(map(len, parts)) == 150 + 45
    for part in parts:
        others = [row for other in parts if other is not part for row in other]
        assert without_near(part, others) == part


@pytest.mark.parametrize("story", ["careful", "open"])
def test_a_model_learns_from_its_users(story: str, world: World, tmp_path: Path) -> None:
    beginning, *rounds = replay(story, world, tmp_path / story)
    assert [told["round"] for told in rounds] == [1, 2]
    assert rounds[-1]["macro_f1"] > beginning["macro_f1"]
    for before, told in zip([beginning, *rounds], rounds, strict=False):
        is_served = story == "open" or told["state"] == "promoted"
        assert is_served or told["macro_f1"] == before["macro_f1"]
        assert told["state"] == "promoted" or told["reason"]
    corrected = sum(map(len, world.rows.rounds))
    if story == "open":
        assert rounds[-1]["corrections"] == corrected
        assert rounds[-1]["false_in_set"] > 0
    else:
        assert sum(told["reviewed"] for told in rounds) > 0
        assert rounds[-1]["corrections"] < corrected


def test_the_record_grows_and_the_picture_shows_all_of_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(corrections_replay, "RESULT", tmp_path / "replay.json")
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    scores = {("careful", 1): [0.5, 0.6], ("open", 1): [0.4, 0.8], ("careful", 2): [0.7, 0.9]}
    for (story, seed), values in scores.items():
        told = [{"round": number, "macro_f1": value} for number, value in enumerate(values)]
        seeded = replace(world, recipe=replace(RECIPE, seed=seed))
        keep(story, told, seeded, seconds=1.0)
    kept = json.loads((tmp_path / "replay.json").read_text("utf-8"))
    assert {name: sorted(by_seed) for name, by_seed in kept.items()} == {
        "careful": ["1", "2"],
        "open": ["1"],
    }
    lines = {line.get_label(): line for line in drawn[-1].axes[0].get_lines()}
    assert list(lines["careful (2 seeds)"].get_ydata()) == pytest.approx([0.6, 0.75])
    assert list(lines["open (1 seed)"].get_ydata()) == pytest.approx([0.4, 0.8])
