"""A hostile user's 500 wrong corrections, with the policy and without it: what a run makes of them.

The tiny model, a real database and whole runs; every result is measured, whether it would be
promoted or not, so that it is the policy and not the gate that is seen at work.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.corrections_replay import NO_POLICY
from tests.training.runs import CPU, PLAIN
from tests.training.test_challenge import QUIET, numbered
from training.data import Example
from training.evaluation import evaluate
from training.retraining import Workshop, retrain
from tweetsent.classifier import load_from
from tweetsent.database import create_engine_for, upgrade
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.model import BaseModel
from tweetsent.policy import Policy
from tweetsent.pseudonyms import Pseudonymiser
from tweetsent.records import Incoming, RunState, Trigger
from tweetsent.registry import Registry
from tweetsent.runs import Runs
from tweetsent.settings import Settings
from tweetsent.store import Store

RECIPE = replace(PLAIN, epochs=3, batch_size=16, learning_rate=1e-2)
BASE, HONEST = numbered(150), numbered(60, first=400)
FROZEN = numbered(90, first=1000)
HOSTILE = numbered(500, first=2000)
ATTACKER, FIRST_HONEST, HONEST_USERS = 666, 100, 20


def other_label(label: Label) -> Label:
    return LABELS[(LABELS.index(label) + 1) % 3]


def scores_for(label: Label, confidence: float) -> Scores:
    rest = (1 - confidence) / 2
    return Scores(*(confidence if each is label else rest for each in LABELS))


class Bot:
    """A bot's data folder, whose users correct it."""

    def __init__(self, folder: Path, base: BaseModel, policy: Policy) -> None:
        folder.mkdir()
        for name, rows in (("base", BASE), ("frozen", FROZEN)):
            frame = pd.DataFrame([(row.text, row.label.value) for row in rows])
            frame.to_csv(folder / f"{name}.csv", index=False, header=["text", "label"])
        settings = Settings(
            _env_file=None,
            tweetsent_data_dir=folder / "data",
            tweetsent_base_model=base.name,
            tweetsent_base_data=folder / "base.csv",
            tweetsent_test_data=(folder / "frozen.csv",),
        )
        upgrade(settings.database_url)
        engine = create_engine_for(settings.database_url)
        self.base = base
        self.store = Store(engine, Pseudonymiser(b"a key for the tests only"), policy=policy)
        self.shop = Workshop(settings, self.store, Runs(engine), Registry.of(settings, engine))
        # The model got these wrong, and their users put them right.
        for number, row in enumerate(HONEST):
            user = FIRST_HONEST + number % HONEST_USERS
            self.say(user, number, row, answer=scores_for(other_label(row.label), 0.6))

    def say(
        self, user: int, number: int, row: Example, *, answer: Scores, label: Label | None = None
    ) -> None:
        """A message, the model's answer and its user's correction, by default the right one."""
        self.store.set_consent(user, True)
        prediction = self.store.save_prediction(
            Incoming(user, user, number, row.text),
            answer,
            model_version="m",
            prompt_version="p",
            latency_ms=1.0,
        )
        self.store.correct(user, prediction.id, label or row.label)

    def attack(self, *, sure: int) -> None:
        """500 messages of one user, answered rightly, so many surely, and corrected wrongly."""
        for number, row in enumerate(HOSTILE, start=1000):
            confidence = 0.97 if number < 1000 + sure else 0.7
            answer = scores_for(row.label, confidence)
            self.say(ATTACKER, number, row, answer=answer, label=other_label(row.label))

    def macro_f1_after_a_run(self) -> tuple[float, RunState]:
        """Of what the run made, on the frozen rows, whatever the gate said of it."""
        run = retrain(self.shop, Trigger.CLI, self.base, RECIPE, CPU, QUIET)
        assert run.model_version is not None
        folder = self.shop.registry.verified_folder(self.shop.registry.get(run.model_version))
        found = evaluate(load_from(self.base, folder, CPU), FROZEN)
        return found.metrics.macro_f1, run.state


@pytest.fixture(scope="module")
def unharmed(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Macro-F1 without an attack."""
    bot = Bot(tmp_path_factory.mktemp("attack") / "unharmed", tiny_base, Policy())
    return bot.macro_f1_after_a_run()[0]


@pytest.mark.parametrize("sure", [200, 0], ids=["blind", "only where the model is unsure"])
def test_with_the_policy_500_wrong_corrections_do_no_harm(
    sure: int, unharmed: float, tiny_base: BaseModel, tmp_path: Path
) -> None:
    bot = Bot(tmp_path / "bot", tiny_base, Policy())
    bot.attack(sure=sure)
    assert bot.macro_f1_after_a_run()[0] >= unharmed - 0.01


def test_without_the_policy_they_ruin_the_model_and_only_the_gate_is_left(
    unharmed: float, tiny_base: BaseModel, tmp_path: Path
) -> None:
    bot = Bot(tmp_path / "bot", tiny_base, NO_POLICY)
    bot.attack(sure=200)
    macro_f1, state = bot.macro_f1_after_a_run()
    assert macro_f1 < unharmed - 0.3
    assert state is RunState.REFUSED
