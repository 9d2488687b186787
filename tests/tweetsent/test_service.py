import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, QueuePool, event, text

from tests.tweetsent.adapters import make_adapter
from tweetsent.errors import (
    ModelError,
    NotFoundError,
    NoWordsError,
    OnlyLinksError,
    OnlyTweetLinkError,
    StoreError,
    VersionError,
)
from tweetsent.labels import Label, Scores
from tweetsent.records import ActivatedBy, Analysis, Consent, Incoming, Outcome, Prediction, Scored
from tweetsent.registry import Registry
from tweetsent.service import SentimentService
from tweetsent.store import Store

NEGATIVE, POSITIVE = Label.NEGATIVE, Label.POSITIVE


class WordClassifier:
    """Positive when the text says "güzel", else negative."""

    version = "words-1"

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.during: Callable[[], None] = lambda: None

    async def classify(self, text: str) -> Scored:
        self.seen.append(text)
        await asyncio.sleep(0.01)
        self.during()
        scores = Scores(0.1, 0.1, 0.8) if "güzel" in text else Scores(0.8, 0.1, 0.1)
        return Scored(scores, self.version, "p1")


@pytest.fixture
def classifier() -> WordClassifier:
    return WordClassifier()


@pytest.fixture
def service(store: Store, classifier: WordClassifier) -> SentimentService:
    return SentimentService(store, classifier)


def run(service: SentimentService, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def work_and_close() -> Any:
        try:
            return await work()
        finally:
            await service.close()

    return asyncio.run(work_and_close())


def incoming(words: str, message_id: int = 5, chat_id: int = 1) -> Incoming:
    return Incoming(user_id=1, chat_id=chat_id, message_id=message_id, text=words)


def test_a_message_is_cleaned_classified_and_stored(
    service: SentimentService, classifier: WordClassifier
) -> None:
    async def work() -> tuple[Prediction, Prediction]:
        made = (await service.analyse(incoming("  çok\t gu\u0308zel\x00\ud83d "))).prediction
        return made, await service.get(made.id, chat_id=1)

    made, stored = run(service, work)
    assert made == stored
    assert classifier.seen == [made.text] == ["çok güzel?"]
    assert (made.scores.label, made.model_version) == (Label.POSITIVE, "words-1")
    assert made.latency_ms >= 10


@pytest.mark.parametrize("words", ["", " \x00 ", "😊", "@ali 12"])
def test_a_text_without_words_is_not_classified(
    service: SentimentService, classifier: WordClassifier, words: str
) -> None:
    with pytest.raises(NoWordsError):
        run(service, lambda: service.analyse(incoming(words)))
    assert classifier.seen == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("@ali https://x.com/veli/status/1 😂", OnlyTweetLinkError),
        ("https://example.com/haber", OnlyLinksError),
    ],
)
def test_links_alone_are_not_classified(
    service: SentimentService, classifier: WordClassifier, words: str, error: type[NoWordsError]
) -> None:
    with pytest.raises(NoWordsError) as raised:
        run(service, lambda: service.analyse(incoming(words)))
    assert type(raised.value) is error
    assert classifier.seen == []


LIST = "1. güzel bir yemek\n2. kötü\n3. güzel"


def test_a_list_is_classified_line_by_line_at_once_and_stored_as_one(
    service: SentimentService, classifier: WordClassifier, engine: Engine
) -> None:
    waiting: list[int] = []
    classifier.during = lambda: waiting.append(len(classifier.seen))
    made = run(service, lambda: service.analyse(incoming(LIST)))
    assert classifier.seen == list(made.passages.parts) == ["güzel bir yemek", "kötü", "güzel"]
    assert waiting == [3, 3, 3]
    assert [scores.label for scores in made.scores] == [POSITIVE, NEGATIVE, POSITIVE]
    assert made.prediction.text == "1. güzel bir yemek 2. kötü 3. güzel"
    assert made.prediction.scores.positive == pytest.approx((15 * 0.8 + 4 * 0.1 + 5 * 0.8) / 24)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT parts FROM predictions")).scalars().all() == [3]


