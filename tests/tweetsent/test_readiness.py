"""What a run needs before it is begun, on a real database."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from tests.corrections import save_corrections
from tests.tweetsent.conftest import ADMIN
from tweetsent.errors import Lack, NotReadyError
from tweetsent.readiness import FEWEST_CORRECTIONS, require_ready
from tweetsent.records import RunState, Trigger
from tweetsent.runs import Runs
from tweetsent.sessions import writing
from tweetsent.settings import Settings
from tweetsent.store import Store
from tweetsent.tables import RunRow, utc_now


def correct(store: Store, count: int, *, first: int = 0) -> None:
    """So many messages that an admin, who consented, corrected."""
    texts = (f"yorum {number}" for number in range(first, first + count))
    save_corrections(store, ADMIN, texts, first=first)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "base.csv").touch()
    return Settings(
        _env_file=None,
        tweetsent_base_data=tmp_path / "base.csv",
        tweetsent_retrain_min_corrections=3,
    )


@pytest.fixture
def runs(engine: Engine) -> Runs:
    return Runs(engine)


def test_the_settings_must_leave_the_adapter_free_and_name_base_data(
    settings: Settings, store: Store, runs: Runs, tmp_path: Path
) -> None:
    for change, lack in (
        ({"tweetsent_adapter": str(tmp_path)}, Lack.FREE_ADAPTER),
        ({"tweetsent_base_data": None}, Lack.BASE_DATA),
        ({"tweetsent_base_data": tmp_path / "typo.csv"}, Lack.FILE),
        ({"tweetsent_test_data": (tmp_path / "typo.csv",)}, Lack.FILE),
    ):
        with pytest.raises(NotReadyError) as raised:
            require_ready(settings.model_copy(update=change), store, runs, Trigger.CLI)
        assert raised.value.lack is lack


def test_too_few_corrections_are_counted(settings: Settings, store: Store, runs: Runs) -> None:
    correct(store, FEWEST_CORRECTIONS - 1)
    with pytest.raises(NotReadyError, match=r"^19 accepted .* 20 are needed") as raised:
        require_ready(settings, store, runs, Trigger.ADMIN)
    assert (raised.value.lack, raised.value.found) == (Lack.CORRECTIONS, 19)
    require_ready(settings, store, runs, Trigger.ADMIN, fewest=19)
    correct(store, 1, first=50)
    require_ready(settings, store, runs, Trigger.ADMIN)


def test_only_the_schedule_waits_for_new_corrections(
    settings: Settings, store: Store, runs: Runs
) -> None:
    correct(store, FEWEST_CORRECTIONS)
    require_ready(settings, store, runs, Trigger.SCHEDULE)
    runs.start(Trigger.SCHEDULE).finish(RunState.FAILED, "it learnt nothing")
    require_ready(settings, store, runs, Trigger.SCHEDULE)
    runs.start(Trigger.SCHEDULE).finish(RunState.REFUSED)
    correct(store, 2, first=50)
    with pytest.raises(NotReadyError, match="2 accepted corrections came since the last run"):
        require_ready(settings, store, runs, Trigger.SCHEDULE)
    require_ready(settings, store, runs, Trigger.ADMIN)
    correct(store, 1, first=60)
    require_ready(settings, store, runs, Trigger.SCHEDULE)


def test_a_clock_that_was_put_back_keeps_no_schedule_waiting(
    settings: Settings, store: Store, runs: Runs, engine: Engine
) -> None:
    correct(store, FEWEST_CORRECTIONS)
    runs.start(Trigger.SCHEDULE).finish(RunState.PROMOTED)
    with writing(engine) as session:
        session.execute(update(RunRow).values(started_at=utc_now() + timedelta(days=400)))
    require_ready(settings, store, runs, Trigger.SCHEDULE)
