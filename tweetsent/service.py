"""The one service of the bot and of the terminal chat: clean, classify, store, correct.

Knows nothing of Telegram. SQL runs in one thread of its own, so the event loop never waits for a
disk, and no transaction is open while the model works.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from tweetsent.errors import NotFoundError, NoWordsError, VersionError
from tweetsent.inbox import PendingUpdate
from tweetsent.labels import Label
from tweetsent.records import (
    ActivatedBy,
    Consent,
    Correction,
    Incoming,
    ModelInfo,
    ModelVersion,
    Prediction,
    ReviewItem,
    Scored,
    Stats,
)
from tweetsent.registry import Registry
from tweetsent.store import Store
from tweetsent.telemetry import Telemetry
from tweetsent.text import clean, has_words

P = ParamSpec("P")
T = TypeVar("T")


class AsyncClassifier(Protocol):
    """What scores texts, without holding up the event loop."""

    @property
    def version(self) -> str:
        """The model version in use."""
        ...

    async def classify(self, text: str) -> Scored:
        """The scores of one cleaned text, with the version that made them."""
        ...


class SentimentService:
    """Everything the handlers may ask for; methods raise StoreError when the database fails."""

    def __init__(
        self,
        store: Store,
        classifier: AsyncClassifier,
        registry: Registry | None = None,
        *,
        train_on_forwards: bool = False,
    ) -> None:
        """Without a registry the classifier stays the one that the settings name."""
        self._store = store
        self._classifier = classifier
        self._registry = registry
        self._train_on_forwards = train_on_forwards
        self.telemetry = Telemetry()
        self._sql_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sql")

    @property
    def model_version(self) -> str:
        """The version that answers."""
        return self._classifier.version

    async def ping(self) -> None:
        """Return when the database has answered."""
        await self._sql(self._store.ping)

    async def analyse(self, incoming: Incoming) -> Prediction:
        """The stored prediction of a message: made now, or before if the message was seen.

        Raises NoWordsError when there is nothing to classify.
        """
        incoming = replace(incoming, text=clean(incoming.text))
        if not has_words(incoming.text):
            raise NoWordsError("the text has no words")
        seen = await self._sql(self._store.find_prediction, incoming.chat_id, incoming.message_id)
        if seen is not None:
            return seen
        started = time.perf_counter()
        scored = await self._classifier.classify(incoming.text)
        seconds = time.perf_counter() - started
        self.telemetry.classified(seconds)
        return await self._sql(
            self._store.save_prediction,
            incoming,
            scored.scores,
            model_version=scored.model_version,
            prompt_version=scored.prompt_version,
            latency_ms=1000 * seconds,
        )

    async def answered(self, prediction_id: int, answer_message_id: int) -> None:
        """Note which message of the bot shows a prediction; NotFoundError for an unknown one."""
        await self._sql(self._store.set_answer, prediction_id, answer_message_id)
        self.telemetry.answered()

    async def find(self, chat_id: int, message_id: int) -> Prediction:
        """The prediction of a user's message or of the bot's answer to it; else NotFoundError."""
        prediction = await self._sql(self._store.find_prediction, chat_id, message_id)
        if prediction is None:
            raise NotFoundError(f"message {message_id} has no prediction")
        return prediction

    async def get(self, prediction_id: int, chat_id: int) -> Prediction:
        """The prediction with an id; NotFoundError if there is none or it is another chat's."""
        return await self._sql(self._store.get_prediction, prediction_id, chat_id)

    async def correct(self, user_id: int, prediction_id: int, label: Label) -> Correction:
        """Make `label` the user's word on a prediction; NotFoundError for an unknown one."""
        correction = await self._sql(self._store.correct, user_id, prediction_id, label)
        self.telemetry.corrected()
        return correction

    async def consent(self, user_id: int) -> Consent:
        """A user's word on training; UNASKED for a stranger."""
        return await self._sql(self._store.consent, user_id)

    async def set_consent(self, user_id: int, granted: bool) -> None:
        """Store a user's word on training."""
        await self._sql(self._store.set_consent, user_id, granted)

    async def review_queue(self) -> list[ReviewItem]:
        """The corrections that wait for an admin, oldest first."""
        return await self._sql(self._store.review_queue, train_on_forwards=self._train_on_forwards)

    async def review(self, admin_id: int, correction_id: int, *, accept: bool) -> bool:
        """Accept or reject a correction for an admin; False when it does not wait any more."""
        return await self._sql(
            self._store.review,
            admin_id,
            correction_id,
            accept=accept,
            train_on_forwards=self._train_on_forwards,
        )

    async def stats(self) -> Stats:
        """The statistics of everything stored."""
        return await self._sql(self._store.stats, train_on_forwards=self._train_on_forwards)

    async def model(self) -> ModelInfo:
        """Which version answers and which one should."""
        registry = self._registry
        serving = await self._sql(registry.serving) if registry else None
        return ModelInfo(self._classifier.version, is_pinned=registry is None, serving=serving)

    async def roll_back(self, from_activation: int) -> ModelVersion:
        """Undo the last activation, which must be this one, on an admin's word.

        Raises VersionError when it is not or there is none before it, ModelError when the version
        before is damaged.
        """
        if self._registry is None:
            raise VersionError("TWEETSENT_ADAPTER names the adapter: there is none to go back to")
        return await self._sql(
            self._registry.rollback, ActivatedBy.ADMIN, from_activation=from_activation
        )

    async def inbox_add(self, updates: list[tuple[int, int | None, str]]) -> None:
        """Store (update id, chat id, JSON) triples, on disk when this returns; see `Inbox`."""
        await self._sql(self._store.inbox.add, updates)

    async def inbox_pending(self, per_chat: int) -> list[PendingUpdate]:
        """The first few updates of each chat that are neither done nor failed, in order."""
        return await self._sql(self._store.inbox.pending, per_chat)

    async def inbox_done(self, update_id: int) -> None:
        """Delete an update that was handled."""
        await self._sql(self._store.inbox.done, update_id)

    async def inbox_put_off(self, update_id: int, error: str) -> None:
        """Note that handling an update failed, and keep it for another try."""
        await self._sql(self._store.inbox.put_off, update_id, error)

    async def inbox_failed(self, update_id: int, error: str) -> None:
        """Give an update up, for good."""
        await self._sql(self._store.inbox.failed, update_id, error)

    async def close(self) -> None:
        """Finish the SQL that was begun and close the database."""
        await asyncio.to_thread(self._sql_thread.shutdown)
        self._store.close()

    async def _sql(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._sql_thread, partial(call, *args, **kwargs))
