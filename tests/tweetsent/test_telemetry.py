"""What a process counts and times."""

import time

import pytest

from tweetsent import telemetry
from tweetsent.telemetry import Latency, Telemetry


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock; its only item is the time."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_nothing_yet() -> None:
    numbers = Telemetry()

    assert numbers.message_latency is None
    assert numbers.classification_latency is None
    assert numbers.contact_age_seconds is None
    assert numbers.queue == 0


@pytest.mark.parametrize(
    ("count", "half", "most"), [(1, 1, 1), (2, 1, 2), (20, 10, 19), (21, 11, 20), (100, 50, 95)]
)
def test_percentiles_are_times_that_occurred(count: int, half: int, most: int) -> None:
    numbers = Telemetry()
    for seconds in range(count, 0, -1):
        numbers.classified(seconds)

    assert numbers.classification_latency == Latency(half, most)


def test_percentiles_are_those_of_the_last_hour(clock: list[float]) -> None:
    numbers = Telemetry()
    numbers.classified(9.0)
    clock[0] += 3000
    numbers.classified(1.0)
    clock[0] += 1000

    assert numbers.classification_latency == Latency(1.0, 1.0)
    clock[0] += 3000
    assert numbers.classification_latency is None
    assert numbers.uptime_seconds == 7000


def test_old_times_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_KEPT_TIMES", 3)
    numbers = Telemetry()
    for seconds in (9.0, 1.0, 2.0, 3.0):
        numbers.classified(seconds)

    assert numbers.classification_latency == Latency(2.0, 3.0)


def test_failures_and_presses_are_no_answered_messages() -> None:
    numbers = Telemetry()
    numbers.handled("message", 5.0, "StoreError")
    numbers.handled("callback_query", 4.0, None)
    assert numbers.message_latency is None
    numbers.handled("message", 1.0, None)
    assert numbers.message_latency == Latency(1.0, 1.0)


def test_the_age_of_the_last_contact(clock: list[float]) -> None:
    numbers = Telemetry()
    numbers.contact()
    clock[0] += 5

    assert numbers.contact_age_seconds == 5


def test_the_exposition_names_only_the_model_that_answers_now() -> None:
    numbers = Telemetry()
    numbers.exposition("a-1", model_answers=True)
    text = numbers.exposition("b-2", model_answers=True).decode()

    assert 'tweetsent_model_info{version="b-2"} 1.0' in text
    assert "a-1" not in text


def test_two_services_of_a_process_count_apart() -> None:
    one, other = Telemetry(), Telemetry()
    one.corrected()

    assert "tweetsent_corrections_total 1.0" in one.exposition("v", model_answers=True).decode()
    assert "tweetsent_corrections_total 0.0" in other.exposition("v", model_answers=True).decode()
