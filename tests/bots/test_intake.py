"""Who asks for a link that somebody has asked for before, on each kind of database."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

import shared.stock
from bots.intake import Intake, Origin, Submitted
from shared import jobs
from shared.database import Database, db_now
from shared.errors import Code, JobError
from shared.jobs import Fence
from shared.link import parse_link
from shared.models import Artifact, JobState
from shared.options import Options
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from shared.retry import Verdict
from shared.storage import StorageError
from tests.bots.room import has_no_room, tell
from tests.cellar import Cellar
from tests.shared.conftest import SETTINGS, claim, end, finish, load
from tests.subjects import recorded

SHORT, LONG = "https://a.example/short", "https://a.example/long"
PATIENCE = 60.0  # seconds until a test gives up


class Office:
    """People who send links, and a worker that does what it is told."""

    def __init__(self, database: Database, cellar: Cellar) -> None:
        self.database = database
        self.cellar = cellar
        self._intake = Intake(database, Outbox(database, EmbeddedQueue()), cellar, SETTINGS)
        self._events = itertools.count()

    async def ask(self, link: str, who: str = "ann") -> Submitted:
        """Somebody sends a link."""
        origin = Origin("telegram", f"chat of {who}", who, f"event {next(self._events)}")
        return await self._intake.submit(parse_link(link), Options(), origin)

    async def joined(self) -> Fence:
        """A job to which the job of another spelling has been joined; it still runs."""
        await self.ask(SHORT)
        first = await claim(self.database)
        await self.ask(LONG, "bob")
        second = await claim(self.database)
        async with self.database.write() as session:
            assert await jobs.identify(session, first, "the same media") is None
            twin = await jobs.identify(session, second, "the same media")
            assert twin is not None
            await jobs.join(session, second, twin.id)
        return first

    async def fetched(self, link: str, seconds: float = 3600) -> Fence:
        """A job that somebody asked for, done; its file lives so long."""
        await self.ask(link)
        fence = await claim(self.database)
        await finish(self.database, fence, seconds)
        return fence

    async def live(self, seconds: float) -> bool:
        """Whether every file lives so long from now."""
        async with self.database.read() as session:
            return not (
                await session.scalars(select(Artifact).where(Artifact.expires_at < db_now(seconds)))
            ).all()

    async def deleted(self) -> list[bool]:
        """Of each file, whether it counts as deleted."""
        async with self.database.read() as session:
            return [when is not None for when in await session.scalars(select(Artifact.deleted_at))]


@pytest.fixture
def office(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Nobody has asked for anything."""
    monkeypatch.setattr(shared.stock, "PATIENCE", PATIENCE)
    return Office(database, Cellar(tmp_path))


async def expires(database: Database, fence: Fence) -> None:
    await finish(database, fence)
    async with database.write() as session:
        await session.execute(update(Artifact).values(expires_at=db_now(-1)))


async def is_revoked(database: Database, fence: Fence) -> None:
    await finish(database, fence)
    async with database.write() as session:
        await jobs.revoke(session, fence.job_id)


async def fails(database: Database, fence: Fence) -> None:
    async with database.write() as session:
        await jobs.fail(session, fence, JobError(Code.PRIVATE), Verdict(None), "a.example")


async def is_cancelled(database: Database, fence: Fence) -> None:
    async with database.write() as session:
        await jobs.cancel(session, fence.job_id)


async def has_stopped(database: Database, fence: Fence) -> None:
    await is_cancelled(database, fence)
    async with database.write() as session:
        assert await jobs.finish_cancelled(session, fence)


async def was_a_look(database: Database, fence: Fence) -> None:
    async with database.write() as session:
        await end(session, fence)


ENDS = [expires, is_revoked, fails, is_cancelled, has_stopped, was_a_look]


@pytest.mark.parametrize("ends", ENDS, ids=lambda end: end.__name__)
async def test_a_link_whose_job_joined_another_is_answered_also_when_that_one_has_nothing_for_it(
    office: Office, ends: Callable[[Database, Fence], Awaitable[None]]
) -> None:
    first = await office.joined()
    await ends(office.database, first)
    again = await office.ask(LONG, "cy")
    assert (await load(office.database, again.job_id)).state is JobState.QUEUED
    assert (await office.ask(LONG, "di")).job_id == again.job_id


async def test_others_can_write_while_the_storage_thinks(office: Office) -> None:
    done = await office.fetched(SHORT)
    office.cellar.answers.clear()
    async with asyncio.timeout(PATIENCE):
        asking = asyncio.create_task(office.ask(SHORT, "bob"))
        await office.cellar.asked.wait()
        other = await office.ask(LONG, "cy")
        office.cellar.answers.set()
        assert (await asking).job_id == done.job_id
    assert other.job_id != done.job_id


async def test_files_that_somebody_asks_for_again_are_kept_as_long_as_new_ones(office: Office) -> None:
    await office.fetched(SHORT, seconds=60)
    await office.ask(SHORT, "bob")
    assert await office.live(SETTINGS.retention - 60)


async def test_files_that_somebody_removed_are_fetched_again_and_are_marked(office: Office) -> None:
    done = await office.fetched(SHORT)
    office.cellar.has_it = False
    again = await office.ask(SHORT, "bob")
    assert again.job_id != done.job_id
    assert await office.deleted() == [True]


async def test_files_taken_back_while_the_storage_thinks_are_fetched_again(office: Office) -> None:
    done = await office.fetched(SHORT)
    office.cellar.answers.clear()
    async with asyncio.timeout(PATIENCE):
        asking = asyncio.create_task(office.ask(SHORT, "bob"))
        await office.cellar.asked.wait()
        async with office.database.write() as session:
            await jobs.revoke(session, done.job_id)
        office.cellar.answers.set()
        again = await asking
    assert again.job_id != done.job_id
    assert (await load(office.database, again.job_id)).state is JobState.QUEUED


@pytest.mark.parametrize("how", ["refuses", "hangs"])
async def test_while_the_storage_is_away_the_word_of_the_database_counts(
    office: Office, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    done = await office.fetched(SHORT)
    monkeypatch.setattr(shared.stock, "PATIENCE", 0.05)
    office.cellar.has_it = StorageError("away")
    if how == "hangs":
        office.cellar.answers.clear()
    with recorded() as lines:
        assert (await office.ask(SHORT, "bob")).job_id == done.job_id
    assert any("the storage is away" in line.getMessage() for line in lines)
    assert await office.deleted() == [False]


async def test_a_database_without_room_is_a_full_disk(office: Office) -> None:
    taken = await office.ask(SHORT)
    async with has_no_room(office.database):
        with pytest.raises(JobError) as raised, recorded() as lines:
            await office.ask(LONG)
    assert raised.value.code is Code.DISK_FULL
    assert any("the database has no room" in line.getMessage() for line in lines)
    assert (await office.ask(SHORT, "bob")).job_id == taken.job_id


async def test_what_else_the_database_refuses_is_no_full_disk(office: Office) -> None:
    await tell(office.database, "ALTER TABLE requests RENAME TO gone")
    try:
        with pytest.raises(DBAPIError, match="requests"):
            await office.ask(SHORT)
    finally:
        await tell(office.database, "ALTER TABLE gone RENAME TO requests")
