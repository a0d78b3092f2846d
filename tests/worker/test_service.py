"""Two attempts at one job at the same time: the stale one writes nothing."""

import asyncio
import errno
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import pytest_asyncio
from sqlalchemy import select

from linkferry.compose import open_parts
from shared import jobs
from shared.database import Database
from shared.errors import Code, JobError
from shared.models import Artifact, Delivery, Job, JobState, Request
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.journeys.chat import RecordingChat
from tests.journeys.processes import Home, nothing_left, stop
from tests.journeys.service import Service, job_processes, open_service, settings_for, slowly, submit
from tests.shared.conftest import claim, load, make_job
from tests.site.server import MediaSite
from tests.sqlite import new_database
from tests.waiting import eventually
from worker.child import ChildServer
from worker.service import Worker, _first
from worker.supervise import _settle
from worker.tools import Tools

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def service(tmp_path: Path, site: MediaSite) -> AsyncIterator[Service]:
    """A running service with an empty data folder."""
    site.reset()
    async with (
        ChildServer() as children,
        open_service(settings_for(tmp_path / "data", site), site, children) as running,
    ):
        yield running


@pytest.mark.slow
async def test_an_attempt_that_lost_its_lease_ends_before_the_next_one_works_in_its_folder(
    service: Service, site: MediaSite
) -> None:
    asked = await service.ask(slowly(500_000))
    await service.downloading(asked)
    most = 0

    async def has_ended() -> bool:
        nonlocal most
        most = max(most, len([process for process in job_processes() if "ff" not in process]))
        return not (await service.job(asked.job_id)).state.is_active

    async with service.parts.database.write() as session:  # as after a night's sleep of the machine
        await jobs.requeue_expired(session, everything=True)
    await eventually(has_ended)
    job = await service.job(asked.job_id)
    assert (job.state, job.attempt, job.crashes) == (JobState.DONE, 2, 1)
    assert most == 1
    assert (await service.told(asked))["state"] == "done"
    assert site.bytes_sent < 1_700_000  # the file once, and what was under way


async def test_a_job_taken_over_here_can_still_be_cancelled(service: Service) -> None:
    asked = await service.ask(slowly(100_000))
    await service.downloading(asked)
    async with service.parts.database.write() as session:
        await jobs.requeue_expired(session, everything=True)

    async def is_taken_over() -> bool:
        job = await service.job(asked.job_id)
        return job.attempt == 2 and job.stage is not None

    await eventually(is_taken_over)
    await service.cancel(asked)
    assert (await service.told(asked))["error"] == JobError(Code.CANCELLED).message


@dataclass
class Waiting:
    """A claimed job whose earlier attempt does not end."""

    worker: Worker
    database: Database
    job: Job
    attempt: asyncio.Task[None]


