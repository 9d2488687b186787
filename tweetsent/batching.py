"""Lets many coroutines share one classifier: what waits together is classified together.

The model runs in one thread of its own, never on the event loop.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tweetsent.classifier import Classifier
from tweetsent.labels import Scores

_MAX_BATCH = 64


class BatchingClassifier:
    """An asynchronous front of a `Classifier`, for one event loop."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._waiting: list[tuple[str, asyncio.Future[Scores]]] = []
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._running: asyncio.Task[None] | None = None
        self.version = classifier.version
        self.prompt_version = classifier.prompt_version

    async def classify(self, text: str) -> Scores:
        """The scores of one text; raises what the classifier raises."""
        future: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, future))
        if self._running is None:
            self._running = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        # While one batch runs the next one gathers, so waiting for company would only add delay.
        while self._waiting:
            batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
            texts = [text for text, _ in batch]
            try:
                scores = await loop.run_in_executor(self._worker, self._classifier.classify, texts)
            except Exception as error:  # noqa: BLE001 - each caller gets it raised
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), score in zip(batch, scores, strict=True):
                    if not future.done():
                        future.set_result(score)
        self._running = None

    def close(self) -> None:
        """Wait for the batch that runs and end the thread."""
        self._worker.shutdown()
