"""The plain records that travel between the bot, the service and the store.

Telegram's numeric ids appear here only on the way in (`Incoming`); the store keeps pseudonyms.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import numpy as np

from tweetsent.labels import Label, Scores
from tweetsent.metrics import Reliability
from tweetsent.passages import Passages

OWNER_ID = 1
"""The user of the terminal, who is always an admin; no Telegram account has this id."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message to classify."""

    user_id: int
    chat_id: int
    message_id: int
    text: str
    is_forward: bool = False
    is_group: bool = False
    album: str | None = None
    """What Telegram calls the album that the message is a part of."""
    is_edited: bool = False
    """Whether the text is not the first one of the message; the first may arrive later than it."""


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
    message_id: int
    """The user's message; of an album, the part that was classified."""
    is_answer_stale: bool
    """Whether the message was edited since the answer was written."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """All there is to say of a message; only the prediction is stored."""

    prediction: Prediction
    passages: Passages
    scores: tuple[Scores, ...]
    """Those of the passages' parts."""
    is_foreign: bool
    """Whether the message is surely not Turkish."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a user sent to be labelled, as Telegram names it."""

    chat_id: int
    message_id: int
    file_id: str
    name: str


class FileState(StrEnum):
    """Where the labelling of a file stands."""

    RUNNING = "running"
    WAITING = "waiting"
    """For the user to say which column holds the texts."""
    DELIVERING = "delivering"
    """The result may have been sent."""
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileJob:
    """A file that is not finished."""

    id: int
    state: FileState
    upload: Upload
    choice: int | None
    """Which of the columns that may hold the texts the user chose, counted from 0."""
    status_message_id: int | None
    """The bot's message that shows where it stands; None until it was sent."""
    attempts: int
    """How often the labelling began."""


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
    by_author: bool
    """Whether this user wrote the message, rather than voting on another's."""
    ask_consent: bool
    """True once per user: with the first correction of somebody who was never asked."""


class Trigger(StrEnum):
    """What started a retraining run."""

    SCHEDULE = "schedule"
    ADMIN = "admin"
    CLI = "cli"


class RunState(StrEnum):
    """How a retraining run stands."""

    RUNNING = "running"
    PROMOTED = "promoted"
    REFUSED = "refused"
    FAILED = "failed"
    STOPPED = "stopped"
    """On an admin's word."""


class RunStep(StrEnum):
    """What a retraining run is doing, or was doing when it ended."""

    EXPORT = "export"
    TRAINING = "training"
    EVALUATION = "evaluation"
    PROMOTION = "promotion"


@dataclass(frozen=True, slots=True)
class Run:
    """A retraining run."""

    id: int
    trigger: Trigger
    state: RunState
    step: RunStep
    done: int
    """Of the step, in units of its own."""
    total: int
    """0 while it is not known."""
    started_at: datetime
    """UTC."""
    finished_at: datetime | None
    corrections: int | None
    """Accepted corrections of its data set, the held-back ones too; None before its export."""
    snapshot: str | None
    """Hash of its data set."""
    model_version: str | None
    """Of the adapter that it made."""
    decision: dict[str, Any] | None
    """What the gate said, with its numbers."""
    reason: str
    """Why it was refused or failed; empty otherwise."""


class Quantization(StrEnum):
    """What is done to a base model's weights before they are trained on and served."""

    NF4 = "nf4"
    """Linear layers rounded to 4 bits (NormalFloat, double-quantised)."""
    NONE = "none"
    """Weights as they stand in the model's own files."""


class CorrectionState(StrEnum):
    """Whether a correction may become training data."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DISPUTED = "disputed"


class Reason(StrEnum):
    """Why a correction is in its state."""

    ADMIN = "admin"
    """An admin made it."""
    REVIEWED = "reviewed"
    """An admin looked at it."""
    CONFIRMED = "confirmed"
    """It has the label that an admin gave the message."""
    OVERRULED = "overruled"
    """It has a label that an admin refused, or not the one that an admin gave."""
    AGREEMENT = "agreement"
    """Several users gave this label and nobody another."""
    DISAGREEMENT = "disagreement"
    """Users gave different labels."""
    OWN_WORD = "own_word"
    """The message's sender made it."""
    SINGLE_VOICE = "single_voice"
    """One user made it, who did not send the message."""
    MODEL_IS_SURE = "model_is_sure"
    """The model is very sure of another label."""
    OFTEN_OVERRULED = "often_overruled"
    """Admins refused most of what they saw of its user."""
    OFTEN_CONTRARY = "often_contrary"
    """Its user contradicts the model where that is very sure, and does so often."""
    ANONYMOUS = "anonymous"
    """A visitor of the web page made it: whoever has many browsers is many of them."""
    SUSPICIOUS_LABEL = "suspicious_label"
    """Models trained without it found its label improbable."""


