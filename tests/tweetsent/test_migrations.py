"""The revisions together: from blank to head, in step with the models, and two at once."""

import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from filelock import FileLock
from sqlalchemy import create_engine, inspect, text

from migrations.__main__ import main
from tests.postgres import PostgresServer
from tweetsent import database
from tweetsent.database import check_revision, create_engine_for, upgrade
from tweetsent.tables import Base

VERSIONS = Path(__file__).parent.parent.parent / "migrations" / "versions"
CHECKS = "SELECT count(*) FROM sqlite_master WHERE sql LIKE '%CONSTRAINT ck_%'"
RENAME = '''"""Rebuilds two tables that others refer to."""
from alembic import op
import sqlalchemy as sa

revision = "9000"
down_revision = "{head}"


def upgrade() -> None:
    for table in ("users", "predictions"):
        with op.batch_alter_table(table, recreate="always") as batch:
            batch.add_column(sa.Column("extra", sa.Integer()))
'''


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that a test may add to."""
    folder = tmp_path / "migrations"
    shutil.copytree(VERSIONS.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(database, "_MIGRATIONS", folder)
    return folder


def test_the_models_are_in_step_with_the_revisions(url: str) -> None:
    upgrade(url)
    with create_engine_for(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_revisions_make_the_same_checks_and_indexes_as_the_models(
    url: str, tmp_path: Path
) -> None:
    """Alembic compares neither CHECKs nor the WHERE of an index."""
    upgrade(url)
    modelled = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    Base.metadata.create_all(modelled)
    for table in Base.metadata.tables:
        found, wanted = inspect(create_engine_for(url)), inspect(modelled)
        assert found.get_check_constraints(table) == wanted.get_check_constraints(table)
    query = text("SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name")
    with create_engine_for(url).connect() as found, modelled.connect() as wanted:
        indexes = [tuple(row) for row in found.execute(query) if "alembic" not in row.name]
        assert indexes == [tuple(row) for row in wanted.execute(query)]


def test_upgrading_twice_changes_nothing(url: str, tmp_path: Path) -> None:
    upgrade(url)
    with closing(sqlite3.connect(tmp_path / "tweetsent.db")) as connection:
        first = connection.execute("SELECT * FROM sqlite_master").fetchall()
        upgrade(url)
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == first


def upgrade_elsewhere(url: str) -> str:
    """Upgrade in a process of its own; returns what it wrote."""
    code = f"from tweetsent.database import upgrade; upgrade({url!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def test_processes_may_upgrade_together(url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(upgrade_elsewhere, [url] * 3)) == ["", "", ""]
    check_revision(create_engine_for(url))


def test_an_upgrade_waits_for_the_one_that_runs(url: str, tmp_path: Path) -> None:
    order: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        with FileLock(tmp_path / "tweetsent.db.lock"):
            waiting = pool.submit(lambda: (upgrade(url), order.append("upgraded")))
            wait([waiting], timeout=0.5)
            order.append("released")
        waiting.result()
    assert order == ["released", "upgraded"]


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(
    url: str, tmp_path: Path, migrations: Path
) -> None:
    upgrade(url)
    path = tmp_path / "tweetsent.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            INSERT INTO users (id, pseudonym, created_at, consent)
                VALUES (1, 'u', '2025', 'unasked');
            INSERT INTO predictions (id, user_id, chat, message_id, text, is_forward, is_group,
                label, score_negative, score_neutral, score_positive, model_version,
                prompt_version, latency_ms, created_at) VALUES
                (1, 1, 'c', 5, 't', 0, 0, 'neutral', 0.1, 0.8, 0.1, 'm', 'p', 1.0, '2025');
            INSERT INTO corrections (id, prediction_id, user_id, label, created_at, state)
                VALUES (1, 1, 1, 'positive', '2025', 'pending');
            """
        )
        before = connection.execute(CHECKS).fetchone()
    head = database.head_revision()
    (migrations / "versions" / "9000_rebuild.py").write_text(RENAME.format(head=head))
    with pytest.raises(database.StoreError, match=f"older revision {head}"):
        check_revision(create_engine_for(url))
    upgrade(url)
    check_revision(create_engine_for(url))
    assert [backup.name.split(".")[2] for backup in tmp_path.glob("*.bak")] == [head]
    with closing(sqlite3.connect(path)) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("users", "predictions", "corrections")
        ]
        checks = connection.execute(CHECKS).fetchone()
    assert counts == [1, 1, 1]
    assert checks == before > (2,)


