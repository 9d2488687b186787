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
        made = store.save_prediction(
            Incoming(user, user, number, text),
            scores,
            model_version="m",
            prompt_version="p",
            latency_ms=1.0,
        )
        store.correct(user, made.id, Label.NEGATIVE)
