"""A migrated database of each kind for the tests of what moves its rows, and the rows they begin with."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

import migrations
from shared import jobs
from shared.database import Database
from shared.ids import new_id
from shared.jobs import Ending, Fence, LeaseLost
from shared.models import Artifact, ArtifactKind, Base, Job, Request
from shared.settings import Settings
from tests.services import PrivatePostgres, postgres
from tests.sqlite import new_database

__all__ = ["postgres"]

SETTINGS = Settings(_env_file=None)
HOUR = 3600.0  # seconds
NAME = "linkferry_rows"  # of the PostgreSQL database

Connect = Callable[[], Database]


async def emptied(server: PrivatePostgres) -> str:
    """The address of a PostgreSQL database with today's schema and nothing in it; made once for all tests."""
    with server.admin() as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
        if not known:
            connection.execute(f'CREATE DATABASE "{NAME}"'.encode())
    database = Database(server.url(NAME))
    if known:
        async with database.write() as session:
            await session.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)}"))
    else:
        await migrations.upgrade(database)
    await database.close()
    return server.url(NAME)


@pytest.fixture(params=["sqlite", "postgresql"])
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    """Opens the same database, with today's schema, again and again, as processes of their own would."""
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            first = await new_database(tmp_path)
            url = str(first.engine.url)
            await first.close()
        else:
            url = await emptied(request.getfixturevalue("postgres"))

        def open_one() -> Database:
            database = Database(url)
            stack.push_async_callback(database.close)
            return database

        yield open_one


@pytest.fixture
def database(connect: Connect) -> Database:
    """An empty database with today's schema."""
    return connect()


_numbers = itertools.count(1)


async def make_job(
    database: Database,
    link: str | None = "https://a.example/1",
    user: str = "telegram:1",
    site: str = "a.example",
) -> UUID:
    """A queued job; fails when an identical one is active. None as link: one nobody else has."""
    link = link or f"https://{site}/own/{next(_numbers)}"
    async with database.write() as session:
        look = await jobs.look(session, event_key="", link_key=link, user_key=user)
        made = await jobs.insert(
            session, link=link, site=site, user_key=user, options={}, link_key=link, turn=look.turn
        )
    assert made is not None
    return made


async def make_jobs(database: Database, count: int, user: str = "telegram:1") -> list[UUID]:
    """Queued jobs of one person, in their order."""
    made = []
    async with database.write() as session:
        for _ in range(count):
            link = f"https://a.example/many/{next(_numbers)}"
            look = await jobs.look(session, event_key="", link_key=link, user_key=user)
            job_id = await jobs.insert(
                session, link=link, site="a.example", user_key=user, options={}, link_key=link, turn=look.turn
            )
            assert job_id is not None
            made.append(job_id)
    return made


async def make_request(database: Database, job_id: UUID, platform: str = "telegram", user: str = "u") -> UUID:
    """Somebody who waits for the job."""
    request = Request(
        id=new_id(), event_key=str(new_id()), platform=platform, chat_id="c", user_id=user, job_id=job_id
    )
    async with database.write() as session:
        session.add(request)
    return request.id


async def try_claim(
    database: Database, settings: Settings = SETTINGS, worker: str = "worker-1"
) -> Fence | None:
    """The next job, claimed, if there is one that may run."""
    async with database.write() as session:
        job = await jobs.claim(session, worker, settings)
    return None if job is None else Fence(job.id, job.attempt)


async def claim(database: Database) -> Fence:
    """The next job, claimed."""
    fence = await try_claim(database)
    assert fence is not None
    return fence


async def load(database: Database, job_id: UUID) -> Job:
    """The job as it is now."""
    async with database.read() as session:
        return (await session.scalars(select(Job).where(Job.id == job_id))).one()


def an_artifact(job_id: UUID) -> Artifact:
    """One stored file, about to be kept."""
    return Artifact(
        job_id=job_id, kind=ArtifactKind.VIDEO, format="mp4", file_name="a.mp4", content_type="video/mp4",
        storage_key=f"{job_id}/{new_id()}.mp4", size=1, sha256="0" * 64,
    )  # fmt: skip


async def finish(database: Database, fence: Fence, seconds: float = HOUR) -> None:
    """Done, with one file that lives so long."""
    async with database.write() as session:
        await end(session, fence, an_artifact(fence.job_id), seconds=seconds)


async def end(
    session: AsyncSession,
    fence: Fence,
    *artifacts: Artifact,
    seconds: float = HOUR,
    is_whole: bool = True,
) -> None:
    """Done, with these files; LeaseLost when the job is not ours any more."""
    ending = Ending(fence, artifacts, seconds, is_whole=is_whole)
    if not all(await jobs.finish_many(session, [ending])):
        raise LeaseLost
