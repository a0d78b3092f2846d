"""From the outbox to the queue: every row once it is for certain, also when many publish."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from shared import outbox as outbox_module
from shared import tracing
from shared.database import Database
from shared.models import Job, OutboxRow
from shared.outbox import BATCH, Outbox
from shared.queue import EmbeddedQueue, QueueUnavailable
from tests.shared.conftest import Connect, make_job, make_jobs
from tests.tracing import kept


class Recorder(EmbeddedQueue):
    """A queue that remembers what it got, or refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[UUID] = []
        self.refusing = False

    async def publish(self, job_ids: Sequence[UUID], traces: Mapping[UUID, str] | None = None) -> None:
        """Take the ids, not at once."""
        await asyncio.sleep(0.01)
        if self.refusing:
            raise QueueUnavailable("down")
        self.got += job_ids


async def waiting(database: Database) -> int:
    """How many rows wait."""
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(OutboxRow)) or 0


async def test_rows_are_published_in_their_order_and_then_forgotten(database: Database) -> None:
    ids, queue = await make_jobs(database, 5), Recorder()
    assert await Outbox(database, queue).publish() == 5
    assert queue.got == ids
    assert await waiting(database) == 0


async def test_what_the_queue_does_not_take_stays_for_the_next_time(database: Database) -> None:
    queue = Recorder()
    queue.refusing = True
    job_id = await make_job(database)
    with pytest.raises(QueueUnavailable):
        await Outbox(database, queue).publish()
    assert await waiting(database) == 1
    queue.refusing = False
    await Outbox(database, queue).publish()
    assert queue.got == [job_id]


async def test_another_process_publishes_the_row_with_the_trace_of_the_request(database: Database) -> None:
    with kept() as traces:
        with tracing.span("submit"):
            job_id = await make_job(database)
            async with database.write() as session:
                mine = update(Job).where(Job.id == job_id)
                await session.execute(mine.values(traceparent=tracing.current()))
        refusing, queue = Recorder(), EmbeddedQueue()
        refusing.refusing = True
        with pytest.raises(QueueUnavailable):
            await Outbox(database, refusing).publish()
        await Outbox(database, queue).publish()
        ticket = await queue.take()
        assert ticket.job_id == job_id
        with tracing.span("attempt", ticket.traceparent):
            pass
    failed, published = traces.named("publish")
    assert (failed.facts["error.type"], published.is_error) == ("QueueUnavailable", False)
    assert published.kind == "PRODUCER"
    assert traces.way(traces.one("attempt")) == ["submit", "publish", "attempt"]


async def test_jobs_without_a_trace_are_published_without_one(database: Database) -> None:
    job_id, queue = await make_job(database), EmbeddedQueue()
    with kept() as traces:
        await Outbox(database, queue).publish()
    ticket = await queue.take()
    assert (ticket.job_id, ticket.traceparent, list(traces.ended())) == (job_id, None, [])


@pytest.mark.parametrize("connect", ["postgresql"], indirect=True)
async def test_processes_that_publish_at_once_do_not_publish_the_same(connect: Connect) -> None:
    queue, databases = Recorder(), [connect() for _ in range(3)]
    ids = await make_jobs(databases[0], 30)
    await asyncio.gather(*(Outbox(database, queue).publish() for database in databases))
    assert sorted(queue.got) == sorted(ids)


async def test_it_outlives_an_outage_and_publishes_more_than_a_batch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "LOOK_INTERVAL", 0.02)
    queue = Recorder()
    queue.refusing = True
    running = asyncio.create_task(Outbox(database, queue).run())
    ids = await make_jobs(database, BATCH + 5)
    await asyncio.sleep(0.1)
    queue.refusing = False
    async with asyncio.timeout(40):
        while await waiting(database):
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert queue.got == ids