def test_two_short_lines_are_classified_as_a_whole_too_which_counts(
    service: SentimentService, classifier: WordClassifier, engine: Engine
) -> None:
    made = run(service, lambda: service.analyse(incoming("çok\ngüzel")))
    assert classifier.seen == ["çok güzel", "çok", "güzel"]
    assert made.prediction.scores.label is POSITIVE
    assert [scores.label for scores in made.scores] == [NEGATIVE, POSITIVE]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT parts FROM predictions")).scalars().all() == [1]


def test_the_parts_of_a_message_seen_before_are_read_again_its_scores_stay(
    service: SentimentService, classifier: WordClassifier
) -> None:
    async def work() -> tuple[Analysis, Analysis]:
        first = await service.analyse(incoming(LIST))
        classifier.version = "words-2"
        return first, await service.analyse(incoming(LIST))

    first, second = run(service, work)
    assert first == second


def test_all_parts_are_scored_by_one_version(
    service: SentimentService, classifier: WordClassifier
) -> None:
    calls = itertools.count(1)

    def swap() -> None:
        if next(calls) == 2:
            classifier.version = "words-2"

    classifier.during = swap
    made = run(service, lambda: service.analyse(incoming(LIST)))
    assert made.prediction.model_version == "words-2"
    assert len(classifier.seen) == 6


def test_what_is_not_turkish_is_classified_and_said_to_be_foreign(
    service: SentimentService,
) -> None:
    async def work() -> list[Analysis]:
        texts = ["The food was great but the service was slow", "Yemek güzeldi ama servis yavaştı"]
        return [await service.analyse(incoming(words, id_)) for id_, words in enumerate(texts, 1)]

    assert [made.is_foreign for made in run(service, work)] == [True, False]


def test_a_message_seen_before_is_not_classified_again(
    service: SentimentService, classifier: WordClassifier
) -> None:
    async def work() -> list[Prediction]:
        return [
            (await service.analyse(incoming(words))).prediction for words in ("güzel", " güzel\n")
        ]

    first, second = run(service, work)
    assert first == second
    assert classifier.seen == ["güzel"]


def test_an_edited_message_keeps_its_prediction_with_another_result(
    service: SentimentService, classifier: WordClassifier
) -> None:
    async def work() -> list[Prediction]:
        made = (await service.analyse(incoming("güzel"))).prediction
        await service.answered(made.id, 6)
        classifier.version = "words-2"
        edit = replace(incoming("kötü"), is_edited=True)
        edited = (await service.analyse(edit)).prediction
        await service.answered(made.id, 6)
        with pytest.raises(NoWordsError):
            await service.analyse(incoming("👍"))
        late = (await service.analyse(incoming("güzel"))).prediction
        assert late.text == "kötü"  # the first text, which arrived after the edit, is no news
        return [made, edited, await service.get(made.id, chat_id=1)]

    made, edited, shown = run(service, work)
    assert (edited.id, edited.text, edited.scores.label) == (made.id, "kötü", Label.NEGATIVE)
    assert (edited.model_version, edited.answer_message_id) == ("words-2", 6)
    assert [one.is_answer_stale for one in (made, edited, shown)] == [False, True, False]


def test_one_part_of_an_album_is_classified(
    service: SentimentService, classifier: WordClassifier
) -> None:
    async def work() -> list[Prediction]:
        parts = [
            replace(incoming(words, message_id, chat_id), album="a")
            for words, message_id, chat_id in (("güzel", 5, 1), ("kötü", 6, 1), ("kötü", 5, 2))
        ]
        return [(await service.analyse(part)).prediction for part in parts]

    first, second, other = run(service, work)
    assert first == second
    assert (first.message_id, other.text) == (5, "kötü")
    assert classifier.seen == ["güzel", "kötü"]


def test_nothing_is_stored_of_a_text_that_is_only_scored(
    service: SentimentService,
) -> None:
    async def work() -> tuple[Scores, int]:
        scores = await service.score("  güzel ")
        return scores, (await service.stats()).predictions

    scores, predictions = run(service, work)
    assert (scores.label, predictions) == (Label.POSITIVE, 0)


