"""What a worker holds: which attempt of which job. Every write of a worker goes through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Update, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import LinkferryError
from shared.models import Job, JobState

ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class LeaseLost(LinkferryError):
    """Another worker owns the job now, or it was cancelled; stop, and write nothing."""


@dataclass(frozen=True)
class Fence:
    """Which attempt of which job a worker holds."""

    job_id: UUID
    attempt: int


async def fenced(session: AsyncSession, fence: Fence, **values: Any) -> None:
    """Write to a job that is still ours and that nobody cancelled; LeaseLost otherwise."""
    mine = (Job.id == fence.job_id, Job.attempt == fence.attempt, Job.state == JobState.RUNNING)
    statement = update(Job).where(*mine, Job.cancel_requested.is_(False)).values(**values)
    if not await changed(session, statement):
        raise LeaseLost(f"job {fence.job_id} attempt {fence.attempt}")


async def changed(session: AsyncSession, statement: Update) -> Sequence[UUID]:
    """Run an update of jobs; the ids of those it changed."""
    statement = statement.execution_options(synchronize_session=False)
    return (await session.scalars(statement.returning(Job.id))).all()