@pytest_asyncio.fixture(loop_scope="session")
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty one."""
    database = await new_database(tmp_path)
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def waiting(tmp_path: Path, database: Database) -> AsyncIterator[Waiting]:
    """The new attempt has told the earlier one to end, and waits."""
    settings = Settings(_env_file=None, data_dir=tmp_path, lease=6)  # type: ignore[call-arg]
    tools = Tools(settings, database, LocalStorage(tmp_path / "files"), None, None)  # type: ignore[arg-type]
    queue, deliverer = EmbeddedQueue(), SimpleNamespace(nudge=lambda: None)
    worker = Worker(tools, queue, Outbox(database, queue), deliverer)  # type: ignore[arg-type]
    await make_job(database)
    async with database.write() as session:
        job = await jobs.claim(session, "a:1", settings)
    assert job is not None
    never_ends, told = asyncio.create_task(asyncio.sleep(3600)), asyncio.Event()
    worker._carrying[job.id], worker._cancels[job.id] = never_ends, told
    attempt = asyncio.create_task(worker._carry(job))
    await asyncio.wait_for(told.wait(), 30)
    yield Waiting(worker, database, job, attempt)
    never_ends.cancel()
    attempt.cancel()
    await asyncio.wait([never_ends, attempt])
    assert not worker._carrying and not worker._cancels


async def test_a_job_that_waits_for_its_earlier_attempt_is_handed_back_when_the_worker_stops(
    waiting: Waiting,
) -> None:
    waiting.attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.attempt
    row = await load(waiting.database, waiting.job.id)
    assert (row.state, row.worker, row.crashes) == (JobState.QUEUED, None, 0)


async def test_a_job_that_waits_for_its_earlier_attempt_keeps_its_lease_and_can_be_cancelled(
    waiting: Waiting,
) -> None:
    async def is_renewed() -> bool:
        now = (await load(waiting.database, waiting.job.id)).lease_until
        return now is not None and waiting.job.lease_until is not None and now > waiting.job.lease_until

    await eventually(is_renewed)
    async with waiting.database.write() as session:
        await jobs.cancel(session, waiting.job.id)
    waiting.worker._cancels[waiting.job.id].set()
    await asyncio.wait_for(waiting.attempt, 30)
    assert (await load(waiting.database, waiting.job.id)).state is JobState.CANCELLED


async def test_a_disk_without_room_for_a_folder_is_said_to_be_full(database: Database) -> None:
    await make_job(database)
    fence = await claim(database)
    job = await load(database, fence.job_id)
    async with database.write() as session:
        assert not await _settle(session, job, fence, OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert (await load(database, job.id)).error_code == Code.DISK_FULL


async def test_a_database_that_refuses_a_claim_costs_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = jobs.claim_many, []

    async def claim(*args: object) -> list[Job]:
        if not refused:
            refused.append(args)
            raise OSError("the disk went away for a moment")
        return await real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "claim_many", claim)
    assert (await service.get("/media/sample.mp4")).state is JobState.DONE
    assert refused


@pytest.fixture
def home(tmp_path: Path, site: MediaSite) -> Iterator[Home]:
    """The world of services in processes of their own; whatever was stopped there is ended."""
    site.reset()
    home = Home(tmp_path, site)
    yield home
    assert nothing_left(home)


async def _suspend(tree: list[psutil.Process], database: Path) -> None:
    """Freeze them all, but not in the middle of a write: SQLite's lock would freeze everybody else."""
    for _ in range(50):
        for process in tree:
            process.suspend()
        if not await asyncio.to_thread(_is_locked, database):
            return
        for process in tree:
            process.resume()
        await asyncio.sleep(0.02)
    raise AssertionError("it was always writing")


def _is_locked(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


@pytest.mark.slow
async def test_a_worker_that_slept_through_its_lease_writes_nothing_when_it_wakes(
    home: Home, site: MediaSite
) -> None:
    command = ("-m", "tests.journeys.killable")
    async with open_parts(settings_for(home.data, site)) as parts:
        asked = await submit(parts, site, slowly(200_000))

        async def is_delivered() -> bool:
            async with parts.database.read() as session:
                return (await session.get_one(Request, asked.request_id)).delivery is Delivery.DELIVERED

        async def has_bytes() -> bool:
            return any(path.stat().st_size > 100_000 for path in (home.data / "work").glob("*/*.part"))

        async def has_noticed() -> bool:
            return "somebody else has the job now" in home.log_text()

        with home.running(*command) as sleeper:
            await eventually(has_bytes)
            asleep = psutil.Process(sleeper.pid)
            tree = [asleep, *asleep.children(recursive=True)]
            await _suspend(tree, home.data / "linkferry.db")
            with home.running(*command, SHARE="1") as other:
                await eventually(is_delivered)
                for process in tree:
                    process.resume()
                await eventually(has_noticed)
                assert await asyncio.to_thread(stop, other) == 0
            sleeper.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(sleeper.wait, 60) == 0
        async with parts.database.read() as session:
            keys = list(await session.scalars(select(Artifact.storage_key)))
            job = (await session.scalars(select(Job))).one()
        assert (job.state, job.attempt, job.crashes) == (JobState.DONE, 2, 1)
        assert keys
        assert all(Path(key).name.startswith("2.") for key in keys)
        stored = [path for path in (home.data / "files").rglob("*") if path.is_file()]
        assert len(stored) == len(keys)
    assert len(RecordingChat(home.chat).results(asked.request_id)) == 1


async def test_a_worker_that_is_cancelled_while_it_stops_waiting_hears_of_it() -> None:
    stopping, told = asyncio.Event(), asyncio.Event()

    async def lingering() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.set()
            await asyncio.sleep(0)

    waiting = asyncio.create_task(_first(lingering(), asyncio.ensure_future(stopping.wait())))
    await asyncio.sleep(0)
    stopping.set()
    await told.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
