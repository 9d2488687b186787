"""Challengers of the tiny model: what they are made of, and how they are measured."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.runs import CPU, PLAIN
from training import challenge
from training.challenge import (
    CORRECTIONS,
    RECIPE,
    Material,
    compare,
    freeze,
    gather,
    in_enough_steps,
    make_challenger,
)
from training.data import Example, LabelledData
from training.gate import GateRules
from training.plan import Plan
from training.qlora import Listener
from training.splits import without_near
from tweetsent.adapter import Dataset, read_manifest
from tweetsent.errors import ConfigError, StoppedError
from tweetsent.labels import LABELS, Label
from tweetsent.model import BaseModel

RULES = GateRules(fewest_corrections=3)
QUIET = Listener(lambda _: None, lambda _: None, lambda *_: None, lambda: False)
SETTINGS = replace(PLAIN, epochs=6, batch_size=8, learning_rate=1e-2)
THINGS = (
    *("masa", "kapı", "deniz", "orman", "tren", "bulut", "kalem"),
    *("ayna", "bahçe", "kitap", "köprü", "saat", "çanta", "mutfak"),
)
WORDS = {Label.NEGATIVE: "berbat", Label.NEUTRAL: "sıradan", Label.POSITIVE: "harika"}


def labelled(name: str, rows: list[Example]) -> LabelledData:
    return LabelledData(Dataset(name=name, sha256="0" * 64, rows=len(rows)), rows)


def numbered(count: int, first: int = 0) -> list[Example]:
    """Texts that are no near-copies of each other, labels in turn."""
    return [
        Example(
            f"{THINGS[n % 14]} {THINGS[(n // 14 + 5) % 14]} {n * 7919 % 10007} "
            f"{WORDS[LABELS[n % 3]]}",
            LABELS[n % 3],
        )
        for n in range(first, first + count)
    ]


def texts(rows: list[Example]) -> set[str]:
    return {row.text for row in rows}


def test_the_newest_corrections_and_a_tenth_of_the_base_are_only_measured_on() -> None:
    base, corrections = numbered(100), numbered(40, first=200)
    frozen_tenth = freeze(labelled("b", base))
    found = gather(labelled("b", base), corrections, "5" * 64, [frozen_tenth], RULES)
    assert found.held == corrections[-8:]
    assert found.corrections.examples == corrections[:-8]
    assert found.corrections.dataset == Dataset(name=CORRECTIONS, sha256="5" * 64, rows=32)
    (frozen,) = found.frozen
    assert frozen.dataset.name == "frozen-b"
    assert 8 <= len(frozen.examples) <= 14
    assert texts(frozen.examples) | texts(found.base.examples) == texts(base)
    assert texts(frozen.examples) & texts(found.base.examples) == set()


def test_the_same_rows_are_frozen_in_every_run() -> None:
    base = numbered(100)
    first, later = freeze(labelled("b", base)), freeze(labelled("b", [*base[::-1], *base[:7]]))
    assert texts(first.examples) == texts(later.examples)


def test_nothing_like_what_is_measured_on_is_trained_on() -> None:
    base = numbered(60)
    frozen = [labelled("test.csv", [replace(base[3], text=base[3].text.upper())])]
    corrections = [replace(base[7], text=f"{base[7].text} 😀"), *numbered(6, first=200), base[9]]
    found = gather(labelled("b", base), corrections, "5" * 64, frozen, RULES)
    assert found.frozen == frozen
    assert found.held == corrections[-3:]
    trained = [*found.base.examples, *found.corrections.examples]
    measured = [*found.held, *found.frozen[0].examples]
    assert without_near(trained, measured) == trained
    assert texts(base) - texts(found.base.examples) == {base[3].text, base[9].text}


def test_few_corrections_are_all_held_and_none_learnt() -> None:
    found = gather(labelled("b", numbered(50)), numbered(2, first=90), "5" * 64, [], RULES)
    assert found.frozen == []
    assert (len(found.held), found.corrections.examples) == (2, [])


def test_without_base_data_there_is_nothing_to_replay() -> None:
    with pytest.raises(ConfigError, match="no base data: name it in TWEETSENT_BASE_DATA"):
        gather(labelled("b", []), numbered(9), "5" * 64, [], RULES)


@pytest.fixture(scope="module")
def material() -> Material:
    """Corrections turn what the base data says of one word around, where another one follows."""
    corrections = [
        Example(f"{row.text} çık git", Label.NEGATIVE)
        for row in numbered(60, first=300)
        if row.label is Label.POSITIVE
    ]
    frozen = [labelled("test.csv", numbered(30, first=500))]
    return gather(labelled("b", numbered(60)), corrections, "5" * 64, frozen, RULES)


@pytest.fixture(scope="module")
def adapters(
    material: Material, tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """One without the corrections, one with them."""
    folder = tmp_path_factory.mktemp("adapters")
    without = replace(material, corrections=replace(material.corrections, examples=[]))
    for name, made_of in (("champion", without), ("challenger", material)):
        make_challenger(made_of, 2.0, tiny_base, SETTINGS, folder / name, CPU, QUIET)
    return folder / "champion", folder / "challenger"


@pytest.mark.parametrize(("rows", "batch_size"), [(100, 8), (1500, 15), (20_000, 64)])
def test_few_rows_come_in_small_batches(rows: int, batch_size: int) -> None:
    settings = in_enough_steps(RECIPE, rows)
    assert settings == replace(RECIPE, batch_size=batch_size)
    assert in_enough_steps(replace(RECIPE, batch_size=4), rows).batch_size == 4


def test_corrections_weigh_what_was_asked_for(
    material: Material, tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Example] = []

    def stop(plan: Plan, *_: object) -> None:
        seen.extend(plan.examples)
        raise StoppedError("seen enough")

    monkeypatch.setattr(challenge, "train", stop)
    with pytest.raises(StoppedError):
        make_challenger(material, 2.5, tiny_base, SETTINGS, tmp_path / "a", CPU, QUIET)
    weights = {(row.source, row.weight) for row in seen}
    assert weights == {("b", 1.0), (CORRECTIONS, 2.5)}


def test_one_that_learnt_from_the_corrections_is_promoted(
    adapters: tuple[Path, Path], material: Material, tiny_base: BaseModel
) -> None:
    steps: list[tuple[int, int]] = []
    decision, (before, after) = compare(
        *adapters,
        material,
        tiny_base,
        replace(RULES, tolerance=0.2, recall_drop=0.5, calibration_drop=0.5),
        CPU,
        lambda done, total: steps.append((done, total)),
        lambda: False,
    )
    assert decision.is_promoted, decision.reason
    assert decision.corrections is not None
    assert decision.corrections.challenger > decision.corrections.champion
    assert [item.name for item in decision.frozen] == ["test.csv"]
    assert before.metrics.n == after.metrics.n == 30
    assert before.model == read_manifest(adapters[0]).version
    assert after.model == read_manifest(adapters[1]).version
    assert steps[-1] == (2 * (30 + len(material.held)),) * 2
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_the_other_way_round_it_is_refused(
    adapters: tuple[Path, Path], material: Material, tiny_base: BaseModel
) -> None:
    champion, challenger = adapters
    decision, _ = compare(
        challenger, champion, material, tiny_base, RULES, CPU, lambda *_: None, lambda: False
    )
    assert not decision.is_promoted
    assert "corrections: no better" in decision.reason


def test_measuring_can_be_stopped(
    adapters: tuple[Path, Path], material: Material, tiny_base: BaseModel
) -> None:
    with pytest.raises(StoppedError, match="while measuring"):
        compare(*adapters, material, tiny_base, RULES, CPU, lambda *_: None, lambda: True)


def test_a_challenger_may_start_from_the_champion(
    adapters: tuple[Path, Path], material: Material, tiny_base: BaseModel, tmp_path: Path
) -> None:
    champion, fresh = adapters
    output, still = tmp_path / "a", replace(SETTINGS, learning_rate=1e-12)
    make_challenger(material, 2.0, tiny_base, still, output, CPU, QUIET, champion)
    assert read_manifest(output).version == read_manifest(champion).version
    assert read_manifest(output).started_from == read_manifest(champion).version
    assert read_manifest(fresh).started_from is None


def test_the_untrained_model_may_be_the_champion(
    adapters: tuple[Path, Path], material: Material, tiny_base: BaseModel
) -> None:
    decision, (before, _) = compare(
        None, adapters[1], material, tiny_base, RULES, CPU, lambda *_: None, lambda: False
    )
    assert before.model.endswith("untrained")
    assert torch.tensor([item.rows for item in decision.frozen]).sum() == 30
