"""What the database tells of the work: what waits and for how long, who works, what is not handed on."""

import pytest
from sqlalchemy import delete, update

from shared import load, presence
from shared.database import Database, db_now
from shared.load import Load
from shared.models import Job, OutboxRow
from tests.shared.conftest import SETTINGS, claim, make_jobs


async def look(database: Database, lease: float = SETTINGS.lease) -> Load:
    async with database.read() as session:
        return await load.look(session, lease)


async def test_nothing_to_do(database: Database) -> None:
    assert await look(database) == Load()


async def test_it_counts_what_waits_and_who_works(database: Database) -> None:
    ids = await make_jobs(database, 4)
    await claim(database)
    async with database.write() as session:
        await session.execute(update(Job).where(Job.id == ids[1]).values(created_at=db_now(-60)))
        later = {"run_after": db_now(3600), "created_at": db_now(-600)}
        await session.execute(update(Job).where(Job.id == ids[-1]).values(**later))
        await presence.sign(session, "a:1", 3)
    found = await look(database)
    assert (found.queued, found.waiting, found.running, found.workers) == (2, 1, 1, {"a:1": 3})
    assert found.oldest_queued == pytest.approx(60, abs=30), "not that of a job that has to wait"


async def test_it_sees_what_the_queue_was_not_told(database: Database) -> None:
    ids = await make_jobs(database, 3)
    async with database.write() as session:
        await session.execute(delete(OutboxRow).where(OutboxRow.job_id == ids[0]))
        await session.execute(
            update(OutboxRow).where(OutboxRow.job_id == ids[1]).values(created_at=db_now(-90))
        )
    found = await look(database)
    assert found.outbox_rows == 2
    assert found.outbox_lag == pytest.approx(90, abs=30)


@pytest.mark.parametrize(("lease", "silence"), [(600.0, 16), (2.0, 1.5)])
async def test_a_worker_is_missed_soon_however_long_leases_are(
    database: Database, lease: float, silence: float
) -> None:
    async with database.write() as session:
        await presence.sign(session, "a:1", 3)
        await session.execute(update(presence.WorkerSign).values(seen_at=db_now(-silence)))
    assert (await look(database, lease)).workers == {}
