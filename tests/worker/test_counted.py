"""What the janitor does is counted, and what it signs is what this worker can do."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import update

from shared import presence
from shared.database import Database, db_now
from shared.models import Job, JobState
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.counting import Since
from tests.shared.conftest import claim, load, make_jobs
from tests.sqlite import new_database
from worker.child import ChildServer
from worker.janitor import Janitor
from worker.tools import Tools


async def lose(database: Database, job_id: UUID) -> None:
    """Its worker has fallen silent."""
    async with database.write() as session:
        await session.execute(update(Job).where(Job.id == job_id).values(lease_until=db_now(-1)))


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty one."""
    database = await new_database(tmp_path)
    yield database
    await database.close()


@pytest.fixture
def janitor(tmp_path: Path, database: Database) -> Janitor:
    """That of a worker whose warm process does not run."""
    settings = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    children, queue = ChildServer(), EmbeddedQueue()
    tools = Tools(settings, database, LocalStorage(tmp_path / "files"), children, None)  # type: ignore[arg-type]
    return Janitor(tools, queue, Outbox(database, queue), "a:1")


async def test_jobs_taken_from_silent_workers_are_counted(
    database: Database, janitor: Janitor, monkeypatch: pytest.MonkeyPatch
) -> None:
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


async def test_a_worker_that_can_have_no_child_does_not_sign_for_it_takes_nothing(
    database: Database, janitor: Janitor
) -> None:
    for signed in ({}, {"a:1": 3}):
        await janitor._look()
        async with database.read() as session:
            assert await presence.alive(session, 60) == signed
        janitor._tools.children._is_warm.set()
