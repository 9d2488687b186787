"""Corrections in a database, as users would have left them."""

from collections.abc import Iterable

from tweetsent.labels import Label, Scores
from tweetsent.records import Incoming
from tweetsent.store import Store

TAKEN_FOR_POSITIVE = Scores(0.2, 0.2, 0.6)


def save_corrections(
    store: Store,
    user: int,
    texts: Iterable[str],
    *,
    scores: Scores = TAKEN_FOR_POSITIVE,
    first: int = 10_000,
) -> None:
    """Messages of one who consents to training, each of which they call negative.

    They are numbered from `first` on.
    """
    store.set_consent(user, True)
    for number, text in enumerate(texts, first):
        correct(store, user, number, text, Label.NEGATIVE, scores)


def correct(
    store: Store,
    user: int,
    message: int,
    text: str,
    label: Label,
    scores: Scores = TAKEN_FOR_POSITIVE,
) -> None:
    """One message of a user, who calls it otherwise than the model."""
    made = store.save_prediction(
        Incoming(user, user, message, text),
        scores,
        model_version="m",
        prompt_version="p",
        latency_ms=1.0,
    )
    store.correct(user, made.id, label)