def test_corrections_of_the_first_revision_become_pending(url: str) -> None:
    engine = create_engine_for(url)
    with engine.connect() as connection, connection.begin():
        command.upgrade(database.alembic_config(connection), "0001")
        connection.execute(text("INSERT INTO users VALUES (1, 'u', '2025', 'granted', 0, 1, 0)"))
        connection.execute(
            text(
                "INSERT INTO predictions VALUES "
                "(1, 1, 'c', 5, 't', 0, 0, 'neutral', 0.1, 0.8, 0.1, 'm', 'p', 1.0, '2025', NULL)"
            )
        )
        connection.execute(text("INSERT INTO corrections VALUES (7, 1, 1, 'positive', 2025, 0)"))
    upgrade(url)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM corrections")).one()
    assert row._asdict() == {
        "id": 7,
        "prediction_id": 1,
        "user_id": 1,
        "label": "positive",
        "created_at": 2025,
        "superseded_at": 0,
        "state": "pending",
        "reason": None,
        "decided_at": None,
        "decided_by": None,
        "screened_at": None,
    }


def test_ids_of_deleted_messages_are_remembered_when_their_table_is_rebuilt(url: str) -> None:
    engine = create_engine_for(url)
    values = "5, 't', 0, 0, 'neutral', 0.1, 0.8, 0.1, 'm', 'p', 1.0, '2025', 0"
    message = text(
        "INSERT INTO predictions (message_id, text, is_forward, is_group, label, score_negative, "
        "score_neutral, score_positive, model_version, prompt_version, latency_ms, created_at, "
        f"is_answer_stale, user_id, chat) VALUES ({values}, 1, 'c')"
    )
    with engine.connect() as connection, connection.begin():
        command.upgrade(database.alembic_config(connection), "0012")
        connection.execute(
            text(
                "INSERT INTO users (id, pseudonym, created_at, consent) "
                "VALUES (1, 'u', '2025', 'unasked')"
            )
        )
        for _ in range(2):
            connection.execute(message)
            connection.execute(text("DELETE FROM predictions"))
    upgrade(url)
    with engine.connect() as connection, connection.begin():
        connection.execute(message)
        assert connection.scalar(text("SELECT id FROM predictions")) == 3


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("url"))
    return str(request.getfixturevalue("postgres").create(f"data_{uuid4().hex}"))


def test_runs_that_an_admin_stopped_are_told_from_those_that_failed(any_url: str) -> None:
    engine = create_engine_for(any_url)
    run = text(
        'INSERT INTO runs ("trigger", state, step, done, total, started_at, lease_until, token, '
        "host, process, reason) VALUES ('cli', 'failed', 'training', 0, 0, '2025-01-01', "
        "'2025-01-01', 't', 'h', 1, :reason)"
    )
    with engine.connect() as connection, connection.begin():
        command.upgrade(database.alembic_config(connection), "0015")
        for reason in ("stopped by an admin during training", "no space left"):
            connection.execute(run, {"reason": reason})
    upgrade(any_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state, reason FROM runs ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [("stopped", ""), ("failed", "no space left")]


def test_nobody_is_said_to_have_activated_the_shipped_version(any_url: str) -> None:
    engine = create_engine_for(any_url)
    with engine.connect() as connection, connection.begin():
        command.upgrade(database.alembic_config(connection), "0016")
        connection.execute(
            text(
                "INSERT INTO models (version, folder, base_model, base_revision, weights_sha256, "
                "metrics, created_at, state, reason) VALUES ('a-1', '', 'b', 'r', '0', '{}', "
                "'2025-01-01', 'active', '')"
            )
        )
        for reason in ("served before the first promotion", "mine"):
            connection.execute(
                text(
                    'INSERT INTO activations (version, at, "by", reason) '
                    "VALUES ('a-1', '2025-01-01', 'admin', :reason)"
                ),
                {"reason": reason},
            )
    upgrade(any_url)
    with engine.connect() as connection:
        rows = connection.execute(text('SELECT "by", reason FROM activations ORDER BY id')).all()
    assert [tuple(row) for row in rows] == [("shipped", ""), ("admin", "mine")]


def test_a_new_revision_is_written_from_the_models(migrations: Path) -> None:
    number = f"{int(database.head_revision()) + 1:04d}"
    assert main(["Nothing new"]) == 0
    written = migrations / "versions" / f"{number}_nothing_new.py"
    namespace: dict[str, object] = {}
    exec(compile(written.read_text(), written, "exec"), namespace)
    assert namespace["revision"] == database.head_revision() == number
    assert "op." not in written.read_text().split("def upgrade", 1)[1]


def test_a_new_revision_needs_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_postgresql_has_the_same_schema_however_many_upgrade_it(postgres: PostgresServer) -> None:
    url = postgres.create("together")
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(upgrade_elsewhere, [url] * 3)) == ["", "", ""]
    engine = create_engine_for(url)
    check_revision(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_that_is_killed_in_any_revision_changed_nothing_and_is_done_by_the_next(
    request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "sqlite":
        url = request.getfixturevalue("url")
    else:
        url = request.getfixturevalue("postgres").create("killed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.tweetsent.killed_upgrades", url],
        cwd=VERSIONS.parent.parent,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{len(list(VERSIONS.glob('*.py')))}\n", "")
    check_revision(create_engine_for(url))
