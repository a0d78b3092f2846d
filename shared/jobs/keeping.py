"""What has to be looked after: leases that ran out, retries that are due, files whose time is over."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import db_now
from shared.errors import Code
from shared.jobs.ending import announce, back_to_queue, cancelled, count, quarantined
from shared.jobs.fence import changed
from shared.jobs.making import enqueue
from shared.models import Artifact, Job, JobState, Passage
from shared.retry import MAX_CRASHES

MOST_AT_ONCE = 1000  # values that one statement names

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
    hopeless = lost.where(Job.crashes + 1 >= MAX_CRASHES)
    failed = await changed(session, hopeless.values(crashes=Job.crashes + 1, **quarantined()))
    count(session, JobState.FAILED, len(failed), Code.CRASHED)
    over += failed
    if over:
        await announce(session, over)
    back = await changed(session, lost.values(crashes=Job.crashes + 1, **back_to_queue(None)))
    await enqueue(session, *back)
    return [*over, *back]


async def requeue_due(session: AsyncSession) -> list[UUID]:
    """Bring back queued jobs whose waiting time is over."""
    due = update(Job).where(Job.state == JobState.QUEUED, Job.run_after <= db_now()).values(run_after=None)
    back = await changed(session, due)
    await enqueue(session, *back)
    return [*back]


async def queued_ids(session: AsyncSession, limit: int | None = None) -> list[UUID]:
    """Jobs that wait for a worker now, in turn: what a queue that lost its memory has to be told."""
    ready = (
        select(Job.id).where(Job.state == JobState.QUEUED, Job.run_after.is_(None)).order_by(Job.turn, Job.id)
    )
    return list(await session.scalars(ready.limit(limit)))


async def expire(session: AsyncSession) -> list[tuple[str, int]]:
    """Give up the artifacts whose retention is over; storage keys that are to be deleted, with bytes.

    One statement: what somebody asked for again in this moment is kept.
    """
    gone = update(Artifact).where(*_OVER).values(deleted_at=db_now())
    gone = gone.returning(Artifact.id, Artifact.storage_key, Artifact.size)
    deleted = (await session.execute(gone.execution_options(synchronize_session=False))).all()
    await _forget(session, [artifact_id for artifact_id, *_ in deleted])
    return [(key, size) for _, key, size in deleted]


async def expired(session: AsyncSession) -> list[tuple[str, int]]:
    """What `expire` would give up now."""
    found = await session.execute(select(Artifact.storage_key, Artifact.size).where(*_OVER))
    return [(key, size) for key, size in found]


async def known_keys(session: AsyncSession, keys: Sequence[str]) -> set[str]:
    """Which of these storage keys belong to an artifact that is not deleted."""
    named = select(Artifact.storage_key).where(Artifact.storage_key.in_(keys), Artifact.deleted_at.is_(None))
    return set(await session.scalars(named))


async def has_files(session: AsyncSession, job: Job, exists: Callable[[str], Awaitable[bool]]) -> bool:
    """Whether every file of a finished job is in storage; one that somebody removed by hand is marked.

    `exists` asks the storage for a key.
    """
    artifacts = (await session.scalars(select(Artifact).where(Artifact.job_id == job.id))).all()
    lost = [artifact.id for artifact in artifacts if not await exists(artifact.storage_key)]
    if lost:
        await mark_deleted(session, lost)
    return not lost


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
    for start in range(0, len(artifact_ids), MOST_AT_ONCE):
        some = artifact_ids[start : start + MOST_AT_ONCE]
        theirs = delete(Passage).where(Passage.artifact_id.in_(some))
        await session.execute(theirs.execution_options(synchronize_session=False))
