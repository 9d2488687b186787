"""The plain records that travel between the bot, the service and the store.

Telegram's numeric ids appear here only on the way in (`Incoming`); the store keeps pseudonyms.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from tweetsent.labels import Label, Scores


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message to classify."""

    user_id: int
    chat_id: int
    message_id: int
    text: str
    is_forward: bool = False
    is_group: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a text and what made them."""

    scores: Scores
    model_version: str
    prompt_version: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """A stored prediction."""

    id: int
    text: str
    scores: Scores
    model_version: str
    latency_ms: float
    created_at: datetime
    """UTC."""
    answer_message_id: int | None
    """The bot's answer; None until it was sent."""


class Consent(StrEnum):
    """A user's word on training with their corrections."""

    UNASKED = "unasked"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Correction:
    """What a correction changed."""

    prediction: Prediction
    old: Label
    """The label this user saw before: their earlier correction, else the model's."""
    new: Label
    ask_consent: bool
    """True once per user: with the first correction of somebody who was never asked."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What `/stats` and `tweetsent stats` show."""

    users: int
    predictions: int
    predictions_last_day: int
    by_label: dict[Label, int]
    """Predictions by predicted label."""
    by_model: dict[str, int]
    """Predictions by model version, newest version first."""
    corrections: int
    """Live corrections: one for each user and prediction at most."""
    trainable_corrections: int
    """Those of users who consented, and which the owner's settings allow."""
    accuracy: float | None
    """Share of judged predictions whose label the users left as it was; None without any."""
    macro_f1: float | None
    confusion: np.ndarray
    """(3, 3) counts: rows = the users' label, columns = the model's, in label order."""
    latency_ms_p50: float | None
    latency_ms_p95: float | None


class ModelState(StrEnum):
    """What became of a version of the model."""

    CANDIDATE = "candidate"
    """Added, not decided on."""
    ACTIVE = "active"
    """Serves."""
    RETIRED = "retired"
    """Served before."""
    REFUSED = "refused"
    """Not good enough to serve."""


class ActivatedBy(StrEnum):
    """Who changed what serves."""

    GATE = "gate"
    """A retraining run whose result was better."""
    ADMIN = "admin"
    """An admin, in a chat."""
    CLI = "cli"
    """Somebody at the command line."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of the model that the registry knows."""

    version: str
    folder: str
    """Relative to the data folder, or "shipped"."""
    base_model: str
    base_revision: str
    weights_sha256: str
    created_at: datetime
    """UTC, when it was added."""
    parent_version: str | None
    """What served when it was added."""
    metrics: dict[str, Any]
    """Evaluation results by validation file."""
    state: ModelState
    decided_at: datetime | None
    """UTC, when it got its state; None for a candidate."""
    reason: str
    """Why it got its state."""
    deleted_at: datetime | None
    """UTC, when its folder was deleted."""

    @property
    def macro_f1(self) -> dict[str, float]:
        """Macro-F1 by validation file, where it was measured."""
        return {
            name: result["macro_f1"]
            for name, result in self.metrics.items()
            if isinstance(result, dict) and isinstance(result.get("macro_f1"), float)
        }


@dataclass(frozen=True, slots=True)
class Activation:
    """One change of what serves."""

    id: int
    version: str
    at: datetime
    """UTC."""
    by: ActivatedBy
    reason: str


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves, since when, and what served before."""

    model: ModelVersion
    activation: Activation
    previous: str | None
    """The version that going back leads to; None when there is none."""
    versions: int
    """How many the registry knows."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What `/model` shows."""

    version: str
    """The one that answers now in this process."""
    is_pinned: bool
    """Whether the settings name the adapter, so that no version of the registry serves."""
    serving: Serving | None
    """What should answer; None before the first promotion."""
