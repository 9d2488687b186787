"""Lets many coroutines share one classifier: what waits together is classified together.

The model runs in one thread of its own, never on the event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor

from tweetsent.classifier import Classifier
from tweetsent.records import Scored

_MAX_BATCH = 64
# What a message may have to wait for when it comes while a file is in work.
_BACKGROUND_TEXTS = 8
_BACKGROUND_CHARS = 2_000  # with the padding
PROBE = "Bugün hava çok güzel."
"""What a model must be able to score before it serves."""


class BatchingClassifier:
    """An asynchronous front of a `Classifier`, for one event loop."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._waiting: list[tuple[str, asyncio.Future[Scored]]] = []
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._running: asyncio.Task[None] | None = None
        self._background = asyncio.Lock()

    @property
    def version(self) -> str:
        """The version of the classifier in use; only `classify` says which one scored a text."""
        return self._classifier.version

    async def classify(self, text: str) -> Scored:
        """The scores of one text; raises what the classifier raises."""
        future: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, future))
        if self._running is None:
            self._running = asyncio.create_task(self._work())
        return await future

    async def classify_all(self, texts: Collection[str]) -> AsyncIterator[dict[str, Scored]]:
        """The scores of many texts, some at a time, behind those that `classify` waits for.

        Each different text is scored once, short ones first; several callers take turns. Raises
        what the classifier raises.
        """
        loop = asyncio.get_running_loop()
        for batch in _small_batches(texts):
            # One at a time waits for the thread, so a message has no more than one before it.
            async with self._background:
                results = await loop.run_in_executor(self._worker, self._score, batch)
            yield dict(zip(batch, results, strict=True))

    async def swap(self, classifier: Classifier) -> None:
        """Use another classifier from the next batch on; the old one is let go when this returns.

        No text is lost. Raises what the new one raises when it can't score a text, and then the old
        one stays; RuntimeError after `close`.
        """
        await asyncio.get_running_loop().run_in_executor(self._worker, self._use, classifier)

    def _use(self, classifier: Classifier) -> None:
        # In the thread that scores, hence never in the middle of a batch.
        classifier.classify([PROBE])
        self._classifier = classifier

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        # While one batch runs the next one gathers, so waiting for company would only add delay.
        while self._waiting:
            batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
            texts = [text for text, _ in batch]
            try:
                results = await loop.run_in_executor(self._worker, self._score, texts)
            except Exception as error:  # noqa: BLE001 - each caller gets it raised
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
        self._running = None

    def _score(self, texts: list[str]) -> list[Scored]:
        classifier = self._classifier
        return [
            Scored(scores, classifier.version, classifier.prompt_version)
            for scores in classifier.classify(texts)
        ]

    def close(self) -> None:
        """Wait for the batch that runs and end the thread."""
        self._worker.shutdown()


def _small_batches(texts: Collection[str]) -> list[list[str]]:
    """The different texts in batches of about one length, each quick to score."""
    batches: list[list[str]] = []
    for text in sorted(set(texts), key=lambda text: (len(text), text)):
        # The last one is the longest, which all are padded to.
        size = len(batches[-1]) + 1 if batches else 0
        if not 0 < size <= _BACKGROUND_TEXTS or size * len(text) > _BACKGROUND_CHARS:
            batches.append([])
        batches[-1].append(text)
    return batches
