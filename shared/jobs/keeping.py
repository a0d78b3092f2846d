"""What has to be looked after: leases that ran out, retries that are due, files whose time is over."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import db_now
from shared.errors import Code
from shared.jobs.ending import LAST_CRASH, announce, back_to_queue, cancelled, count, quarantined
from shared.jobs.fence import changed
from shared.jobs.making import enqueue
from shared.models import ACTIVE, Artifact, Job, JobState, Passage

_OVER = Artifact.expires_at <= db_now(), Artifact.deleted_at.is_(None)


async def requeue_expired(session: AsyncSession, *, everything: bool = False) -> list[UUID]:
    """Bring back running jobs whose lease ran out, counting a crash; returns all that changed.

    `everything` takes every running job: the embedded service does so at its start, when it alone holds the
    data folder and so knows that nobody is working.
    """
    lost = update(Job).where(Job.state == JobState.RUNNING)
    if not everything:
        lost = lost.where(Job.lease_until < db_now())
    over = [*await changed(session, lost.where(Job.cancel_requested.is_(True)).values(**cancelled()))]
    count(session, JobState.CANCELLED, len(over), Code.CANCELLED)
    hopeless = lost.where(LAST_CRASH)
    failed = await changed(session, hopeless.values(crashes=Job.crashes + 1, **quarantined()))
    count(session, JobState.FAILED, len(failed), Code.CRASHED)
    over += failed
    if over:
        await announce(session, over)
    back = await changed(session, lost.values(crashes=Job.crashes + 1, **back_to_queue(None)))
    await enqueue(session, *back)
    return [*over, *back]


async def requeue_due(session: AsyncSession) -> list[UUID]:
    """Bring back queued jobs whose waiting time is over, and forget why, unless for a failure."""
    due = update(Job).where(Job.state == JobState.QUEUED, Job.run_after <= db_now())
    columns = (Job.error_code, Job.error_message)
    due = due.values({column: case((Job.failures > 0, column)) for column in columns} | {Job.run_after: None})
    back = await changed(session, due)
    await enqueue(session, *back)
    return [*back]


async def queued_ids(session: AsyncSession, limit: int | None = None) -> list[UUID]:
    """Jobs that wait for a worker now, in turn: what a queue that lost its memory has to be told."""
    ready = (
        select(Job.id).where(Job.state == JobState.QUEUED, Job.run_after.is_(None)).order_by(Job.turn, Job.id)
    )
    return list(await session.scalars(ready.limit(limit)))


async def expired(session: AsyncSession) -> list[tuple[UUID, str, int]]:
    """The artifacts whose retention is over: ids, storage keys, bytes."""
    found = await session.execute(select(Artifact.id, Artifact.storage_key, Artifact.size).where(*_OVER))
    return [(artifact_id, key, size) for artifact_id, key, size in found]


async def expire(session: AsyncSession, artifact_id: UUID) -> bool:
    """Give up one of them, whose file is then to be deleted. False: somebody asked for it again just now."""
    gone = update(Artifact).where(Artifact.id == artifact_id, *_OVER).values(deleted_at=db_now())
    gone = gone.returning(Artifact.id).execution_options(synchronize_session=False)
    is_over = await session.scalar(gone) is not None
    if is_over:
        await _forget(session, [artifact_id])
    return is_over


async def orphans(session: AsyncSession, keys: Sequence[str]) -> list[str]:
    """Those of these storage keys that nobody names, or ever will: what an ended job stored in vain.

    A key starts with the id of its job, see `worker.artifacts`. Rows of jobs are never deleted: what starts
    with anything else is not of this database.
    """
    jobs = {key: _job_of(key) for key in keys}
    kept = and_(Artifact.job_id == Job.id, Artifact.deleted_at.is_(None))
    ended = select(Job.id, Artifact.storage_key).outerjoin(Artifact, kept).where(Job.state.not_in(ACTIVE))
    rows = (await session.execute(ended.where(Job.id.in_({job for job in jobs.values() if job})))).all()
    over, named = {job_id for job_id, _ in rows}, {key for _, key in rows}
    return [key for key, job_id in jobs.items() if job_id in over and key not in named]


def _job_of(key: str) -> UUID | None:
    first, slash, _ = key.partition("/")
    try:
        return UUID(first) if slash else None
    except ValueError:
        return None


async def revoke(session: AsyncSession, job_id: UUID) -> list[tuple[str, int]]:
    """Take back the files of a job: their links stop answering; storage keys to be deleted, with bytes."""
    mine = update(Artifact).where(Artifact.job_id == job_id, Artifact.deleted_at.is_(None))
    gone = mine.values(revoked_at=db_now(), deleted_at=db_now())
    gone = gone.returning(Artifact.id, Artifact.storage_key, Artifact.size)
    revoked = (await session.execute(gone.execution_options(synchronize_session=False))).all()
    await _forget(session, [artifact_id for artifact_id, *_ in revoked])
    return [(key, size) for _, key, size in revoked]


async def mark_deleted(session: AsyncSession, artifact_ids: Sequence[UUID]) -> None:
    """The files are gone; their links stop answering and their job no longer answers for the link."""
    gone = update(Artifact).where(Artifact.id.in_(artifact_ids)).values(deleted_at=db_now())
    await session.execute(gone.execution_options(synchronize_session=False))
    await _forget(session, artifact_ids)


async def _forget(session: AsyncSession, artifact_ids: Sequence[UUID]) -> None:
    """What these files say is not found any more."""
    theirs = delete(Passage).where(Passage.artifact_id.in_(artifact_ids))
    await session.execute(theirs.execution_options(synchronize_session=False))
