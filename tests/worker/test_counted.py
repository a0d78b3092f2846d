"""What the janitor does is counted."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update

import migrations
from shared.database import Database, db_now
from shared.models import Job, JobState
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.counting import Since
from tests.shared.conftest import claim, load, make_jobs
from worker.janitor import Janitor
from worker.tools import Tools


async def lose(database: Database, job_id: UUID) -> None:
    """Its worker has fallen silent."""
    async with database.write() as session:
        await session.execute(update(Job).where(Job.id == job_id).values(lease_until=db_now(-1)))


async def test_jobs_taken_from_silent_workers_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/linkferry.db")
    await migrations.upgrade(database)
    settings = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    tools = Tools(settings, database, LocalStorage(tmp_path / "files"), None, None)  # type: ignore[arg-type]
    queue = EmbeddedQueue()
    janitor = Janitor(tools, queue, Outbox(database, queue), "a:1")
    steals = Since("lease_steals_total")
    lost, alive = await make_jobs(database, 2)
    for _ in range(2):
        await claim(database)
    await lose(database, lost)
    await janitor._look()
    assert steals() == 0, "it has not watched for a whole lease"
    monkeypatch.setattr(janitor, "_may_judge", lambda: True)
    for _ in range(2):
        await janitor._look()
    assert steals() == 1
    assert (await load(database, lost)).state is JobState.QUEUED
    assert (await load(database, alive)).state is JobState.RUNNING
    await database.close()
