"""The one service of the bot and of the terminal chat: clean, classify, store, correct.

Knows nothing of Telegram. SQL runs in one thread of its own, so the event loop never waits for a
disk, and no transaction is open while the model works.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from tweetsent.errors import (
    ModelError,
    NotFoundError,
    NoWordsError,
    OnlyLinksError,
    OnlyTweetLinkError,
    StoreError,
    VersionError,
)
from tweetsent.group_commit import GroupCommit
from tweetsent.inbox import PendingUpdate
from tweetsent.labels import Label, Scores
from tweetsent.language import is_foreign
from tweetsent.links import has_tweet_link, is_only_links
from tweetsent.occlusion import Effect, effects, to_score
from tweetsent.own_data import (
    Contact,
    HistoryPage,
    Holdings,
    OwnCorrection,
    OwnMessage,
    OwnNumbers,
    Person,
)
from tweetsent.passages import split
from tweetsent.records import (
    EVERYTHING,
    ActivatedBy,
    Activation,
    Analysis,
    Announcement,
    Consent,
    Correction,
    FaultKind,
    FileJob,
    FileState,
    Incoming,
    ModelFault,
    ModelInfo,
    ModelVersion,
    Outcome,
    Prediction,
    ReviewItem,
    Scope,
    Scored,
    Spread,
    Stats,
    TrainingCorrection,
    Upload,
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

    @property
    def is_stuck(self) -> bool:
        """Whether it hangs."""
        ...

    async def classify(self, text: str) -> Scored:
        """The scores of one cleaned text, with the version that made them."""
        ...

    def classify_all(self, texts: Collection[str]) -> AsyncIterator[dict[str, Scored]]:
        """The scores of many cleaned texts, some at a time, behind those of `classify`."""
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
        self._remembered: set[int] = set()
        """Private chats that are known to be in the store, which most messages come from."""
        self._sql_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sql")
        self._group = GroupCommit(store.together, self._sql_thread)

    @property
    def model_version(self) -> str:
        """The version that answers."""
        return self._classifier.version

    @property
    def model_answers(self) -> bool:
        """Whether the model works; one that hangs does not."""
        return not self._classifier.is_stuck

    async def ping(self) -> None:
        """Return when the database has answered, whatever else it is asked for meanwhile."""
        await asyncio.to_thread(self._store.ping)

    async def analyse(self, incoming: Incoming) -> Analysis:
        """What is in a message, with its stored prediction: made now, or before if it was seen.

        An edited message's is made anew, and its corrections are superseded. Of an album one part
        is classified; the others get that part's prediction. Raises NoWordsError, or one of its
        kinds, when there is nothing to classify; what is stored of an edited message then stays.
        """
        passages = split(incoming.text)
        incoming = replace(incoming, text=_words(incoming.text))
        foreign = is_foreign(incoming.text)  # some 0.1 ms
        seen = await self._group.run(self._store.find_seen, incoming)
        is_edited = (
            seen is not None
            and seen.message_id == incoming.message_id
            and incoming.is_edited
            and seen.text != incoming.text
        )
        if seen is not None and not is_edited and not passages.parts:
            return Analysis(seen, passages, (), foreign)
        started = time.perf_counter()
        scored = await self._classify_all(passages.texts)
        seconds = time.perf_counter() - started
        self.telemetry.classified(seconds)
        scores = tuple(one.scores for one in scored)
        if seen is None or is_edited:
            save = partial(
                self._store.update_prediction if is_edited else self._store.save_prediction,
                incoming,
                passages.overall(scores),
                model_version=scored[0].model_version,
                prompt_version=scored[0].prompt_version,
                latency_ms=1000 * seconds,
                parts=passages.count,
            )
            seen = await (self._sql(save) if is_edited else self._group.run(save))
        return Analysis(seen, passages, scores[len(scores) - len(passages.parts) :], foreign)

    async def _classify_all(self, texts: Sequence[str]) -> list[Scored]:
        """The scores of each text, all by one version: a swap in between means once more."""
        while True:
            scored = await asyncio.gather(*map(self._classify, texts))
            if len({one.model_version for one in scored}) == 1:
                return scored

    async def score(self, text: str) -> Scores:
        """The scores of a text of which nothing is stored.

        Raises NoWordsError when there is nothing to classify.
        """
        return (await self._classify(_words(text))).scores

    async def effects(self, text: str) -> tuple[Label, list[Effect]]:
        """What each word of a cleaned text does for its label; nothing of it is stored."""
        scores: dict[str, Scores] = {}
        async for part in self._classifier.classify_all(to_score(text)):
            scores.update((one, scored.scores) for one, scored in part.items())
        return effects(text, scores)

    async def _classify(self, text: str) -> Scored:
        try:
            return await self._classifier.classify(text)
        except ModelError as error:
            faults, version = self._store.faults, self._classifier.version
            with suppress(StoreError):  # the caller's error is the one that counts
                await self._sql(faults.note, version, FaultKind.SCORING, str(error))
            raise

    async def claim_fault(self) -> ModelFault | None:
        """A fault of the model that the caller must tell the admins of; see `Faults.claim`."""
        return await self._sql(self._store.faults.claim)

    async def answered(self, prediction_id: int, answer_message_id: int) -> None:
        """Note which message of the bot shows a prediction as it is now.

        Raises NotFoundError for an unknown one.
        """
        await self._group.run(self._store.set_answer, prediction_id, answer_message_id)
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

    async def find_last(self, user_id: int, chat_id: int) -> Prediction:
        """The prediction of a user's newest message in a chat; NotFoundError if none has one."""
        prediction = await self._sql(self._store.last_prediction, user_id, chat_id)
        if prediction is None:
            raise NotFoundError("the user has no prediction in this chat")
        return prediction

    async def is_author(self, user_id: int, prediction_id: int) -> bool:
        """Whether a user wrote a prediction's message; NotFoundError for an unknown one."""
        return await self._sql(self._store.is_author, user_id, prediction_id)

    async def correct(
        self, user_id: int, prediction_id: int, label: Label, *, is_anonymous: bool = False
    ) -> Correction:
        """Make `label` the user's word on a prediction; NotFoundError for an unknown one."""
        correction = await self._sql(
            self._store.correct, user_id, prediction_id, label, is_anonymous=is_anonymous
        )
        self.telemetry.corrected()
        return correction

    async def consent(self, user_id: int) -> Consent:
        """A user's word on training; UNASKED for a stranger."""
        return await self._sql(self._store.consent, user_id)

    async def set_consent(self, user_id: int, granted: bool) -> datetime:
        """Store a user's word on training; returns its time."""
        return await self._sql(self._store.set_consent, user_id, granted)

    async def person(self, user_id: int) -> Person | None:
        """What is known of a user alone; None for a stranger."""
        return await self._sql(self._store.own.person, user_id)

    async def contact(self, user_id: int) -> Contact:
        """What is kept beside a user's messages."""
        return await self._sql(self._store.own.contact, user_id)

    async def own_numbers(self, user_id: int) -> OwnNumbers | None:
        """A user's statistics; None for a stranger."""
        return await self._sql(self._store.own.numbers, user_id)

    async def history(
        self,
        user_id: int,
        size: int,
        *,
        older_than: int | None = None,
        newer_than: int | None = None,
    ) -> HistoryPage:
        """A user's newest messages, or those on one side of a message."""
        return await self._sql(
            self._store.own.history,
            user_id,
            size,
            older_than=older_than,
            newer_than=newer_than,
        )

    async def own_messages(
        self, user_id: int, size: int, *, older_than: int | None
    ) -> list[OwnMessage]:
        """A user's newest messages, or the newest of those before a message."""
        return await self._sql(self._store.own.messages, user_id, size, older_than=older_than)

    async def own_corrections(
        self, user_id: int, size: int, *, older_than: int | None
    ) -> list[OwnCorrection]:
        """A user's newest corrections, or the newest of those before one."""
        return await self._sql(self._store.own.corrections, user_id, size, older_than=older_than)

    async def holdings(self, user_id: int) -> Holdings:
        """How many rows erasing a user would delete."""
        return await self._sql(self._store.own.holdings, user_id)

    async def erase(self, user_id: int) -> list[int]:
        """Delete all that is kept of a user, for good; returns the ids of their files."""
        self._remembered.discard(user_id)  # a private chat has its user's id
        return await self._sql(self._store.own.erase, user_id)

    async def anonymise_uncorrected(self, before: datetime) -> int:
        """Make some predictions of before a time that nobody corrected nobody's; how many."""
        return await self._sql(self._store.anonymise_uncorrected, before)

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

    async def take_back_review(self, admin_id: int, item: ReviewItem) -> bool:
        """Undo an admin's own word on what was this item; False when it is too late."""
        return await self._sql(self._store.take_back_review, admin_id, item)

    async def stats(self, scope: Scope = EVERYTHING) -> Stats:
        """The statistics; UnseenVersionError for a version of which no prediction is."""
        return await self._sql(self._store.stats, scope, train_on_forwards=self._train_on_forwards)

    async def spread(self, scope: Scope = EVERYTHING) -> Spread:
        """How sure the model was and how long it took."""
        return await self._sql(self._store.spread, scope)

    async def model(self) -> ModelInfo:
        """Which version answers and which one should."""
        registry, fault = self._registry, None
        serving = await self._sql(registry.serving) if registry else None
        version = self._classifier.version
        if serving and serving.model.version != version:
            faults, wanted = self._store.faults, serving.model.version
            fault = await self._sql(faults.reason, wanted, FaultKind.LOADING)
        return ModelInfo(version, is_pinned=registry is None, serving=serving, fault=fault)

    async def versions(self) -> Sequence[ModelVersion]:
        """All versions, the newest first; none where the settings name the adapter."""
        return await self._sql(self._registry.list) if self._registry else []

    async def activations(self, version: str) -> Sequence[Activation]:
        """When a version began to serve, the last time first."""
        return await self._sql(self._registry.history, version) if self._registry else []

    async def pictures(self, version: str) -> dict[str, bytes]:
        """What was drawn of a version's training and measuring: PNG by name."""
        return await self._sql(self._registry.pictures, version) if self._registry else {}

    async def promote(self, version: str, *, after: int) -> ModelVersion:
        """Let a version serve on an admin's word; `after` is the activation that they saw, or 0.

        Raises VersionError when another one came since, or the version is unknown or deleted,
        ModelError when it is damaged.
        """
        if self._registry is None:
            raise VersionError("TWEETSENT_ADAPTER names the adapter: no version can serve")
        return await self._sql(self._registry.promote, version, ActivatedBy.ADMIN, after=after)

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

    async def training_corrections(self) -> list[TrainingCorrection]:
        """The corrections of a new training set, oldest first, decided anew and within limits."""
        return await self._sql(
            self._store.training_corrections, train_on_forwards=self._train_on_forwards
        )

    async def remember_chat(self, chat_id: int) -> bool:
        """Note that a private chat may be written to; whether that is news."""
        if chat_id in self._remembered:
            return False
        is_new = await self._sql(self._store.announcements.remember_chat, chat_id)
        self._remembered.add(chat_id)
        return is_new

    async def forget_chat(self, chat_id: int) -> None:
        """Never write to a private chat of the bot's own accord, until it is remembered again."""
        self._remembered.discard(chat_id)
        await self._sql(self._store.announcements.forget_chat, chat_id)

    async def draft_announcement(self, chat_id: int, message_id: int, text: str) -> Announcement:
        """The announcement that an admin's command asks for, not confirmed; see `Announcements`."""
        return await self._sql(self._store.announcements.draft, chat_id, message_id, text)

    async def announcement_asked(self, announcement_id: int, status_message_id: int) -> None:
        """Note which message of the bot asks whether to send it."""
        await self._sql(self._store.announcements.asked, announcement_id, status_message_id)

    async def start_announcement(
        self, announcement_id: int, chat_id: int, status_message_id: int
    ) -> Announcement | None:
        """Have it sent; None while another one is, NotFoundError for one that isn't asked there."""
        return await self._sql(
            self._store.announcements.start, announcement_id, chat_id, status_message_id
        )

    async def cancel_announcement(
        self, announcement_id: int, chat_id: int, status_message_id: int
    ) -> bool:
        """Drop or end it; whether sending had begun. NotFoundError as in `start_announcement`."""
        return await self._sql(
            self._store.announcements.cancel, announcement_id, chat_id, status_message_id
        )

    async def announcement_at_work(self) -> Announcement | None:
        """The announcement that is to be sent, or was cancelled while it was; None without any."""
        return await self._sql(self._store.announcements.at_work)

    async def next_recipient(self, announcement_id: int) -> int | None:
        """The next chat to write to, which is then never given again unless it is put off."""
        return await self._sql(self._store.announcements.next_recipient, announcement_id)

    async def note_outcome(
        self, announcement_id: int, chat_id: int, outcome: Outcome
    ) -> Announcement:
        """Note what came of writing to a chat."""
        announcement = await self._sql(
            self._store.announcements.note_outcome, announcement_id, chat_id, outcome
        )
        if outcome is Outcome.BLOCKED:
            self._remembered.discard(chat_id)
        return announcement

    async def drop_announcement(self, announcement_id: int) -> None:
        """Delete it, after its end was shown."""
        await self._sql(self._store.announcements.drop, announcement_id)

    def classify_all(self, texts: Collection[str]) -> AsyncIterator[dict[str, Scored]]:
        """Scores of many cleaned texts, some at a time, and nothing of them is stored.

        Messages go first.
        """
        return self._classifier.classify_all(texts)

    async def file_begin(self, user_id: int, upload: Upload, per_day: int) -> FileJob | None:
        """Take a file to label; None when its message was seen before; see `FileJobs.begin`."""
        return await self._sql(self._store.files.begin, user_id, upload, per_day)

    async def files_unfinished(self) -> list[FileJob]:
        """The files that are not finished, oldest first."""
        return await self._sql(self._store.files.unfinished)

    async def file_try(self, file_id: int) -> FileJob | None:
        """Note that labelling a file begins; None when it is not to be labelled any more."""
        return await self._sql(self._store.files.begin_try, file_id)

    async def file_shown(self, file_id: int, status_message_id: int) -> None:
        """Note which message of the bot shows where a file stands."""
        await self._sql(self._store.files.shown, file_id, status_message_id)

    async def file_move(self, file_id: int, state: FileState) -> bool:
        """Change where a file that is in work stands; False when it is not in work any more."""
        return await self._sql(self._store.files.move, file_id, state)

    async def file_choose(self, user_id: int, file_id: int, choice: int) -> FileJob | None:
        """Take a user's word on the column of texts; None when nobody waits for it any more.

        Raises NotFoundError for an unknown file, NotOwnerError for somebody else's.
        """
        return await self._sql(self._store.files.choose, user_id, file_id, choice)

    async def file_cancel(self, user_id: int, file_id: int) -> bool:
        """End a file on its user's word; False when it is too late. Raises as `file_choose`."""
        return await self._sql(self._store.files.cancel, user_id, file_id)

    async def inbox_add(self, updates: list[tuple[int, int | None, str]]) -> list[PendingUpdate]:
        """Store (update id, chat id, JSON) triples, on disk when this returns; see `Inbox`."""
        try:
            pending = await self._sql(self._store.inbox.add, updates)
        except StoreError:
            self.telemetry.can_store = False
            raise
        self.telemetry.can_store = True
        return pending

    async def inbox_pending(self, per_chat: int) -> list[PendingUpdate]:
        """The first few updates of each chat that are neither done nor failed, in order."""
        return await self._sql(self._store.inbox.pending, per_chat)

    async def inbox_sending(self, update_id: int, may_have_sent: bool) -> None:
        """Note whether an update's user may have got a message; a kill does not undo it."""
        await self._group.run(self._store.inbox.sending, update_id, may_have_sent)

    async def inbox_done(self, update_id: int) -> None:
        """Delete an update that was handled."""
        await self._group.run(self._store.inbox.done, update_id)

    async def inbox_put_off(self, update_id: int, error: str) -> None:
        """Note that handling an update failed, and keep it for another try."""
        await self._sql(self._store.inbox.put_off, update_id, error)

    async def inbox_failed(self, update_id: int, error: str, *, is_answered: bool = False) -> None:
        """Give an update up, for good; of one that was answered its words and whose go at once."""
        await self._sql(self._store.inbox.failed, update_id, error, is_answered=is_answered)

    async def close(self) -> None:
        """Finish the SQL that was begun and close the database."""
        await self._group.finish()
        await asyncio.to_thread(self._sql_thread.shutdown)
        self._store.close()

    async def _sql(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._sql_thread, partial(call, *args, **kwargs))


def _words(text: str) -> str:
    """The cleaned text; raises NoWordsError, or one of its kinds, when it has none."""
    text = clean(text)
    if is_only_links(text):
        if has_tweet_link(text):
            raise OnlyTweetLinkError("the text is a link to a tweet")
        raise OnlyLinksError("the text is nothing but links")
    if not has_words(text):
        raise NoWordsError("the text has no words")
    return text
