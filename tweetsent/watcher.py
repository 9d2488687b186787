"""Keeps the classifier that serves in step with the registry, without a restart.

Each process watches on its own, so all bots of one database switch. Loading takes place in a
thread beside the one that scores; what serves goes on until its successor has answered once.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tweetsent.batching import PROBE, BatchingClassifier
from tweetsent.classifier import Classifier
from tweetsent.errors import ModelError, StoreError, VersionError
from tweetsent.faults import Faults
from tweetsent.records import FaultKind, ModelVersion
from tweetsent.registry import Registry

POLL_SECONDS = 2.0
_RETRY_SECONDS = 60.0

log = logging.getLogger(__name__)


class Watcher:
    """Loads what the registry says; one for each process."""

    def __init__(
        self, registry: Registry, load: Callable[[Path | None], Classifier], faults: Faults
    ) -> None:
        """`load` gets an adapter's folder, or None for the adapter that the settings name.

        Versions that can't be loaded get into `faults`.
        """
        self._registry = registry
        self._load = load
        self._faults = faults
        self._retry_at: dict[str, float] = {}
        """When a version that can't be loaded is tried again."""
        self._database_fails = False

    def first(self) -> Classifier:
        """The classifier to begin with: of the active version, of the one before it where that one
        can't be loaded, else of the settings' adapter.

        Raises ModelError when the last can't be loaded either, StoreError as the registry.
        """
        serving = self._registry.serving()
        for version in (serving.model.version, serving.previous) if serving else ():
            if version is None:
                continue
            try:
                classifier = self._load_verified(self._registry.get(version))
                classifier.classify([PROBE])
            except (ModelError, VersionError) as error:
                self._note_failure(version, error, "trying the one before it")
            else:
                self._note_success(version)
                return classifier
        return self._load(None)

    async def run(self, batching: BatchingClassifier) -> None:
        """Look for another active version every two seconds, and swap it in; until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._step(batching)

    async def _step(self, batching: BatchingClassifier) -> None:
        try:
            model = await asyncio.to_thread(self._registry.active)
        except StoreError as error:
            if not self._database_fails:
                log.warning("the registry can't be read, %s serves on: %s", batching.version, error)
            self._database_fails = True
            return
        self._database_fails = False
        if model is None or model.version == batching.version or self._must_wait(model.version):
            return
        before = batching.version
        try:
            await batching.swap(await asyncio.to_thread(self._load_verified, model))
        except Exception as error:  # noqa: BLE001 - whatever it is, what serves must go on
            await asyncio.to_thread(self._note_failure, model.version, error, f"{before} serves on")
            return
        await asyncio.to_thread(self._note_success, model.version)
        log.info("model %s serves in place of %s", model.version, before)

    def _load_verified(self, model: ModelVersion) -> Classifier:
        return self._load(self._registry.verified_folder(model))

    def _must_wait(self, version: str) -> bool:
        return time.monotonic() < self._retry_at.get(version, 0.0)

    def _note_failure(self, version: str, error: Exception, consequence: str) -> None:
        """Tell of a version's first failure; it is tried again now and then, quietly."""
        if version not in self._retry_at:
            log.warning("model %s can't be loaded, %s: %s", version, consequence, error)
            with suppress(StoreError):  # the log has it
                self._faults.note(version, FaultKind.LOADING, str(error))
        self._retry_at[version] = time.monotonic() + _RETRY_SECONDS

    def _note_success(self, version: str) -> None:
        self._retry_at.pop(version, None)
        with suppress(StoreError):  # then the admins don't hear of it when it comes back
            for kind in FaultKind:  # it was loaded and has scored a text
                self._faults.forget(version, kind)
