"""Lets many coroutines share one classifier: what waits together is classified together.

The model, and the tokenizer with it, runs in one thread of its own, never on the event loop. All
else here belongs to the loop.
"""

import asyncio
import gc
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from typing import TypeVar

from tweetsent.classifier import Classifier
from tweetsent.errors import NoAnswerError, QueueFullError
from tweetsent.records import Scored

MOST_WAITING = 1000
"""How many texts may wait: all parts of the longest messages of all chats served at once."""
STUCK_SECONDS = 60.0
"""How long a batch may take; the slowest machine needs some seconds."""
_BATCH_TOKENS = {"cpu": 256, "cuda": 8192}
"""What a batch may hold. Two quiet cores need a third of a second for it, and are no faster in
larger ones; a GPU still is."""
_TEXT_TOKENS = 32
"""Of a usual text: so many of them as would fit are tokenised for a batch."""
PROBE = "Bugün hava çok güzel."
"""What a model must be able to score before it serves."""

T = TypeVar("T")
_Request = tuple[str, asyncio.Future[Scored]]


class BatchingClassifier:
    """An asynchronous front of a `Classifier`, for one event loop."""

    def __init__(self, classifier: Classifier, *, remembered: int = 1000) -> None:
        """`remembered` answers are kept for whoever sends the same text again."""
        self._classifier = classifier
        self._waiting: list[_Request] = []
        self._working: asyncio.Task[None] | None = None
        self._recent = _Recent(remembered)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        # Who has the turn has the thread. Turns are given in the order in which they were asked
        # for, and of all files one asks at a time: a message waits for one batch of them at most.
        self._turn = asyncio.Lock()
        self._background = asyncio.Lock()
        self._busy_since: float | None = None
        self._stuck_since: float | None = None

    @property
    def version(self) -> str:
        """The version of the classifier in use; only `classify` says which one scored a text."""
        return self._classifier.version

    @property
    def is_stuck(self) -> bool:
        """Whether the model has been at one batch for so long that it won't answer any more."""
        return self._stuck_since is not None and self._stuck_since == self._busy_since

    async def classify(self, text: str) -> Scored:
        """The scores of one text; a caller that is cancelled in time costs the model nothing.

        Raises what the classifier raises, QueueFullError when too many wait, NoAnswerError when the
        classifier hangs.
        """
        if known := self._recent.get(self.version, text):
            return known
        if len(self._waiting) >= MOST_WAITING:
            raise QueueFullError(f"{MOST_WAITING} texts wait for the model")
        future: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        scored = await future
        self._recent.add(text, scored)
        return scored

    async def classify_all(self, texts: Collection[str]) -> AsyncIterator[dict[str, Scored]]:
        """The scores of many texts, some at a time, behind those that `classify` waits for.

        Each different text is scored once, short ones first; several callers take turns. Nothing
        is remembered: a file would push out what people write. Raises as `classify`.
        """
        rest = sorted(set(texts), key=lambda text: (len(text), text))
        while rest:
            async with self._background, self._turn:
                sequences = await self._encode(rest[: self._most_texts])
                results = await self._score(sequences)
            yield dict(zip(rest, results, strict=False))
            rest = rest[len(results) :]

    async def swap(self, classifier: Classifier) -> None:
        """Use another classifier from the next batch on; the old one is let go when this returns.

        No text is lost. Raises what the new one raises when it can't score a text, and then the old
        one stays; RuntimeError after `close`.
        """
        async with self._turn:
            await self._in_thread(partial(classifier.classify, [PROBE]))
            self._classifier = classifier
            if classifier.device.type == "cuda":
                await self._in_thread(gc.collect)  # the old one's compiled layers hang in cycles

    async def _work(self) -> None:
        # A task begins when all that runs now has asked, and while one batch runs the next one
        # gathers. To wait some more milliseconds would delay each text of a quiet bot, and all but
        # the first texts of a busy one have company anyway.
        while self._waiting:
            async with self._turn:
                await self._answer_some()
        self._working = None

    async def _answer_some(self) -> None:
        # Only now, so that who came or gave up while another batch ran is counted.
        waiting = [request for request in self._waiting if not request[1].done()]
        batch, self._waiting = waiting[: self._most_texts], waiting[self._most_texts :]
        if not batch:
            return
        try:
            sequences = await self._encode([text for text, _ in batch])
            batch, self._waiting[:0] = batch[: len(sequences)], batch[len(sequences) :]
            results = await self._score(sequences)
        except Exception as error:  # noqa: BLE001 - each caller gets it raised
            if isinstance(error, NoAnswerError):  # nobody else would get one
                batch, self._waiting = batch + self._waiting, []
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    @property
    def _budget(self) -> int:
        return _BATCH_TOKENS[self._classifier.device.type]

    @property
    def _most_texts(self) -> int:
        return self._budget // _TEXT_TOKENS

    async def _encode(self, texts: list[str]) -> list[list[int]]:
        """The tokens of the first texts, as many as fit into a batch: one always does."""
        sequences = await self._in_thread(partial(self._classifier.encode, texts))
        ends = accumulate(map(len, sequences))
        fitting = sum(end <= self._budget for end in ends)
        return sequences[: max(1, fitting)]

    async def _score(self, sequences: list[list[int]]) -> list[Scored]:
        classifier = self._classifier
        scores = await self._in_thread(partial(classifier.classify_encoded, sequences))
        return [Scored(one, classifier.version, classifier.prompt_version) for one in scores]

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if self.is_stuck:
            raise NoAnswerError("the model hangs")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                return await loop.run_in_executor(self._thread, self._timed, call)
        except TimeoutError:
            self._stuck_since = self._busy_since
            raise NoAnswerError(f"the model gave no answer in {STUCK_SECONDS:g} s") from None

    def _timed(self, call: Callable[[], T]) -> T:
        self._busy_since = time.monotonic()
        try:
            return call()
        finally:
            self._busy_since = None

    def close(self) -> None:
        """Wait for the batch that runs, unless it hangs, and end the thread."""
        self._thread.shutdown(wait=not self.is_stuck)


class _Recent:
    """The last answers, by version and text; of a text no more than a keyed hash is kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._key = secrets.token_bytes(32)
        self._answers: OrderedDict[tuple[str, bytes], Scored] = OrderedDict()

    def get(self, version: str, text: str) -> Scored | None:
        """The answer of a version to a text, if it is among the last ones."""
        key = version, self._hash(text)
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def add(self, text: str, scored: Scored) -> None:
        """Keep an answer, in place of the one that was not asked for the longest."""
        self._answers[scored.model_version, self._hash(text)] = scored
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)

    def _hash(self, text: str) -> bytes:
        return hashlib.blake2b(
            text.encode(errors="replace"), key=self._key, digest_size=16
        ).digest()
