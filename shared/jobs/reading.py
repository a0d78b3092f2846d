"""Where a job is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from sqlalchemy import Float, and_, bindparam, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from shared.database import db_now, padded
from shared.errors import Code
from shared.ids import user_key
from shared.jobs.making import MAX_JOIN_HOPS
from shared.models import Artifact, Job, JobState, Request, WorkerSign

# Statements that every look at a job needs are built once: building one costs more than running it.

_ONE = select(Job).where(Job.id == bindparam("id"))
_MANY = select(Job).where(Job.id.in_(bindparam("ids", expanding=True)))
_THEIR_FILES = (
    select(Artifact).where(Artifact.job_id.in_(bindparam("ids", expanding=True))).order_by(Artifact.id)
)
_EARLIER = or_(Job.turn < bindparam("turn"), and_(Job.turn == bindparam("turn"), Job.id < bindparam("id")))
_AHEAD = select(func.count()).select_from(Job).where(Job.state == JobState.QUEUED, _EARLIER)

RECENT = 20  # finished jobs whose length tells how long the next ones take
_LAST = (
    select(Job.started_at, Job.finished_at)
    .where(Job.state == JobState.DONE)
    .order_by(Job.finished_at.desc())
    .limit(RECENT)
    .subquery()
)
_ALL = (
    select(func.sum(WorkerSign.slots).label("slots"))
    .where(WorkerSign.seen_at > db_now(bindparam("since", type_=Float)))
    .subquery()
)
_PACE = select(_ALL.c.slots, _LAST.c.started_at, _LAST.c.finished_at).select_from(
    _ALL.outerjoin(_LAST, true())
)


@dataclass(frozen=True)
class Pace:
    """How fast queued jobs are taken.

    `slots` is how many jobs all workers together carry at once: 0 while none has room, None without a worker.
    `length` is the mean of the last jobs in seconds, None before the first has ended.
    """

    slots: int | None
    length: float | None

    def starts_in(self, place: int) -> float | None:
        """Seconds until the job at this place in the queue starts, if it goes as the last ones did."""
        return ceil(place / self.slots) * self.length if self.slots and self.length is not None else None


async def get(session: AsyncSession, job_id: UUID) -> Job | None:
    """One job with its artifacts; joins followed."""
    for _ in range(MAX_JOIN_HOPS):
        job = await session.scalar(_ONE, {"id": job_id})
        if job is None:
            return None
        if job.joined_to is None:
            await _bring_files(session, [job])
            return job
        job_id = job.joined_to
    return None


async def get_many(session: AsyncSession, job_ids: Sequence[UUID]) -> dict[UUID, Job]:
    """Jobs with their artifacts, by id. Requests move when a job joins another, so no join is followed."""
    if not job_ids:
        return {}
    found = (await session.scalars(_MANY, {"ids": padded(job_ids)})).all()
    await _bring_files(session, found)
    return {job.id: job for job in found}


async def _bring_files(session: AsyncSession, found: Sequence[Job]) -> None:
    """The artifacts of these jobs. They appear in the moment a job is done, so no other has any."""
    files: dict[UUID, list[Artifact]] = defaultdict(list)
    if done := [job.id for job in found if job.state is JobState.DONE]:
        for file in await session.scalars(_THEIR_FILES, {"ids": padded(done)}):
            files[file.job_id].append(file)
    for job in found:
        set_committed_value(job, "artifacts", files[job.id])


async def state_of(session: AsyncSession, job_id: UUID) -> JobState | None:
    """The state alone; None when there is no such job."""
    return await session.scalar(select(Job.state).where(Job.id == job_id))


async def waiting(session: AsyncSession, job_id: UUID) -> list[str]:
    """Who waits for a job, in the order they asked; named as the person who pays for it is."""
    query = select(Request.platform, Request.user_id).where(
        Request.job_id == job_id, Request.cancelled.is_(False)
    )
    asked = await session.execute(query.order_by(Request.id))
    return list(dict.fromkeys(user_key(platform, user_id) for platform, user_id in asked))


async def traces(session: AsyncSession, job_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Where the traces of these jobs go on, of those that have one."""
    query = select(Job.id, Job.traceparent).where(Job.id.in_(padded(job_ids)))
    return {job_id: trace for job_id, trace in (await session.execute(query)).all() if trace}


async def position(session: AsyncSession, job: Job) -> int:
    """How many queued jobs are served before this one, plus one."""
    return (await session.scalar(_AHEAD, {"turn": job.turn, "id": job.id}) or 0) + 1


async def positions(session: AsyncSession, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The places of queued jobs in the queue, in one question."""
    place = func.row_number().over(order_by=(Job.turn, Job.id)).label("place")
    line = select(Job.id, place).where(Job.state == JobState.QUEUED).subquery()
    found = await session.execute(select(line.c.id, line.c.place).where(line.c.id.in_(job_ids)))
    return {row.id: row.place for row in found}


async def pace(session: AsyncSession, within: float) -> Pace:
    """How fast it goes, with the workers that signed within so many seconds."""
    rows = (await session.execute(_PACE, {"since": -within})).all()
    lengths = [(done - begun).total_seconds() for _, begun, done in rows if begun and done]
    return Pace(rows[0].slots, sum(lengths) / len(lengths) if lengths else None)


async def recent(session: AsyncSession, state: JobState | None, limit: int) -> list[Job]:
    """The newest jobs, of one state or of all."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    return list(await session.scalars(query if state is None else query.where(Job.state == state)))


async def quarantined(session: AsyncSession) -> list[Job]:
    """Jobs that brought down too many workers, newest first."""
    query = select(Job).where(Job.state == JobState.FAILED, Job.error_code == Code.CRASHED)
    return list(await session.scalars(query.order_by(Job.id.desc()).limit(100)))
