"""Moments too short for a nemesis to hit, held open by hand on PostgreSQL: two transactions, step by step."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import migrations
from bots import intake
from bots.intake import Intake, Origin, Submitted
from shared import deliveries, jobs
from shared.database import Database
from shared.jobs import Fence
from shared.link import link_key, parse_link
from shared.models import Delivery, Job, JobState, Request
from shared.options import Options
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from shared.settings import Settings
from shared.stock import Stock
from shared.storage.local import LocalStorage
from tests.services import postgres, postgres_url
from tests.shared.conftest import an_artifact, end

__all__ = ["postgres", "postgres_url"]

PLATFORM = "chaos"
LINK = parse_link("https://a.example/1")
OPTIONS = Options()
SETTINGS = Settings(_env_file=None)


class Office:
    """What people and workers do with the database, whole or up to the moment before the commit."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self._queue = EmbeddedQueue()
        self._storage = LocalStorage(folder)
        self._intake = Intake(database, Outbox(database, self._queue), self._storage, SETTINGS)

    async def ask(self, who: str) -> Submitted:
        """Somebody sends the link."""
        return await self._intake.submit(LINK, OPTIONS, Origin(PLATFORM, who, who, who))

    @asynccontextmanager
    async def asking(self, who: str) -> AsyncIterator[Submitted]:
        """Somebody sends the link; committed when the block ends."""
        key, origin, stock = link_key(LINK, OPTIONS), Origin(PLATFORM, who, who, who), Stock(self._storage)
        async with self.database.write() as session:
            asked = await self._intake._try(session, LINK, OPTIONS, origin, key, stock)
            assert asked is not None
            yield asked

    async def cancel(self, asked: Submitted) -> None:
        """Who asked presses Cancel."""
        await intake.cancel(self.database, self._queue, asked.job_id, asked.request_id)

    async def claim(self) -> Fence:
        """A worker takes the next job."""
        async with self.database.write() as session:
            job = await jobs.claim(session, "worker", SETTINGS)
        assert job is not None
        return Fence(job.id, job.attempt)

    async def finish(self, fence: Fence) -> None:
        """A worker is done with it."""
        async with self.database.write() as session:
            await end(session, fence, an_artifact(fence.job_id))

    async def request(self, asked: Submitted) -> Request:
        """The row of a request."""
        async with self.database.read() as session:
            return await session.get_one(Request, asked.request_id)

    async def is_told(self, asked: Submitted) -> JobState:
        """Somebody brings the request what is due; returns what that is."""
        async with self.database.write() as session:
            (due,) = [r for r in await deliveries.claim(session, [PLATFORM]) if r.id == asked.request_id]
            job = await session.get_one(Job, due.job_id)
            return JobState.CANCELLED if due.cancelled else job.state


@pytest.fixture
async def office(postgres_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """An empty database with today's schema."""
    database = Database(postgres_url)
    await migrations.upgrade(database)
    yield Office(database, tmp_path)
    await database.close()


async def test_who_joins_a_job_in_the_moment_it_ends_is_told(office: Office) -> None:
    await office.ask("ann")
    fence = await office.claim()
    async with office.asking("bob") as bob:
        ending = asyncio.create_task(office.finish(fence))
        await asyncio.sleep(0.2)  # long enough to end, if nothing holds it back
    await ending
    assert await office.is_told(bob) is JobState.DONE


async def test_who_joins_a_job_while_its_end_is_written_is_told(office: Office) -> None:
    await office.ask("ann")
    fence = await office.claim()
    async with office.database.write() as session:
        await end(session, fence, an_artifact(fence.job_id))
        asking = asyncio.create_task(office.ask("bob"))
        await asyncio.sleep(0.2)
    bob = await asking
    if bob.job_id != fence.job_id:  # its files could not be seen yet, so it is fetched again
        await office.finish(await office.claim())
    assert await office.is_told(bob) is JobState.DONE


async def test_nobody_who_joins_a_job_is_cancelled_by_the_one_who_leaves_it(office: Office) -> None:
    ann = await office.ask("ann")
    async with office.asking("bob") as bob:
        leaving = asyncio.create_task(office.cancel(ann))
        await asyncio.sleep(0.2)
    await leaving
    assert await office.is_told(ann) is JobState.CANCELLED
    await office.finish(await office.claim())
    assert await office.is_told(bob) is JobState.DONE


async def test_who_joins_a_job_that_somebody_leaves_in_this_moment_gets_another_one(office: Office) -> None:
    ann = await office.ask("ann")
    async with office.database.write() as session:
        assert await jobs.leave(session, ann.request_id)
        asking = asyncio.create_task(office.ask("bob"))
        await asyncio.sleep(0.2)
        await jobs.cancel(session, ann.job_id)
    bob = await asking
    assert bob.job_id != ann.job_id
    await office.finish(await office.claim())
    assert await office.is_told(bob) is JobState.DONE


async def test_a_job_is_claimed_also_while_somebody_joins_it(office: Office) -> None:
    ann = await office.ask("ann")
    async with office.asking("bob"):
        assert (await office.claim()).job_id == ann.job_id


async def test_who_is_moved_to_a_twin_in_the_moment_that_ends_is_told(office: Office) -> None:
    await office.ask("ann")
    first = await office.claim()
    async with office.database.write() as session:
        await jobs.identify(session, first, "the same media")
    other = parse_link("https://a.example/other-spelling")
    bob = await office._intake.submit(other, OPTIONS, Origin(PLATFORM, "bob", "bob", "bob"))
    second = await office.claim()

    async def join() -> bool:
        async with office.database.write() as session:
            twin = await jobs.identify(session, second, "the same media")
            if twin is not None:
                await jobs.join(session, second, twin.id)
            return twin is not None

    async with office.database.write() as session:
        await end(session, first, an_artifact(first.job_id))
        joining = asyncio.create_task(join())
        await asyncio.sleep(0.2)
    if not await joining:  # its files could not be seen yet, so it goes on by itself
        await office.finish(second)
    assert await office.is_told(bob) is JobState.DONE


async def test_who_left_is_told_by_one_deliverer_also_when_the_job_ends_meanwhile(office: Office) -> None:
    ann = await office.ask("ann")
    fence = await office.claim()
    await office.cancel(ann)
    async with office.database.write() as session:
        assert len(await deliveries.claim(session, [PLATFORM])) == 1
    async with office.database.write() as session:
        assert await jobs.finish_cancelled(session, fence)
        assert await deliveries.claim(session, [PLATFORM]) == []


async def test_a_cancel_that_comes_after_the_result_changes_nothing(office: Office) -> None:
    """The chat showed the result but lost its answer, so the delivery is still pending."""
    ann = await office.ask("ann")
    await office.finish(await office.claim())
    await office.cancel(ann)
    request = await office.request(ann)
    assert (request.cancelled, request.delivery) == (False, Delivery.PENDING)
    assert await office.is_told(ann) is JobState.DONE
