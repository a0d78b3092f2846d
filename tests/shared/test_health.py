"""What health tells: what waits, who works, and which part is down."""

import asyncio

import pytest
from sqlalchemy import update

from shared import health, presence
from shared.database import Database, db_now
from shared.models import Job
from shared.queue import EmbeddedQueue, QueueUnavailable
from tests.services import free_port
from tests.shared.conftest import SETTINGS, claim, make_job, make_jobs


class BrokenQueue(EmbeddedQueue):
    """A broker that is down."""

    async def depth(self) -> int:
        """There is no answer."""
        raise QueueUnavailable("down")


class SilentQueue(EmbeddedQueue):
    """A broker that says nothing at all."""

    async def depth(self) -> int:
        """There is no end of waiting."""
        await asyncio.Event().wait()
        return 0


async def test_it_counts_what_waits_and_who_works(database: Database) -> None:
    queue = EmbeddedQueue()
    ids = await make_jobs(database, 3)
    await queue.publish(ids)
    await claim(database)
    async with database.write() as session:
        await session.execute(update(Job).where(Job.id == ids[-1]).values(created_at=db_now(-60)))
        await presence.sign(session, "a:1", 3)
    found = await health.look(database, queue, SETTINGS.lease)
    assert found.is_ready
    assert (found.queue_depth, found.queued, found.running, found.workers) == (3, 2, 1, {"a:1": 3})
    assert found.oldest_queued == pytest.approx(60, abs=5)


async def test_nothing_to_do_is_healthy(database: Database) -> None:
    found = await health.look(database, EmbeddedQueue(), SETTINGS.lease)
    assert (found.is_ready, found.queued, found.oldest_queued, found.workers) == (True, 0, None, {})


@pytest.mark.parametrize("queue", [BrokenQueue(), SilentQueue()])
async def test_a_queue_that_is_down_is_named_and_the_rest_is_told(
    database: Database, queue: EmbeddedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    await make_job(database)
    found = await health.look(database, queue, SETTINGS.lease)
    assert not found.is_ready
    assert found.queue and found.queue.endswith("it does not answer")
    assert (found.database, found.queued) == (None, 1)


async def test_a_database_that_is_down_is_named_and_the_rest_is_told() -> None:
    database = Database(f"postgresql+asyncpg://x@127.0.0.1:{free_port()}/x")
    found = await health.look(database, EmbeddedQueue(), SETTINGS.lease)
    await database.close()
    assert not found.is_ready
    assert found.database and (found.queue, found.queue_depth) == (None, 0)


@pytest.mark.parametrize(("lease", "silence"), [(600.0, 16), (2.0, 1.5)])
async def test_a_worker_is_missed_soon_however_long_leases_are(
    database: Database, lease: float, silence: float
) -> None:
    async with database.write() as session:
        await presence.sign(session, "a:1", 3)
        await session.execute(update(presence.WorkerSign).values(seen_at=db_now(-silence)))
    assert (await health.look(database, EmbeddedQueue(), lease)).workers == {}
