"""Somebody changed their mind: about a request, about the whole job, or about giving up on it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.database import db_now, padded
from shared.errors import Code
from shared.jobs.ending import announce, back_to_queue, cancelled, count
from shared.jobs.fence import Fence, changed
from shared.jobs.making import enqueue
from shared.jobs.reading import waiting
from shared.models import ACTIVE, Delivery, Job, JobState, Request


async def cancel(session: AsyncSession, job_id: UUID) -> JobState | None:
    """Cancel a job: at once when queued; a running one is flagged, and its worker stops. None: not active."""
    await session.execute(select(Job.id).where(Job.id == job_id).with_for_update())  # nobody joins it now
    mine = update(Job).where(Job.id == job_id)
    if await changed(session, mine.where(Job.state == JobState.QUEUED).values(**cancelled())):
        count(session, JobState.CANCELLED, code=Code.CANCELLED)
        await announce(session, [job_id])
        return JobState.CANCELLED
    # whoever asks for the link from now on gets a new job
    flags = {"cancel_requested": True, "link_key": None, "media_key": None}
    running = await changed(session, mine.where(Job.state == JobState.RUNNING).values(**flags))
    return JobState.RUNNING if running else None


async def finish_cancelled(session: AsyncSession, fence: Fence) -> bool:
    """The worker stopped a job; True when somebody had cancelled it, False when it is simply not ours."""
    mine = (Job.id == fence.job_id, Job.attempt == fence.attempt, Job.cancel_requested.is_(True))
    done = await changed(
        session, update(Job).where(*mine, Job.state == JobState.RUNNING).values(**cancelled())
    )
    count(session, JobState.CANCELLED, len(done), Code.CANCELLED)
    await announce(session, done)
    return bool(done)


async def flagged(session: AsyncSession, job_ids: Sequence[UUID]) -> list[UUID]:
    """Which of these jobs somebody cancelled while they run."""
    query = select(Job.id).where(Job.id.in_(padded(job_ids)), Job.cancel_requested.is_(True))
    return list(await session.scalars(query))


async def leave(session: AsyncSession, request_id: UUID) -> bool:
    """One request gives up. Returns True when nobody else waits for its job, which may then be cancelled.

    Who stays pays for a job that runs; who pays for one that is queued is seen when it has its turn.
    Once the job has ended it is too late: the result may have been shown already, and there is only one.
    """
    # The job is locked before its request, as at its end: the other way round each would wait for the other.
    carrier = select(Request.job_id).where(Request.id == request_id).scalar_subquery()
    mine = select(Job.id).where(Job.id == carrier, Job.state.in_(ACTIVE)).with_for_update()
    if await session.scalar(mine) is None:
        return False
    gone = (
        update(Request)
        .where(Request.id == request_id, Request.delivery == Delivery.PENDING)
        .values(cancelled=True, delivery_after=db_now())
        .returning(Request.job_id)
        .execution_options(synchronize_session=False)
    )
    job_id = await session.scalar(gone)
    if job_id is None:
        return False
    others = await waiting(session, job_id)
    if others:
        runs = update(Job).where(Job.id == job_id, Job.state == JobState.RUNNING)
        stays = runs.where(Job.user_key.not_in(others)).values(user_key=others[0])
        await session.execute(stays.execution_options(synchronize_session=False))
    return not others


async def retry(session: AsyncSession, job_id: UUID) -> bool:
    """Start a failed or cancelled job anew, as if it had never been tried; False when it is neither.

    Who asked for it is told again at its new end. Raises IntegrityError when the same link is being carried.
    """
    ended = update(Job).where(Job.id == job_id, Job.state.in_((JobState.FAILED, JobState.CANCELLED)))
    anew = {"failures": 0, "crashes": 0, "cancel_requested": False, "finished_at": None}
    told = {"error_code": None, "error_message": None, "stage": None}
    if not await changed(session, ended.values(**anew, **told, **back_to_queue(None))):
        return False
    later = aliased(Request)  # one that took over the message: it is that one's now
    taken = exists().where(
        later.platform == Request.platform,
        later.chat_id == Request.chat_id,
        later.status_message == Request.status_message,
        later.id > Request.id,
    )
    waiting = update(Request).where(Request.job_id == job_id, Request.cancelled.is_(False), ~taken)
    again = {"delivery": Delivery.PENDING, "delivery_after": None, "delivered_at": None}
    await session.execute(waiting.values(**again).execution_options(synchronize_session=False))
    await enqueue(session, job_id)
    return True
