"""Where a job is."""

from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from shared.jobs.making import MAX_JOIN_HOPS
from shared.models import Job, JobState


async def get(session: AsyncSession, job_id: UUID) -> Job | None:
    """One job with its artifacts; joins followed."""
    for _ in range(MAX_JOIN_HOPS):
        job = await session.scalar(select(Job).where(Job.id == job_id).options(selectinload(Job.artifacts)))
        if job is None or job.joined_to is None:
            return job
        job_id = job.joined_to
    return None


async def state_of(session: AsyncSession, job_id: UUID) -> JobState | None:
    """The state alone; None when there is no such job."""
    return await session.scalar(select(Job.state).where(Job.id == job_id))


async def position(session: AsyncSession, job: Job) -> int:
    """How many queued jobs are served before this one, plus one."""
    ahead = or_(Job.turn < job.turn, and_(Job.turn == job.turn, Job.id < job.id))
    counted = select(func.count()).select_from(Job).where(Job.state == JobState.QUEUED, ahead)
    return (await session.scalar(counted) or 0) + 1
