"""What every end of a job has in common: the columns it sets, and the people who are now to be told."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, event, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.database import db_now, padded
from shared.errors import Code, JobError
from shared.metrics import JOBS_ENDED
from shared.models import PULLED, Delivery, Job, JobState, Request, table
from shared.retry import MAX_CRASHES

LAST_CRASH = Job.crashes + 1 >= MAX_CRASHES
"""SQL: with one crash more a job has brought down so many workers that nobody should take it again."""

_REQUESTS = table(Request)
_PULLED = _REQUESTS.c.platform.in_(PULLED)
_ANNOUNCE = (
    update(_REQUESTS)
    .where(_REQUESTS.c.job_id.in_(bindparam("ids", expanding=True)))
    .where(_REQUESTS.c.delivery == Delivery.PENDING)
    .where(or_(_REQUESTS.c.delivery_after.is_(None), _PULLED))  # else somebody is being told already
    .values(
        delivery=case((_PULLED, Delivery.DELIVERED), else_=Delivery.PENDING),
        delivered_at=case((_PULLED, db_now()), else_=None),
        delivery_after=db_now(),
    )
)


def count(session: AsyncSession, state: JobState, jobs: int = 1, code: Code | None = None) -> None:
    """So many jobs have ended, if this transaction is committed."""
    session.info.setdefault("ended", []).append((state.value, code.value if code else "", jobs))


@event.listens_for(Session, "after_commit")
def _count_committed(session: Session) -> None:
    for state, code, jobs in session.info.pop("ended", ()):
        JOBS_ENDED.labels(state, code).inc(jobs)


async def announce(session: AsyncSession, job_ids: Sequence[UUID]) -> None:
    """These jobs have ended: their requests are due for delivery. Who looks for themselves has it already."""
    await session.execute(_ANNOUNCE, {"ids": padded(job_ids)})


async def announce_missed(session: AsyncSession) -> int:
    """Announce ended jobs whose announcement passed somebody by; returns how many jobs.

    That takes an intake that stood still inside its transaction while the whole job went by: rare, but then
    nothing else would ever look at the request again.
    """
    over = Job.state.in_((JobState.DONE, JobState.FAILED, JobState.CANCELLED))
    missed = select(Request.job_id).join(Request.job).where(over, Request.delivery == Delivery.PENDING)
    job_ids = (await session.scalars(missed.where(Request.delivery_after.is_(None)).distinct())).all()
    if job_ids:
        await announce(session, job_ids)
    return len(job_ids)


def ended() -> dict[str, Any]:
    """Columns of a job that nobody works on any more."""
    return {"finished_at": db_now(), "lease_until": None, "worker": None, "progress": None, "run_after": None}


def back_to_queue(run_after: db_now | None) -> dict[str, Any]:
    """Columns of a job that waits again: for anybody at once, or until a time."""
    return {"state": JobState.QUEUED, "lease_until": None, "worker": None, "run_after": run_after}


def cancelled() -> dict[str, Any]:
    """Columns of a job that somebody cancelled."""
    return {"state": JobState.CANCELLED, **_told(JobError(Code.CANCELLED)), **ended()}


def quarantined() -> dict[str, Any]:
    """Columns of a job that brought down too many workers."""
    return {"state": JobState.FAILED, **_told(JobError(Code.CRASHED)), **ended()}


def _told(error: JobError) -> dict[str, Any]:
    return {"error_code": error.code, "error_message": error.message}
