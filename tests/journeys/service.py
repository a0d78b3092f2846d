"""The service in this process: the real parts and the real worker, with a chat that remembers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psutil
from sqlalchemy import select

from bots import intake
from bots.intake import Origin, Submitted
from linkferry import compose
from linkferry.compose import Parts, open_parts, running_worker
from shared import jobs
from shared.ids import new_id
from shared.link import parse_link
from shared.models import ArtifactKind, Delivery, Job, Request
from shared.options import Options
from shared.results import JobView
from shared.settings import Settings
from tests.journeys.chat import PLATFORM, RecordingChat
from tests.site.server import MediaSite
from tests.waiting import eventually
from worker.child import ChildServer

PATIENCE = 60.0  # seconds until a test gives up waiting


def settings_for(data_dir: Path, site: MediaSite, **changes: Any) -> Settings:
    """Settings that know nothing of this machine and may reach the media site only."""
    given: dict[str, Any] = {"data_dir": data_dir, "allowed_addresses": (f"127.0.0.1:{site.port}",)}
    return Settings(_env_file=None, **(given | changes))


@dataclass
class Service:
    """A running service, and what a person does with it."""

    parts: Parts
    site: MediaSite
    chat: RecordingChat = field(default_factory=RecordingChat)

    async def ask(self, link: str, who: str = "ann", **options: Any) -> Submitted:
        """Send a link: a path of the media site, or a whole address."""
        return await submit(self.parts, self.site, link, who, **options)

    async def get(self, link: str, who: str = "ann", **options: Any) -> JobView:
        """Send a link and wait for the end of its job."""
        return await self.ended(await self.ask(link, who, **options))

    async def ended(self, asked: Submitted) -> JobView:
        """Wait until the job has ended."""
        async with asyncio.timeout(PATIENCE):
            async for view in self.parts.follower.follow(asked.job_id, 0.1):
                if not view.state.is_active:
                    return view
        raise AssertionError("the job vanished")

    async def cancel(self, asked: Submitted) -> None:
        """The person who asked presses Cancel."""
        await intake.cancel(self.parts.database, self.parts.queue, asked.job_id, asked.request_id)

    async def told(self, asked: Submitted) -> dict[str, Any]:
        """Wait until the result was delivered; it must be the only one. Returns what the person saw."""

        async def is_delivered() -> bool:
            return (await self.request(asked)).delivery is Delivery.DELIVERED

        await eventually(is_delivered)
        results = self.chat.results(asked.request_id)
        assert len(results) == 1, results
        return results[0]

    async def job(self, job_id: UUID) -> Job:
        """The row of a job as it is now, joins not followed."""
        async with self.parts.database.read() as session:
            return (await session.scalars(select(Job).where(Job.id == job_id))).one()

    async def request(self, asked: Submitted) -> Request:
        """The row of a request as it is now."""
        async with self.parts.database.read() as session:
            return await session.get_one(Request, asked.request_id)

    async def file(self, view: JobView, kind: ArtifactKind, form: str | None = None) -> Path:
        """Where the stored file of a finished job lies."""
        async with self.parts.database.read() as session:
            job = await jobs.get(session, view.job_id)
        assert job is not None
        fitting = [a for a in job.artifacts if a.kind is kind and form in (None, a.format)]
        assert fitting, [(a.kind, a.format) for a in job.artifacts]
        return self.data_dir / "files" / fitting[0].storage_key

    async def downloading(self, asked: Submitted) -> None:
        """Wait until bytes of the job have arrived."""
        await eventually(lambda: self._has_bytes(asked.job_id))

    async def _has_bytes(self, job_id: UUID) -> bool:
        return any(path.stat().st_size for path in self.work_dir(job_id).glob("*.part"))

    async def is_tidy(self, asked: Submitted) -> bool:
        """Whether the work folder of the job is gone."""
        return not self.work_dir(asked.job_id).exists()

    def work_dir(self, job_id: UUID) -> Path:
        """The work folder of a job."""
        return self.data_dir / "work" / str(job_id)

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self.parts.settings.data_dir


async def submit(parts: Parts, site: MediaSite, link: str, who: str = "ann", **options: Any) -> Submitted:
    """What a chat's handler does with a link."""
    parsed = parse_link(site.url(link) if link.startswith("/") else link)
    origin = Origin(PLATFORM, f"chat of {who}", who, str(new_id()))
    return await parts.intake.submit(parsed, Options(**options), origin)


def slowly(rate: int, file: str = "media/sample.mp4") -> str:
    """A page whose video comes at `rate` bytes a second; the site is asked for the video itself only once."""
    return f"/embed/sample?media={quote(f'/fault/trickle/{file}?rate={rate}', safe='')}"


@asynccontextmanager
async def open_service(settings: Settings, site: MediaSite, children: ChildServer) -> AsyncIterator[Service]:
    """The composed service, except that its warm process is one that runs already."""

    @asynccontextmanager
    async def borrowed(*_: object) -> AsyncIterator[ChildServer]:
        yield children

    own = compose.ChildServer
    async with open_parts(settings) as parts:
        service = Service(parts, site)
        compose.ChildServer = borrowed  # type: ignore[assignment,misc]
        try:
            async with running_worker(parts, {PLATFORM: service.chat}):
                compose.ChildServer = own  # type: ignore[misc]
                yield service
        finally:
            compose.ChildServer = own  # type: ignore[misc]


def job_processes() -> list[str]:
    """The processes of jobs below this one: whatever a warm process has started, and ffmpeg."""
    found = []
    for process in psutil.Process().children():
        with suppress(psutil.Error):
            is_warm = "worker.child.zygote" in process.cmdline()
            candidates = process.children(recursive=True) if is_warm else [process]
            found += [description for each in candidates if (description := _job_process(each, is_warm))]
    return found


def _job_process(process: psutil.Process, is_child_of_warm: bool) -> str:
    with suppress(psutil.Error):
        is_tool = process.name() in ("ffmpeg", "ffprobe")
        if (is_child_of_warm or is_tool) and process.status() != psutil.STATUS_ZOMBIE:
            return f"{process.pid} {process.name()}"
    return ""


async def no_process_left() -> bool:
    """Whether no job has a process any more."""
    return not job_processes()
