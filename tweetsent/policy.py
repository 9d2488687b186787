"""Decides which corrections may become training data: pure functions that know no database.

What one person says of their own message is taken as true, unless a model that is hardly ever
wrong when it is so sure says otherwise, or the person is known for it. What the policy doubts
waits for an admin, and what it accepts is bounded: nobody makes up a training set alone, and who
is new, as the tenth account of one person is, gives little to it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tweetsent.labels import Label, Scores
from tweetsent.records import CorrectionState, Reason, TrainingCorrection


@dataclass(frozen=True, slots=True)
class Policy:
    """The thresholds; each training set's manifest keeps those that it was made with."""

    agreeing_users: int = 2
    """So many users who agree speak for a label, when nobody disagrees."""
    sure_confidence: float = 0.95
    """From this calibrated confidence on the model's label counts as very sure."""
    overruled_corrections: int = 3
    """After so many that admins decided a user may be one who is often overruled …"""
    overruled_share: float = 0.5
    """… when more than this share of them were rejected."""
    contrary_corrections: int = 5
    """After so many against a very sure model a user may be one who is often contrary …"""
    contrary_share: float = 0.25
    """… when they are more than this share of those that change the model's label. With calibrated
    confidences an honest user stays far below it: the model is seldom wrong where it is sure."""
    suspicious_share: float = 0.1
    """At most this share of the new corrections of a run, rounded up, waits because confident
    learning finds their labels improbable: the least credible first, as many as an admin has
    patience for."""
    corrections_per_user: int = 50
    """At most so many of one user that admins know are in a training set …"""
    share_per_user: float = 0.2
    """… and at most this share of its corrections …"""
    least_per_user: int = 10
    """… but so many always may be, and no more of a user that admins don't know."""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """What is known of a user."""

    judged: int = 0
    """Corrections that admins decided."""
    refused: int = 0
    """Those that admins rejected."""
    changes: int = 0
    """Live corrections to another label than the model's, without those that admins accepted."""
    contrary: int = 0
    """Those of them where the model was very sure."""

    @property
    def is_proven(self) -> bool:
        """Whether admins accepted more than they rejected."""
        return self.judged - self.refused > self.refused

    def distrust(self, policy: Policy) -> Reason | None:
        """Why the user's word is not enough; None when it is."""
        if (
            self.refused > policy.overruled_share * self.judged
            and self.judged >= policy.overruled_corrections
        ):
            return Reason.OFTEN_OVERRULED
        if (
            self.contrary > policy.contrary_share * self.changes
            and self.contrary >= policy.contrary_corrections
        ):
            return Reason.OFTEN_CONTRARY
        return None


@dataclass(frozen=True, slots=True)
class Voice:
    """One user's live correction of a message."""

    correction_id: int
    label: Label
    is_sender: bool = True
    """Whether the user wrote the message."""
    is_admin: bool = False
    record: TrackRecord = TrackRecord()


@dataclass(frozen=True, slots=True)
class Case:
    """A message, the model's scores, and everything said of its label; one voice for each user."""

    scores: Scores
    voices: Sequence[Voice]
    accepted: frozenset[Label] = frozenset()
    """Labels that admins accepted in a review."""
    refused: frozenset[Label] = frozenset()
    """Labels that admins rejected in a review."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a correction."""

    state: CorrectionState
    reason: Reason


def decide(case: Case, policy: Policy) -> dict[int, Decision]:
    """What becomes of each voice, by correction id.

    Voices of users who are not trusted neither support nor dispute a label.
    """
    right = case.accepted | {voice.label for voice in case.voices if voice.is_admin}
    heard = [voice for voice in case.voices if voice.record.distrust(policy) is None]
    decisions = {}
    for voice in case.voices:
        if voice.is_admin:
            decision = Decision(CorrectionState.ACCEPTED, Reason.ADMIN)
        elif voice.label in right:
            decision = Decision(CorrectionState.ACCEPTED, Reason.CONFIRMED)
        elif right or voice.label in case.refused:
            decision = Decision(CorrectionState.REJECTED, Reason.OVERRULED)
        else:
            decision = _weigh(voice, heard, case.scores, policy)
        decisions[voice.correction_id] = decision
    return decisions


def _weigh(voice: Voice, heard: list[Voice], scores: Scores, policy: Policy) -> Decision:
    """A decision without the word of an admin."""
    distrust = voice.record.distrust(policy)
    if distrust is not None:
        return Decision(CorrectionState.PENDING, distrust)
    if any(other.label is not voice.label for other in heard):
        return Decision(CorrectionState.DISPUTED, Reason.DISAGREEMENT)
    if len(heard) >= policy.agreeing_users:
        return Decision(CorrectionState.ACCEPTED, Reason.AGREEMENT)
    if not voice.is_sender:
        return Decision(CorrectionState.PENDING, Reason.SINGLE_VOICE)
    if scores.label is not voice.label and scores.confidence >= policy.sure_confidence:
        return Decision(CorrectionState.PENDING, Reason.MODEL_IS_SURE)
    return Decision(CorrectionState.ACCEPTED, Reason.OWN_WORD)


def select_for_training(
    corrections: Sequence[TrainingCorrection], policy: Policy
) -> list[TrainingCorrection]:
    """The accepted corrections that go into a set, oldest first.

    Each user's newest are left out beyond the limits; what an admin vouches for is not limited.
    """
    oldest_first = sorted(
        corrections, key=lambda correction: (correction.created_at, correction.id)
    )
    limit, least = _limit_per_user(oldest_first, policy), policy.least_per_user
    taken: Counter[int] = Counter()
    selected = []
    for correction in oldest_first:
        if not correction.is_vouched:
            taken[correction.user_id] += 1
            if taken[correction.user_id] > (limit if correction.is_proven else least):
                continue
        selected.append(correction)
    return selected


def _limit_per_user(corrections: Sequence[TrainingCorrection], policy: Policy) -> int:
    """The largest number for a proven user that is within the share of the set it leads to."""
    vouched = sum(row.is_vouched for row in corrections)
    by_user = Counter((row.user_id, row.is_proven) for row in corrections if not row.is_vouched)
    limit, least = policy.corrections_per_user, policy.least_per_user
    while limit > least:
        size = vouched + sum(
            min(count, limit if is_proven else least) for (_, is_proven), count in by_user.items()
        )
        # A lower limit makes the set smaller, and so the share too.
        if limit <= policy.share_per_user * size:
            break
        limit -= 1
    return limit
