"""Who works, and when a job that waits will start: what `/status`, health and doctor tell."""

from pathlib import Path

import pytest
from sqlalchemy import update

from bots.follow import Follower
from shared import jobs, presence
from shared.database import Database, db_now
from shared.errors import Code, JobError
from shared.keys import load_keys
from shared.links import Links
from shared.models import Job, JobState, WorkerSign
from shared.queue import EmbeddedQueue
from shared.results import Results
from shared.settings import Settings
from tests.shared.conftest import SETTINGS, claim, finish, make_job, make_jobs


@pytest.fixture
def follower(database: Database, tmp_path: Path) -> Follower:
    """What every front end asks where a job is."""
    settings = Settings(_env_file=None, data_dir=tmp_path)
    results = Results(settings, Links(load_keys(settings)))
    return Follower(database, EmbeddedQueue(), results, SETTINGS.lease)


async def sign(database: Database, name: str, slots: int = 3) -> None:
    """A worker says that it is there."""
    async with database.write() as session:
        await presence.sign(session, name, slots)


async def alive(database: Database, within: float = 10) -> dict[str, int]:
    """Who is there."""
    async with database.read() as session:
        return await presence.alive(session, within)


async def test_a_worker_is_alive_from_its_sign_until_it_signs_off(database: Database) -> None:
    await sign(database, "a:1", slots=3)
    await sign(database, "b:2", slots=2)
    await sign(database, "a:1", slots=4)
    assert await alive(database) == {"a:1": 4, "b:2": 2}
    async with database.write() as session:
        await presence.sign_off(session, "a:1")
    assert await alive(database) == {"b:2": 2}


async def test_a_worker_that_stays_silent_is_missed_and_in_the_end_forgotten(database: Database) -> None:
    await sign(database, "a:1")
    async with database.write() as session:
        await session.execute(update(WorkerSign).values(seen_at=db_now(-11)))
    assert await alive(database) == {}
    assert await alive(database, within=60) == {"a:1": 3}
    async with database.write() as session:
        await session.execute(update(WorkerSign).values(seen_at=db_now(-presence.FORGOTTEN - 1)))
    await sign(database, "b:2")
    assert await alive(database, within=presence.FORGOTTEN * 2) == {"b:2": 3}


async def test_slots_of_all_workers_add_up(database: Database) -> None:
    async with database.read() as session:
        assert (await jobs.pace(session, 60)).slots is None
    await sign(database, "a:1", slots=3)
    await sign(database, "b:2", slots=2)
    async with database.read() as session:
        assert (await jobs.pace(session, 60)).slots == 5


async def test_a_queued_job_tells_its_place_and_when_it_starts_if_all_goes_on_like_this(
    database: Database, follower: Follower
) -> None:
    for _ in range(2):
        await make_job(database, None)
        await finish(database, await claim(database))
    async with database.write() as session:
        await session.execute(update(Job).values(started_at=db_now(-30), finished_at=db_now()))
    waiting = await make_jobs(database, 5)
    alone = await follower.view(waiting[0])
    assert alone and (alone.position, alone.starts_in) == (1, None), "nobody is there to start it"
    await sign(database, "a:1", slots=2)
    views = [await follower.view(job_id) for job_id in waiting]
    assert [view and view.position for view in views] == [1, 2, 3, 4, 5]
    starts = [view.starts_in if view else None for view in views]
    assert starts == pytest.approx([30, 30, 60, 60, 90], abs=1)


async def test_a_queued_job_says_so_when_no_worker_has_room(database: Database, follower: Follower) -> None:
    job_id = await make_job(database)
    for slots, obstacle in ((0, JobError(Code.DISK_FULL).message), (2, None)):
        await sign(database, "a:1", slots=slots)
        for view in (await follower.view(job_id), (await follower.views([job_id]))[job_id]):
            assert view and (view.obstacle, view.position) == (obstacle, 1)


async def test_nobody_promises_when_a_job_starts_before_the_first_one_has_ended(
    database: Database, follower: Follower
) -> None:
    view = await follower.view(await make_job(database))
    assert view and (view.position, view.starts_in) == (1, None)


async def test_a_running_job_has_no_place_in_the_queue(database: Database, follower: Follower) -> None:
    job_id = await make_job(database)
    await claim(database)
    view = await follower.view(job_id)
    assert view and (view.state, view.position, view.starts_in) == (JobState.RUNNING, None, None)
