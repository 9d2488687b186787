"""Many coroutines, one model: who shares a batch, who gets which answer, who gets the error."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
import torch

from tweetsent import batching as module
from tweetsent.batching import PROBE, BatchingClassifier
from tweetsent.classifier import Classifier, load_from
from tweetsent.errors import ModelError, NoAnswerError, QueueFullError
from tweetsent.labels import Scores
from tweetsent.model import BaseModel, choose_device
from tweetsent.records import Scored


class CountingClassifier:
    """Answers with the number in the text; "bozuk" is an error; each batch waits for `go`.

    A text has as many tokens as characters, but no less than an eighth of a batch.
    """

    version = "sayan-1"
    prompt_version = "p1"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self.started = threading.Event()
        self.go = threading.Event()

    def encode(self, texts: list[str]) -> list[list[int]]:
        self.threads.add(threading.get_ident())
        return [[ord(char) for char in text.rjust(32)] for text in texts]

    def classify_encoded(self, sequences: list[list[int]]) -> list[Scores]:
        texts = ["".join(map(chr, sequence)).strip() for sequence in sequences]
        self.batches.append(texts)
        self.threads.add(threading.get_ident())
        self.started.set()
        assert self.go.wait(60)
        if "bozuk" in texts:
            raise ModelError("the weights are gone")
        return [scores_of(int(text)) for text in texts]

    def classify(self, texts: list[str]) -> list[Scores]:
        assert texts == [PROBE]
        return [scores_of(0)]

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


def scores_of(number: int) -> Scores:
    return Scores(number / 1000, 0.0, 1 - number / 1000)


def scored(number: int, version: str = "sayan-1") -> Scored:
    return Scored(scores_of(number), version, "p1")


@pytest.fixture
def counting() -> CountingClassifier:
    return CountingClassifier()


def run(classifier: Any, talk: Any, **options: int) -> Any:
    """What `talk(batching)` returns, with the batching closed afterwards."""

    async def main() -> Any:
        batching = BatchingClassifier(classifier, **options)
        try:
            return await asyncio.wait_for(talk(batching), 60)  # a lost caller waits for ever
        finally:
            batching.close()

    return asyncio.run(main())


async def started(counting: CountingClassifier) -> None:
    """Until the model works on a batch; the loop stays free meanwhile."""
    while not counting.started.is_set():
        await asyncio.sleep(0.001)


def in_background(*calls: Coroutine[Any, Any, Scored]) -> list[asyncio.Task[Scored]]:
    return [asyncio.create_task(call) for call in calls]


def test_what_waits_together_is_classified_together(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> None:
        first = in_background(batching.classify("0"))
        await started(counting)
        rest = in_background(*(batching.classify(str(number)) for number in range(1, 9)))
        await asyncio.sleep(0)
        counting.go.set()
        await asyncio.gather(*first, *rest)

    run(counting, talk)

    assert counting.sizes == [1, 8]


def test_callers_of_one_moment_share_a_batch_of_an_idle_model(
    counting: CountingClassifier,
) -> None:
    counting.go.set()

    run(counting, lambda batching: asyncio.gather(*map(batching.classify, "1234")))

    assert counting.batches == [["1", "2", "3", "4"]]


def test_a_batch_holds_so_many_tokens_and_keeps_the_order(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> list[Scored]:
        counting.go.set()
        return await asyncio.gather(*(batching.classify(str(number)) for number in range(50)))

    answers = run(counting, talk)

    assert counting.sizes == [8] * 6 + [2]
    assert [text for batch in counting.batches for text in batch] == [str(n) for n in range(50)]
    assert answers == [scored(number) for number in range(50)]


def test_long_texts_make_small_batches_and_one_of_any_length_fits(
    counting: CountingClassifier,
) -> None:
    texts = ["1", "2".zfill(150), "3".zfill(150), "4".zfill(4_000), "5", "6"]

    async def talk(batching: BatchingClassifier) -> list[Scored]:
        counting.go.set()
        return await asyncio.gather(*map(batching.classify, texts))

    assert run(counting, talk) == [scored(number) for number in range(1, 7)]
    assert counting.batches == [texts[:2], texts[2:3], texts[3:4], texts[4:]]


def test_a_gpu_gets_larger_batches(counting: CountingClassifier) -> None:
    counting.device = torch.device("cuda")
    counting.go.set()

    run(counting, lambda batching: asyncio.gather(*map(batching.classify, map(str, range(200)))))

    assert counting.sizes == [200]


def test_every_caller_gets_its_own_answer(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> list[Scored]:
        async def later(number: int) -> Scored:
            await asyncio.sleep(number % 3 / 1000)
            return await batching.classify(str(number))

        counting.go.set()
        return await asyncio.gather(*(later(number) for number in range(100)))

    assert run(counting, talk) == [scored(number) for number in range(100)]


def test_an_error_reaches_all_of_its_batch_and_no_other(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> list[Any]:
        first = in_background(batching.classify("1"))
        await started(counting)
        bad = in_background(*(batching.classify(text) for text in ("2", "bozuk", "3")))
        await asyncio.sleep(0)
        counting.go.set()
        answers = await asyncio.gather(*first, *bad, return_exceptions=True)
        return [*answers, await batching.classify("4")]

    one, *failed, four = run(counting, talk)

    assert counting.batches == [["1"], ["2", "bozuk", "3"], ["4"]]
    assert (one, four) == (scored(1), scored(4))
    assert [(type(error), str(error)) for error in failed] == [
        (ModelError, "the weights are gone")
    ] * 3


def test_who_gives_up_before_the_batch_is_left_out_of_it(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> list[Any]:
        running = in_background(batching.classify("1"))
        await started(counting)
        impatient, patient = in_background(batching.classify("2"), batching.classify("3"))
        await asyncio.sleep(0)
        running[0].cancel()
        impatient.cancel()
        await asyncio.sleep(0)
        counting.go.set()
        answers = await asyncio.gather(running[0], impatient, patient, return_exceptions=True)
        return [*answers, await batching.classify("4")]

    first, second, third, fourth = run(counting, talk)

    assert counting.batches == [["1"], ["3"], ["4"]]
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(second, asyncio.CancelledError)
    assert third == scored(3)
    assert fourth == scored(4)


def test_the_model_works_in_one_thread_that_is_not_the_loops(
    counting: CountingClassifier,
) -> None:
    async def talk(batching: BatchingClassifier) -> None:
        waiting = in_background(batching.classify("1"))
        # The model holds its thread until the loop, which must be free for that, lets it go.
        await started(counting)
        counting.go.set()
        await asyncio.gather(*waiting)
        await batching.classify("2")

    run(counting, talk)

    assert len(counting.threads) == 1
    assert threading.get_ident() not in counting.threads


def test_after_closing_a_call_fails_instead_of_waiting(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> None:
        batching.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            await batching.classify("1")

    run(counting, talk)


def test_a_swap_waits_for_the_batch_that_runs_and_loses_no_text(
    counting: CountingClassifier,
) -> None:
    other = CountingClassifier()
    other.version = "sayan-2"
    other.go.set()

    async def talk(batching: BatchingClassifier) -> tuple[list[Scored], str]:
        running = in_background(batching.classify("1"))
        await started(counting)
        swap = asyncio.create_task(batching.swap(other))
        await asyncio.sleep(0.01)
        waiting = in_background(batching.classify("2"), batching.classify("3"))
        await asyncio.sleep(0.01)
        assert (swap.done(), batching.version) == (False, "sayan-1")
        counting.go.set()
        answers = await asyncio.gather(*running, *waiting)
        await swap
        return answers, batching.version

    answers, version = run(counting, talk)

    assert answers == [scored(1), scored(2, "sayan-2"), scored(3, "sayan-2")]
    assert version == "sayan-2"
    assert (counting.sizes, other.sizes) == ([1], [2])


def test_after_closing_a_swap_fails(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> None:
        batching.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            await batching.swap(counting)

    run(counting, talk)


def test_a_real_model_answers_as_without_batching(tiny_base: BaseModel) -> None:
    classifier: Classifier = load_from(tiny_base, None, choose_device("cpu"))
    texts = [f"{number}. film çok güzeldi" for number in range(20)]

    async def talk(batching: BatchingClassifier) -> list[Scored]:
        return await asyncio.gather(*(batching.classify(text) for text in texts))

    answers = run(classifier, talk)

    assert [answer.scores for answer in answers] == classifier.classify(texts)
    assert {answer.model_version for answer in answers} == {classifier.version}
    assert len(set(answers)) == len(texts)


async def collected(batching: BatchingClassifier, texts: list[str]) -> dict[str, Scored]:
    found = {}
    async for part in batching.classify_all(texts):
        found.update(part)
    return found


def test_many_texts_are_scored_once_each_in_small_batches(counting: CountingClassifier) -> None:
    counting.go.set()
    texts = [str(number % 20) for number in range(100)]

    found = run(counting, lambda batching: collected(batching, texts))

    assert found == {str(number): scored(number) for number in range(20)}
    assert counting.sizes == [8, 8, 4]


def test_long_texts_come_in_smaller_batches_last(counting: CountingClassifier) -> None:
    counting.go.set()
    texts = [f"{number:0{width}}" for number in range(3) for width in (100, 4_000, 10)]

    run(counting, lambda batching: collected(batching, texts))

    assert [[len(text) for text in batch] for batch in counting.batches] == [
        *([10, 10, 10, 100], [100, 100], [4_000], [4_000], [4_000])
    ]


def test_a_message_waits_for_one_small_batch_of_all_files_at_most(
    counting: CountingClassifier,
) -> None:
    async def talk(batching: BatchingClassifier) -> None:
        files = [
            asyncio.create_task(collected(batching, [str(n) for n in range(start, start + 100)]))
            for start in (100, 200, 300)
        ]
        await started(counting)
        await asyncio.sleep(0.01)
        message = asyncio.create_task(batching.classify("7"))
        await asyncio.sleep(0)
        counting.go.set()
        await message
        assert not any(file.done() for file in files)
        await asyncio.gather(*files)

    run(counting, talk)

    assert counting.batches[1] == ["7"]
    turns = [batch[0][0] for batch in counting.batches if batch != ["7"]]
    assert turns[:6] == ["1", "2", "3"] * 2


def test_a_file_that_is_cancelled_stops_and_leaves_the_way_free(
    counting: CountingClassifier,
) -> None:
    async def talk(batching: BatchingClassifier) -> Scored:
        file = asyncio.create_task(collected(batching, [str(number) for number in range(100)]))
        await started(counting)
        file.cancel()
        await asyncio.wait([file])
        counting.go.set()
        assert await collected(batching, ["5"]) == {"5": scored(5)}
        return await batching.classify("7")

    assert run(counting, talk) == scored(7)
    assert counting.sizes == [8, 1, 1]


def test_an_error_in_a_file_is_raised_and_messages_go_on(counting: CountingClassifier) -> None:
    async def talk(batching: BatchingClassifier) -> Scored:
        counting.go.set()
        with pytest.raises(ModelError):
            await collected(batching, ["1", "bozuk"])
        return await batching.classify("7")

    assert run(counting, talk) == scored(7)


def test_who_comes_while_a_file_has_the_model_shares_the_next_batch(
    counting: CountingClassifier,
) -> None:
    async def talk(batching: BatchingClassifier) -> None:
        file = asyncio.create_task(collected(batching, [str(n) for n in range(100, 120)]))
        await started(counting)
        early = in_background(batching.classify("1"), batching.classify("2"))
        await asyncio.sleep(0.01)
        early[1].cancel()
        late = in_background(batching.classify("3"))
        await asyncio.sleep(0.01)
        counting.go.set()
        await asyncio.gather(early[0], *late, file)

    run(counting, talk)

    assert counting.batches[1] == ["1", "3"]


def test_a_text_that_comes_again_is_not_scored_again(counting: CountingClassifier) -> None:
    other = CountingClassifier()
    other.version = "sayan-2"

    async def talk(batching: BatchingClassifier) -> list[Scored]:
        counting.go.set()
        other.go.set()
        answers = [await batching.classify(text) for text in ("1", "2", "1")]
        await collected(batching, ["1", "3"])
        answers.append(await batching.classify("3"))
        await batching.swap(other)
        return [*answers, await batching.classify("1")]

    answers = run(counting, talk)

    assert answers == [scored(1), scored(2), scored(1), scored(3), scored(1, "sayan-2")]
    # A file neither asks what is remembered nor adds to it.
    assert counting.batches == [["1"], ["2"], ["1", "3"], ["3"]]
    assert other.batches == [["1"]]


def test_the_answers_not_asked_for_the_longest_are_forgotten(
    counting: CountingClassifier,
) -> None:
    async def talk(batching: BatchingClassifier) -> None:
        counting.go.set()
        for text in ("1", "2", "1", "3", "1", "2"):
            await batching.classify(text)

    run(counting, talk, remembered=2)

    assert counting.batches == [["1"], ["2"], ["3"], ["2"]]


def test_no_more_texts_wait_than_the_bound(
    counting: CountingClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)

    async def talk(batching: BatchingClassifier) -> list[Any]:
        running = in_background(batching.classify("1"))
        await started(counting)
        waiting = in_background(*map(batching.classify, "2345"))
        await asyncio.sleep(0)
        counting.go.set()
        answers = await asyncio.gather(*running, *waiting, return_exceptions=True)
        return [*answers, await batching.classify("5")]

    *taken, refused, again = run(counting, talk)

    assert taken == [scored(number) for number in (1, 2, 3, 4)]
    assert isinstance(refused, QueueFullError)
    assert again == scored(5)


@pytest.mark.parametrize("is_file", [False, True])
def test_a_model_that_hangs_is_an_error_for_all_until_it_comes_back(
    counting: CountingClassifier, monkeypatch: pytest.MonkeyPatch, is_file: bool
) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.3)

    async def talk(batching: BatchingClassifier) -> None:
        first = asyncio.create_task(
            collected(batching, ["1"]) if is_file else batching.classify("1")  # type: ignore[arg-type]
        )
        await started(counting)
        waiting = in_background(*(batching.classify(str(number)) for number in range(2, 40)))
        errors = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert {type(error) for error in errors} == {NoAnswerError}
        assert batching.is_stuck

        monkeypatch.setattr(module, "STUCK_SECONDS", 600)  # from now on nobody waits for it
        for call in (batching.classify("2"), collected(batching, ["3"]), batching.swap(counting)):
            with pytest.raises(NoAnswerError):
                await call

        counting.go.set()
        while batching.is_stuck:
            await asyncio.sleep(0.001)
        assert await batching.classify("2") == scored(2)

    run(counting, talk)

    assert counting.batches == [["1"], ["2"]]


def test_closing_does_not_wait_for_a_model_that_hangs(
    counting: CountingClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.1)

    async def talk(batching: BatchingClassifier) -> None:
        with pytest.raises(NoAnswerError):
            await batching.classify("1")
        batching.close()  # or else this test would end by the model's own patience, in an error
        assert batching.is_stuck

    run(counting, talk)
    counting.go.set()