def test_one_message_delivered_twice_at_once_gets_one_prediction(
    service: SentimentService,
) -> None:
    async def work() -> list[Analysis]:
        return await asyncio.gather(*(service.analyse(incoming("güzel")) for _ in range(5)))

    assert len({analysis.prediction.id for analysis in run(service, work)}) == 1


def test_no_transaction_is_open_while_the_model_works(
    service: SentimentService, classifier: WordClassifier, engine: Engine
) -> None:
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    in_use: list[int] = []
    classifier.during = lambda: in_use.append(pool.checkedout())
    run(service, lambda: service.analyse(incoming("güzel")))
    assert in_use == [0]


def test_sql_stays_in_one_thread_that_is_not_the_loops(
    service: SentimentService, engine: Engine
) -> None:
    threads: set[str] = set()
    event.listen(
        engine, "before_cursor_execute", lambda *_: threads.add(threading.current_thread().name)
    )

    async def work() -> None:
        await asyncio.gather(
            *(service.analyse(incoming("güzel", message_id)) for message_id in range(1, 9))
        )
        await service.stats()
        await service.inbox_add([(1, 1, "{}")])

    run(service, work)
    assert len(threads) == 1
    assert threads.pop().startswith("sql")


def test_the_version_is_the_one_that_scored(
    service: SentimentService, classifier: WordClassifier
) -> None:
    def swap() -> None:
        classifier.version = "words-2"

    classifier.during = swap
    made = run(service, lambda: service.analyse(incoming("güzel")))
    assert made.prediction.model_version == "words-2"


def test_a_failing_model_stores_nothing(
    service: SentimentService, classifier: WordClassifier, store: Store
) -> None:
    def fail() -> None:
        raise ModelError("out of memory")

    classifier.during = fail
    with pytest.raises(ModelError, match="out of memory"):
        run(service, lambda: service.analyse(incoming("güzel")))
    assert store.find_prediction(1, 5) is None


def test_predictions_are_found_by_message_and_answer(service: SentimentService) -> None:
    async def work() -> None:
        made = (await service.analyse(incoming("güzel", message_id=5))).prediction
        await service.answered(made.id, 6)
        assert (await service.find(1, 5)).id == (await service.find(1, 6)).id == made.id
        for chat_id, message_id in ((1, 7), (2, 5)):
            with pytest.raises(NotFoundError):
                await service.find(chat_id, message_id)
        with pytest.raises(NotFoundError):
            await service.get(made.id, chat_id=2)
        with pytest.raises(NotFoundError):
            await service.answered(made.id + 1, 6)

    run(service, work)


def test_corrections_and_consent(service: SentimentService) -> None:
    async def work() -> None:
        made = (await service.analyse(incoming("kötü"))).prediction
        correction = await service.correct(1, made.id, Label.NEUTRAL)
        assert (correction.old, correction.new) == (Label.NEGATIVE, Label.NEUTRAL)
        assert correction.ask_consent
        await service.set_consent(1, True)
        assert await service.consent(1) is Consent.GRANTED
        stats = await service.stats()
        assert (stats.corrections, stats.trainable_corrections) == (1, 1)

    run(service, work)


@pytest.mark.parametrize("allowed", [True, False])
def test_the_owners_word_on_forwards_reaches_the_statistics(
    store: Store, classifier: WordClassifier, allowed: bool
) -> None:
    service = SentimentService(store, classifier, train_on_forwards=allowed)

    async def work() -> int:
        made = (await service.analyse(Incoming(1, 1, 5, "güzel", is_forward=True))).prediction
        await service.set_consent(1, True)
        await service.correct(1, made.id, Label.NEGATIVE)
        return (await service.stats()).trainable_corrections

    assert run(service, work) == int(allowed)


