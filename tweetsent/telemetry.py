"""What one process counts and times while it runs: the source of `/metrics`, `/health`, `/saglik`.

Labels are kinds and versions, never people: no ids, no texts. Nothing here outlives the process.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

_HOUR_SECONDS = 3600.0
_KEPT_TIMES = 10_000
_BUCKETS_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in seconds."""

    p50: float
    p95: float


class Telemetry:
    """The numbers of one process; not for use from several threads."""

    def __init__(self) -> None:
        self._started_at = time.monotonic()
        self._contact_at: float | None = None
        self._queue: Callable[[], int] = lambda: 0
        self.can_store = True
        """Whether the newest updates could be stored; Telegram brings those again that couldn't."""
        self._classifications = _LastHour()
        self._answers = _LastHour()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._updates_total = self._counter("updates", "Updates handled, by kind.", "kind")
        self._answers_total = self._counter("answers", "Messages answered with a sentiment.")
        self._corrections_total = self._counter("corrections", "Corrections by users.")
        self._errors_total = self._counter("errors", "Tries to handle an update, failed.", "kind")
        self._classification_seconds = self._histogram(
            "classification_seconds", "From a cleaned text to its scores, waiting included."
        )
        self._update_seconds = self._histogram(
            "update_seconds", "From taking up an update to the end of its handling.", "kind"
        )
        Gauge(
            "tweetsent_queue_length", "Updates that wait or are in work.", registry=self._registry
        ).set_function(lambda: self.queue)
        self._model_answers = Gauge(
            "tweetsent_model_answers", "1, or 0 while the model hangs.", registry=self._registry
        )
        self._model = Info("tweetsent_model", "What answers.", registry=self._registry)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Ask this function, from now on, how many updates wait or are in work."""
        self._queue = length

    def contact(self) -> None:
        """Telegram answered a question for updates, or sent one."""
        self._contact_at = time.monotonic()

    def classified(self, seconds: float) -> None:
        """A text was scored."""
        self._classification_seconds.observe(seconds)
        self._classifications.add(seconds)

    def handled(self, kind: str, seconds: float, error: str | None) -> None:
        """An update was handled, or failed with an error of this kind."""
        if error is not None:
            self._errors_total.labels(error).inc()
            return
        self._updates_total.labels(kind).inc()
        self._update_seconds.labels(kind).observe(seconds)
        if kind == "message":
            self._answers.add(seconds)

    def answered(self) -> None:
        """A message has its sentiment as a reply."""
        self._answers_total.inc()

    def corrected(self) -> None:
        """A user said what is right."""
        self._corrections_total.inc()

    @property
    def queue(self) -> int:
        """Updates that wait or are in work."""
        return self._queue()

    @property
    def contact_age_seconds(self) -> float | None:
        """How long ago Telegram was last heard of; None before the first time."""
        return None if self._contact_at is None else time.monotonic() - self._contact_at

    @property
    def uptime_seconds(self) -> float:
        """The age of this object, which is made when the process starts."""
        return time.monotonic() - self._started_at

    @property
    def classification_latency(self) -> Latency | None:
        """Of the last hour's texts; None without any."""
        return self._classifications.latency()

    @property
    def message_latency(self) -> Latency | None:
        """Of the last hour's messages, to the end of their handling; None without any."""
        return self._answers.latency()

    def exposition(self, model_version: str, *, model_answers: bool) -> bytes:
        """Everything in Prometheus' text format."""
        self._model_answers.set(model_answers)
        self._model.info({"version": model_version})
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"tweetsent_{name}", meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(
            f"tweetsent_{name}", meaning, labels, registry=self._registry, buckets=_BUCKETS_SECONDS
        )


class _LastHour:
    """The times of the last hour, or the newest of them where there are very many."""

    def __init__(self) -> None:
        self._times: deque[tuple[float, float]] = deque(maxlen=_KEPT_TIMES)

    def add(self, seconds: float) -> None:
        self._times.append((time.monotonic(), seconds))

    def latency(self) -> Latency | None:
        since = time.monotonic() - _HOUR_SECONDS
        seconds = sorted(length for at, length in self._times if at >= since)
        if not seconds:
            return None
        # The smallest one that at least this share of all do not exceed.
        half, most = ((len(seconds) * share + 99) // 100 - 1 for share in (50, 95))
        return Latency(seconds[half], seconds[most])
