"""What a worker holds: which attempt of which job. Every write of a worker goes through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Update, bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import LinkferryError
from shared.metrics import FENCED_WRITES
from shared.models import Job, JobState, table


class LeaseLost(LinkferryError):
    """Another worker owns the job now, or it was cancelled; stop, and write nothing."""


@dataclass(frozen=True)
class Fence:
    """Which attempt of which job a worker holds."""

    job_id: UUID
    attempt: int


_JOBS = table(Job)  # the plain table: nothing of what a session does for objects is needed here
OURS = update(_JOBS).where(_JOBS.c.state == JobState.RUNNING, _JOBS.c.cancel_requested.is_(False))
"""The start of every write of a worker: nobody cancelled the job. What follows names the attempt."""
_HELD = OURS.where(_JOBS.c.id == bindparam("held_id"), _JOBS.c.attempt == bindparam("held_attempt"))


async def fenced(session: AsyncSession, fence: Fence, **values: Any) -> None:
    """Write to a job that is still ours and that nobody cancelled; LeaseLost otherwise."""
    held = {"held_id": fence.job_id, "held_attempt": fence.attempt}
    if not await changed(session, _HELD.values(**values), held):
        FENCED_WRITES.inc()
        raise LeaseLost(f"job {fence.job_id} attempt {fence.attempt}")


async def changed(
    session: AsyncSession, statement: Update, parameters: dict[str, Any] | None = None
) -> Sequence[UUID]:
    """Run an update of jobs; the ids of those it changed."""
    if not statement._returning:
        statement = statement.returning(_JOBS.c.id).execution_options(synchronize_session=False)
    return (await session.scalars(statement, parameters)).all()