def test_the_inbox_outlives_the_process(service: SentimentService, store: Store) -> None:
    async def work() -> None:
        await service.inbox_add([(1, 7, "a"), (2, None, "b"), (3, 7, "c")])
        await service.inbox_done(1)
        await service.inbox_failed(2, "ValueError")
        await service.inbox_put_off(3, "NetworkError")
        (left,) = await service.inbox_pending(per_chat=9)
        assert (left.update_id, left.chat_id, left.payload, left.attempts) == (3, 7, "c", 1)

    run(service, work)
    assert [left.update_id for left in store.inbox.pending(per_chat=9)] == [3]


def test_closing_finishes_what_was_begun(service: SentimentService, store: Store) -> None:
    async def work() -> None:
        pending = asyncio.create_task(service.inbox_add([(1, 7, "a")]))
        await asyncio.sleep(0)
        await service.close()
        await pending

    asyncio.run(work())
    assert [left.update_id for left in store.inbox.pending(per_chat=9)] == [1]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # it breaks the schema
def test_a_database_error_reaches_the_caller(service: SentimentService, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE inbox"))
    with pytest.raises(StoreError, match=r"inbox.*run `tweetsent db upgrade`"):
        run(service, lambda: service.inbox_pending(per_chat=9))


def test_a_correction_is_reviewed_where_forwards_may_be_trained_with(
    store: Store, classifier: WordClassifier
) -> None:
    forwarded = Incoming(user_id=1, chat_id=-5, message_id=5, text="güzel", is_forward=True)
    for train_on_forwards, waiting in ((False, [False, False]), (True, [True, False])):
        service = SentimentService(store, classifier, train_on_forwards=train_on_forwards)

        async def work(service: SentimentService = service) -> list[bool]:
            await service.set_consent(1, True)
            await service.set_consent(2, True)
            prediction = (await service.analyse(forwarded)).prediction
            await service.correct(2, prediction.id, Label.NEGATIVE)
            found = bool(await service.review_queue())
            if found:
                assert await service.review(9, 1, accept=True)
            return [found, bool(await service.review_queue())]

        assert run(service, work) == waiting


def test_a_chat_is_news_once_and_again_after_it_was_forgotten(
    service: SentimentService,
) -> None:
    async def blocked() -> None:
        announcement = await service.draft_announcement(7, 1, "Merhaba")
        await service.announcement_asked(announcement.id, 2)
        await service.start_announcement(announcement.id, 7, 2)
        assert await service.next_recipient(announcement.id) == 7
        await service.note_outcome(announcement.id, 7, Outcome.BLOCKED)

    async def work() -> list[bool]:
        news = [await service.remember_chat(7), await service.remember_chat(7)]
        for forgets in (partial(service.forget_chat, 7), partial(service.erase, 7), blocked):
            await forgets()
            news += [await service.remember_chat(7), await service.remember_chat(7)]
        return news

    assert run(service, work) == [True, False] * 4


def test_a_version_serves_on_an_admins_word_about_what_they_saw(
    store: Store, classifier: WordClassifier, engine: Engine, tmp_path: Path
) -> None:
    registry = Registry(engine, tmp_path / "data", has_shipped=False)
    for version in ("a-1", "b-2"):
        registry.add(make_adapter(tmp_path / "made", version))
    service = SentimentService(store, classifier, registry)

    async def work() -> None:
        assert [model.version for model in await service.versions()] == ["b-2", "a-1"]
        assert (await service.promote("a-1", after=0)).version == "a-1"
        (activation,) = await service.activations("a-1")
        assert activation.by is ActivatedBy.ADMIN
        with pytest.raises(VersionError, match="in the meantime"):
            await service.promote("b-2", after=0)
        await service.promote("b-2", after=activation.id)
        assert await service.pictures("b-2") == {}

    run(service, work)


def test_where_the_settings_name_the_adapter_no_version_can_serve(
    service: SentimentService,
) -> None:
    async def work() -> None:
        assert await service.versions() == await service.activations("a-1") == []
        assert await service.pictures("a-1") == {}
        with pytest.raises(VersionError, match="TWEETSENT_ADAPTER"):
            await service.promote("a-1", after=0)

    run(service, work)
