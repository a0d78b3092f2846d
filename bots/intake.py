"""Command -> request + job + outbox row, in one transaction. The only way work enters Linkferry."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs
from shared.database import Database
from shared.ids import new_id
from shared.link import Link, link_key
from shared.models import Artifact, Job, Request
from shared.options import Options
from shared.outbox import publish_outbox
from shared.queue import Queue
from shared.settings import Settings
from shared.storage import Storage


@dataclass(frozen=True)
class Origin:
    """Who asked, where, in which event. `event_key` is unique per event, also when it arrives twice."""

    platform: str
    chat_id: str
    user_id: str
    event_key: str
    thread_id: str | None = None

    @property
    def user_key(self) -> str:
        """The person, across chats of one platform."""
        return f"{self.platform}:{self.user_id}"


@dataclass(frozen=True)
class Submitted:
    """What became of a message. `is_new` is False when the event had been seen before."""

    request_id: UUID
    job_id: UUID
    is_new: bool


class Intake:
    """Takes requests in. Holds the ports; each call is one transaction."""

    def __init__(self, database: Database, queue: Queue, storage: Storage, settings: Settings) -> None:
        self._database = database
        self._queue = queue
        self._storage = storage
        self._retention = settings.retention

    async def submit(self, link: Link, options: Options, origin: Origin) -> Submitted:
        """Store the request and let a job carry it: an active or finished identical one, else a new one."""
        key = link_key(link, options)
        await self._forget_lost_files(key)
        async with self._database.write() as session:
            seen = await _find_request(session, origin.event_key)
            if seen is not None:
                return Submitted(seen.id, seen.job_id, is_new=False)
            job_id = await self._carrier(session, link, options, origin, key)
            request = Request(
                id=new_id(),
                event_key=origin.event_key,
                platform=origin.platform,
                chat_id=origin.chat_id,
                thread_id=origin.thread_id,
                user_id=origin.user_id,
                job_id=job_id,
            )
            session.add(request)
        await publish_outbox(self._database, self._queue)
        return Submitted(request.id, job_id, is_new=True)

    async def _carrier(
        self, session: AsyncSession, link: Link, options: Options, origin: Origin, key: str
    ) -> UUID:
        for _ in range(2):  # a rival may finish or cancel between the two looks; the second one settles it
            reusable = await jobs.find_reusable(session, link_key=key)
            if reusable is not None:
                if not reusable.state.is_active:
                    await jobs.prolong(session, reusable.id, self._retention)
                    await jobs.wake(session, reusable.id)
                return reusable.id
            made = await jobs.insert(
                session,
                link=link.url,
                site=link.site,
                user_key=origin.user_key,
                options=options.model_dump(mode="json"),
                link_key=key,
            )
            if made is not None:
                return made
        raise RuntimeError("two rivals for one link, twice")

    async def _forget_lost_files(self, key: str) -> None:
        """A finished job whose files somebody removed by hand does not answer; mark what is gone."""
        async with self._database.read() as session:
            job = await jobs.find_reusable(session, link_key=key)
            if job is None or job.state.is_active:
                return
            artifacts = list(await session.scalars(select(Artifact).where(Artifact.job_id == job.id)))
        lost = [artifact.id for artifact in artifacts if not await self._storage.exists(artifact.storage_key)]
        if lost:
            async with self._database.write() as session:
                await jobs.mark_deleted(session, lost)


async def _find_request(session: AsyncSession, event_key: str) -> Request | None:
    return await session.scalar(select(Request).where(Request.event_key == event_key))


async def cancel(database: Database, queue: Queue, job_id: UUID, request_id: UUID | None = None) -> None:
    """Cancel one request, and its job when nobody else waits for it; None cancels the job for everybody."""
    async with database.write() as session:
        if request_id is not None and not await jobs.leave(session, request_id):
            return
        job = await session.get(Job, job_id)
        while job is not None and job.joined_to is not None:
            job = await session.get(Job, job.joined_to)
        if job is None:
            return
        await jobs.cancel(session, job.id)
    await queue.publish_cancel(job.id)