@dataclass(frozen=True, slots=True)
class TrainingCorrection:
    """An accepted correction that may be trained with."""

    id: int
    user_id: int
    """The user's row, not Telegram's number."""
    text: str
    label: Label
    created_at: datetime
    is_vouched: bool
    """Made or accepted by an admin."""
    is_proven: bool
    """Whether admins accepted more of this user's corrections than they rejected."""
    is_screened: bool
    """Whether confident learning has looked at its label."""


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A correction that waits for an admin."""

    correction_id: int
    text: str
    scores: Scores
    """The model's."""
    label: Label
    """The user's."""
    others: dict[Label, int]
    """What other users said of the same message, in label order."""
    state: CorrectionState
    reason: Reason


@dataclass(frozen=True, slots=True)
class Scope:
    """Which predictions statistics are of; by default all."""

    days: int | None = None
    """Only those of today and so many days less one before it, in UTC."""
    model: str | None = None
    """Only those of one model version."""


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Trend:
    """Predictions and what became of them, by day or week of the prediction, in UTC."""

    starts: tuple[date, ...]
    """First day of each period, without gaps."""
    is_weekly: bool
    predictions: np.ndarray
    """(periods, 3) counts by predicted label, in label order."""
    corrections: np.ndarray
    """(periods,) live corrections, confirmations too."""
    confirmations: np.ndarray
    """(periods,) those that have the model's label."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What `/stats` and `tweetsent stats` show."""

    users: int
    """Those who sent the messages."""
    predictions: int
    predictions_last_day: int
    by_label: dict[Label, int]
    """Predictions by predicted label."""
    by_model: dict[str, int]
    """Predictions by model version, newest version first."""
    corrections: int
    """Live corrections, confirmations too: one for each user and prediction at most."""
    trainable_corrections: int
    """Those of users who consented, and which the owner's settings allow."""
    accuracy: float | None
    """Share of judged predictions whose label the users left as it was; None without any."""
    macro_f1: float | None
    confusion: np.ndarray
    """(3, 3) counts: rows = the users' label, columns = the model's, in label order."""
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    trend: Trend

    @property
    def confirmations(self) -> int:
        """Corrections that have the model's label."""
        return int(self.confusion.trace())

    @property
    def changes(self) -> int:
        """Corrections that have another label than the model's."""
        return self.corrections - self.confirmations


LATENCY_PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Spread:
    """How sure the model was and how long it took."""

    confidences: np.ndarray
    """(bins,) counts of predictions over equal parts of 0 to 1."""
    reliability: Reliability | None
    """Against the users' labels; None without any."""
    latency_ms: dict[int, float]
    """By percentile; empty without predictions."""


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
    """An admin, in a chat or on the pages."""
    CLI = "cli"
    """Somebody at the command line."""
    SHIPPED = "shipped"
    """Nobody: it came with the package, and served before the first promotion."""


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
        """Macro-F1 by validation file, where it was measured and no label is missing."""
        return {
            name: result["macro_f1"]
            for name, result in self.metrics.items()
            if isinstance(result, dict)
            and isinstance(result.get("macro_f1"), float)
            and result.get("two_class_accuracy") is None
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
    is_rollback: bool
    """Whether it undid another one."""


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
    fault: str | None
    """Why that one could not be loaded; None where it answers or is not known to be damaged."""


class FaultKind(StrEnum):
    """What a version of the model can't do."""

    LOADING = "loading"
    """It is damaged or does not fit: another one serves."""
    SCORING = "scoring"
    """It serves, and gave scores that are not numbers."""


@dataclass(frozen=True, slots=True)
class ModelFault:
    """A fault of a version of the model."""

    version: str
    kind: FaultKind
    reason: str


class AnnouncementState(StrEnum):
    """What is to be done with an announcement."""

    DRAFT = "draft"
    """Nothing before its admin says so."""
    RUNNING = "running"
    CANCELLED = "cancelled"
    """No more than to say how far it came."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message of an admin to all private chats, and how far it is."""

    id: int
    chat_id: int
    """The admin's private chat."""
    status_message_id: int | None
    """The bot's message there that asks and then shows how far it is; None until it was sent."""
    text: str
    state: AnnouncementState
    recipients: int
    """How many chats there were when it was asked for."""
    attempted: int
    """How many were taken up, those of `sent` and `blocked` among them."""
    sent: int
    blocked: int
    """How many have closed themselves to the bot."""


class Outcome(StrEnum):
    """What came of writing to one chat."""

    SENT = "sent"
    BLOCKED = "blocked"
    """The chat is closed to the bot: it is forgotten."""
    FAILED = "failed"
    """It did not arrive, or nobody knows."""
    PUT_OFF = "put_off"
    """It surely did not arrive, and may later."""
