from typing import Any

import pytest

from training.card import AVERAGE_OF, model_card
from tweetsent.adapter import Dataset, Manifest
from tweetsent.prompt import Prompt


def result(n: int, f1: float, two_class: float | None = None) -> dict[str, Any]:
    row = {"precision": 0.111, "recall": 0.222, "f1": 0.333, "support": 77}
    return {
        "n": n,
        "accuracy": 0.8125,
        "macro_f1": f1,
        "weighted_f1": 0.7777,
        "mcc": 0.5555,
        "ece": 0.0321,
        "two_class_accuracy": two_class,
        "intervals": {"accuracy": [0.7, 0.9], "macro_f1": [f1 - 0.1, f1 + 0.1]},
        "per_class": {
            "negative": row,
            "neutral": row | {"f1": 0.444, "support": 88},
            "positive": row | {"f1": 0.555, "support": 99},
        },
    }


def manifest(**more: Any) -> Manifest:
    return Manifest.model_validate(
        {
            "version": "kucuk-1a2b3c4d",
            "created_at": "2031-05-06T07:08:09+00:00",
            "base_model": "kurum/kucuk",
            "base_revision": "0123456789abcdef",
            "prompt": Prompt(),
            "temperature": 1.618,
            "files": {},
            "datasets": [Dataset(name="tweetler.csv", sha256="feedbeef" * 8, rows=12345)],
            "training": {"epochs": 4, "learning_rate": 0.0003},
            "metrics": {"deneme.csv": result(1234, 0.6789), "oteki.csv": result(9, 0.8876, 0.9123)},
            "machine": "2 CPU cores (x86_64)",
            "training_seconds": 61.7,
            "measured_on": "2 CPU cores",
            "libraries": {"torch": "9.8.7"},
        }
        | more
    )


@pytest.fixture
def card() -> str:
    return model_card(manifest())


def test_it_says_what_was_measured_to_three_places(card: str) -> None:
    assert (
        "| deneme.csv | 1,234 | 0.812 | 0.679 | 0.778 | 0.555 | 0.032 | 0.579 to 0.779 |  |" in card
    )
    assert (
        "| oteki.csv | 9 | 0.812 | 0.888 | 0.778 | 0.555 | 0.032 | 0.788 to 0.988 | 0.912 |" in card
    )


def test_it_has_a_row_for_each_label_of_each_file(card: str) -> None:
    assert card.count("| Olumsuz | 0.111 | 0.222 | 0.333 | 77 |") == 2
    assert card.count("| Tarafsız | 0.111 | 0.222 | 0.444 | 88 |") == 2
    assert card.count("| Olumlu | 0.111 | 0.222 | 0.555 | 99 |") == 2


def test_it_says_what_it_was_made_of(card: str) -> None:
    assert card.startswith("# kucuk-1a2b3c4d\n")
    assert "`kurum/kucuk` (revision `0123456789ab`,\nquantisation " in card
    assert "2031-05-06" in card
    assert "| tweetler.csv | 12,345 | `feedbeeffeed` |" in card
    assert "| epochs | 4 |" in card
    assert "| learning_rate | 0.0003 |" in card
    assert "62 s on 2 CPU cores (x86_64)" in card
    assert "torch 9.8.7" in card


def test_it_says_which_epoch_was_kept_where_that_was_recorded(card: str) -> None:
    assert manifest().epoch is None  # one of before can be read
    assert "the weights are those of" not in card
    assert "included; the weights are those of epoch 3; torch 9.8.7." in model_card(
        manifest(epoch=3)
    )


def test_it_says_what_the_training_started_from_where_it_was_an_adapter(card: str) -> None:
    assert manifest().started_from is None  # one of before can be read
    assert "started from" not in card
    assert "on 2031-05-06, further than `kucuk-0a0b0c0d`, which it started from." in model_card(
        manifest(started_from="kucuk-0a0b0c0d")
    )


def test_it_says_how_a_text_is_asked_and_scored(card: str) -> None:
    assert "`Metin: <text>\\nDuygu:`" in card
    assert "` negatif` = Olumsuz, ` nötr` = Tarafsız, ` pozitif` = Olumlu" in card
    assert "temperature 1.618" in card


def test_it_says_what_it_is_not_for(card: str) -> None:
    assert "Not meant for" in card


def test_its_tables_are_whole(card: str) -> None:
    tables = [block.splitlines() for block in card.split("\n\n") if block.startswith("|")]
    assert len(tables) == 5
    for head, rule, *rows in tables:
        assert set(rule) <= {"|", "-"}
        assert rows
        assert {line.count("|") for line in (head, rule, *rows)} == {head.count("|")}


def test_it_says_whether_it_is_a_mean(card: str) -> None:
    assert "Trained by `tweetsent train` on 2031-05-06" in card
    mean = model_card(manifest(training={AVERAGE_OF: "kucuk-1, kucuk-2"}))
    assert "Averaged by `tweetsent average` from adapters of `tweetsent train` on" in mean
    assert "| average of | kucuk-1, kucuk-2 |" in mean
