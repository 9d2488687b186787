"""Whether a retraining run has what it needs; checked before one is begun, without a model."""

from tweetsent.errors import Lack, NotReadyError
from tweetsent.records import RunState, Trigger
from tweetsent.runs import Runs
from tweetsent.settings import Settings
from tweetsent.store import Store
from tweetsent.tables import utc_now

FEWEST_CORRECTIONS = 20
"""Accepted corrections below which no run begins: it learns from some and is tested on others."""
_ENDED = {RunState.PROMOTED, RunState.REFUSED}


def require_material(settings: Settings) -> None:
    """Raise NotReadyError where the settings let no run begin, whatever users correct."""
    if settings.tweetsent_adapter != "auto":
        raise NotReadyError(Lack.FREE_ADAPTER)
    if settings.tweetsent_base_data is None:
        raise NotReadyError(Lack.BASE_DATA)
    for path in (settings.tweetsent_base_data, *settings.tweetsent_test_data):
        if not path.exists():
            raise NotReadyError(Lack.FILE, path=str(path))


def require_ready(
    settings: Settings,
    store: Store,
    runs: Runs,
    trigger: Trigger,
    fewest: int = FEWEST_CORRECTIONS,
) -> None:
    """Raise NotReadyError where a run could not begin; StoreError as the database.

    Only a scheduled run waits for new corrections: who asks for one wants it now.
    """
    require_material(settings)
    corrections = store.training_corrections(train_on_forwards=settings.tweetsent_train_on_forwards)
    if len(corrections) < fewest:
        raise NotReadyError(Lack.CORRECTIONS, len(corrections), fewest)
    # A run of the future began before the clock was put back: what came since can't be told.
    ended = (run for run in runs.list() if run.state in _ENDED and run.started_at <= utc_now())
    last = next(ended, None)
    fresh = [row for row in corrections if last is None or row.created_at > last.started_at]
    wanted = settings.tweetsent_retrain_min_corrections
    if trigger is Trigger.SCHEDULE and len(fresh) < wanted:
        raise NotReadyError(Lack.NEW_CORRECTIONS, len(fresh), wanted)
