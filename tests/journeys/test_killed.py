"""SIGKILL at any moment, start again: the job ends once, resumes its download, and is delivered once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bots.intake import Submitted
from linkferry.compose import Parts, open_parts
from shared.errors import FAILURES, Code
from shared.models import Artifact, Delivery, Job, JobState, Request
from tests.journeys.chat import RecordingChat
from tests.journeys.killable import MOMENTS
from tests.journeys.processes import Home, nothing_left, stop, wait_for_kill
from tests.journeys.service import settings_for, slowly, submit
from tests.services import free_port
from tests.site.server import MediaSite
from tests.waiting import eventually
from worker.sweep import Kind, sweep
from worker.tools import Tools

pytestmark = pytest.mark.slow

KILLABLE = ("-m", "tests.journeys.killable")
SIZE = 1_100_000  # bytes of the sample, about


@pytest.fixture
def home(tmp_path: Path, site: MediaSite) -> Home:
    """A service's whole world."""
    site.reset()
    return Home(tmp_path, site)


class Watcher:
    """Asks and looks from outside, through the database, as another process of the project does."""

    def __init__(self, parts: Parts, site: MediaSite) -> None:
        self.parts = parts
        self._site = site

    async def ask(self, link: str, **options: object) -> Submitted:
        """Send a link, and show that it is queued in a message that is edited later."""
        asked = await submit(self.parts, self._site, link, **options)
        async with self.parts.database.write() as session:
            shown = update(Request).where(Request.id == asked.request_id)
            await session.execute(shown.values(status_message=f"message of {asked.request_id}"))
        return asked

    async def job(self, asked: Submitted) -> Job:
        """The job as it is now."""
        async with self.parts.database.read() as session:
            return (await session.scalars(select(Job).where(Job.id == asked.job_id))).one()

    async def delivered(self, asked: Submitted) -> None:
        """Wait until the person has the result."""

        async def is_delivered() -> bool:
            async with self.parts.database.read() as session:
                request = await session.get_one(Request, asked.request_id)
            return request.delivery is Delivery.DELIVERED

        await eventually(is_delivered)

    async def orphans(self) -> int:
        """How many stored files no artifact names; they are deleted."""
        tools = Tools(self.parts.settings, self.parts.database, self.parts.storage, None, None)  # type: ignore[arg-type]
        return len([each async for each in sweep(tools, [Kind.ORPHAN])])

    async def missing_files(self) -> list[str]:
        """Artifacts whose file is not there."""
        async with self.parts.database.read() as session:
            keys = await session.scalars(select(Artifact.storage_key))
        return [key for key in keys if await self.parts.storage.size(key) is None]


@asynccontextmanager
async def watching(home: Home, site: MediaSite) -> AsyncIterator[Watcher]:
    """Open the data folder beside the service."""
    async with open_parts(settings_for(home.data, site)) as parts:
        yield Watcher(parts, site)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_job_survives_a_kill(moment: str, home: Home, site: MediaSite) -> None:
    async with watching(home, site) as watcher:
        # mp3 has to be encoded, so there is a conversion to be killed in
        asked = await watcher.ask(slowly(600_000), format="mp3")
        with home.running(*KILLABLE, KILL_AT=moment) as service:
            await asyncio.to_thread(wait_for_kill, service)
        assert nothing_left(home)
        with home.running(*KILLABLE) as service:
            await watcher.delivered(asked)
            assert await asyncio.to_thread(stop, service) == 0
        job = await watcher.job(asked)
        assert job.state is JobState.DONE
        assert job.failures == 0
        results = RecordingChat(home.chat).results(asked.request_id)
        assert [result["state"] for result in results] == ["done"]
        assert results[0]["message"] == f"message of {asked.request_id}"
        assert await watcher.missing_files() == []
        await watcher.orphans()
        stored = [path for path in (home.data / "files").rglob("*") if path.is_file()]
        async with watcher.parts.database.read() as session:
            assert len(stored) == len(list(await session.scalars(select(Artifact))))
    assert list((home.data / "work").iterdir()) == []
    assert site.bytes_sent < 1.5 * SIZE  # what had arrived was not fetched again
    assert nothing_left(home)


async def test_a_job_that_killed_three_services_is_quarantined_and_the_person_is_told(
    home: Home, site: MediaSite
) -> None:
    async with watching(home, site) as watcher:
        asked = await watcher.ask("/watch/sample")
        for _ in range(3):
            with home.running(*KILLABLE, KILL_AT="once it is claimed") as service:
                await asyncio.to_thread(wait_for_kill, service)
        with home.running(*KILLABLE) as service:
            await watcher.delivered(asked)
            await asyncio.to_thread(stop, service)
        job = await watcher.job(asked)
        assert (job.state, job.error_code, job.crashes) == (JobState.FAILED, Code.CRASHED, 3)
    (result,) = RecordingChat(home.chat).results(asked.request_id)
    assert result["error"].startswith(FAILURES[Code.CRASHED].sentence)


async def test_linkferry_up_resumes_after_sigterm_and_sigkill_in_the_middle_of_a_download(
    home: Home, site: MediaSite
) -> None:
    up, port = ("-m", "linkferry", "up"), str(free_port())
    part = "*/*.part"

    async def has_bytes() -> bool:
        return any(path.stat().st_size > 200_000 for path in (home.data / "work").glob(part))

    async with watching(home, site) as watcher:
        asked = await watcher.ask(slowly(250_000))
        with home.running(*up, LINKFERRY_PORT=port) as service:
            await eventually(has_bytes)
            assert await asyncio.to_thread(stop, service) == 0
        assert nothing_left(home)
        job = await watcher.job(asked)
        assert (job.state, job.crashes, job.failures, job.run_after) == (JobState.QUEUED, 0, 0, None)
        before = site.bytes_sent
        with home.running(*up, LINKFERRY_PORT=port) as service:
            await eventually(lambda: _more_than(site, before + 100_000))
            service.send_signal(signal.SIGKILL)
            await asyncio.to_thread(service.wait)
        assert nothing_left(home)
        with home.running(*up, LINKFERRY_PORT=port) as service:
            await eventually(lambda: _is(watcher, asked, JobState.DONE))
            assert await asyncio.to_thread(stop, service) == 0
        assert (await watcher.job(asked)).crashes == 1
    assert site.bytes_sent < 1.5 * SIZE
    assert nothing_left(home)


async def _more_than(site: MediaSite, count: int) -> bool:
    return site.bytes_sent > count


async def _is(watcher: Watcher, asked: Submitted, state: JobState) -> bool:
    return (await watcher.job(asked)).state is state
