"""One attempt under supervision: its heartbeat, the cancel that may reach it, and the outcome it gets."""

import asyncio
import logging
import random
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs, space, tracing
from shared.beside import beside
from shared.database import Database
from shared.errors import Code, JobError
from shared.jobs import Fence, LeaseLost
from shared.metrics import CHILD_CRASHES
from shared.models import Job
from shared.retry import after_failure
from worker.attempt import Attempt
from worker.child import ChildCrashed, NoChild
from worker.folders import remove_unused, work_dir
from worker.tools import Tools

log = logging.getLogger(__name__)

CRASH_DELAY = 2.0  # seconds before a job that brought its child down is tried again
NO_CHILD_DELAY = 5.0  # seconds before a job that could have no child here is tried again, here or elsewhere
BEATS = 6  # heartbeats in one lease


async def supervise(job: Job, tools: Tools, stop: asyncio.Event, earlier: asyncio.Task[None] | None) -> None:
    """Run one attempt and write its outcome; `stop` means that somebody cancelled the job.

    It begins when `earlier` has ended, our own attempt that lost its lease: they share a folder. Cancelling
    this task hands the job back. Raises only when the outcome could not be written for a whole lease, which
    then runs out, so that the job goes on elsewhere.
    """
    fence = Fence(job.id, job.attempt)
    log.info("attempt started")
    try:
        async with beside(_beat(tools.database, tools.settings.lease, fence, stop)):
            if earlier:
                await asyncio.wait([earlier])
            await Attempt(job, tools).run()
        log.info("attempt ended well")
        has_ended = True
    except (Exception, asyncio.CancelledError) as raised:
        cause = main_cause(raised)
        tracing.failed(cause)

        async def settle(session: AsyncSession) -> bool:
            try:
                return await _settle(session, job, fence, cause)
            except LeaseLost as lost:  # cancelled, or taken over, in the very moment it failed
                return await _settle(session, job, fence, lost)

        has_ended = await tools.database.write_surely(settle, patience=tools.settings.lease)
        if isinstance(raised, asyncio.CancelledError):
            raise
    if has_ended:  # until then the folder is kept, so that the next attempt resumes
        with suppress(OSError):  # then a sweep does it
            await asyncio.to_thread(remove_unused, work_dir(tools.settings, job.id))


async def _settle(session: AsyncSession, job: Job, fence: Fence, cause: BaseException) -> bool:
    """Write the outcome of an attempt that was stopped or went wrong; whether the job has ended with it."""
    match cause:
        case LeaseLost():
            cancelled = await jobs.finish_cancelled(session, fence)
            log.info("cancelled" if cancelled else "somebody else has the job now")
            return cancelled
        case asyncio.CancelledError():
            await jobs.release(session, fence)
            log.info("handed back, because this worker stops")
            return False
        case ChildCrashed():
            CHILD_CRASHES.labels("child").inc()
            state = await jobs.crash(session, fence, CRASH_DELAY)
            log.error("the child ended without an answer (%s); the job is %s", cause, state)
            return not state.is_active
        case NoChild():
            # Not counted: no job brings this about again and again. A child has a session and a memory limit
            # of its own, so what a link makes it do ends that child, never the warm process.
            await jobs.set_aside(session, fence, NO_CHILD_DELAY)
            log.warning("set aside for %g s: %s", NO_CHILD_DELAY, cause)
            return False
        case JobError():
            return await _fail(session, job, fence, cause)
        case OSError() if space.is_out(cause):  # there was none even for a folder
            return await _fail(session, job, fence, JobError(Code.DISK_FULL, repr(cause)))
        case _:
            log.error("unexpected error", exc_info=cause)
            return await _fail(session, job, fence, JobError(Code.INTERNAL, repr(cause)))


async def _fail(session: AsyncSession, job: Job, fence: Fence, error: JobError) -> bool:
    verdict = after_failure(error.code, job.failures + 1, error.retry_after, random.uniform)
    await jobs.fail(session, fence, error, verdict, job.site)
    if verdict.retry_in is None:
        log.warning("failed for good: %s", error)
        return True
    log.warning("failed: %s; tried again in %.0f s", error, verdict.retry_in)
    return False


async def _beat(database: Database, lease: float, fence: Fence, stop: asyncio.Event) -> None:
    """Renew the lease until cancelled. Raises LeaseLost when `stop` is set, or the lease could not be kept.

    It does so in time: when the lease runs out another worker may begin, wherever that is.
    """
    now = asyncio.get_running_loop().time
    renewed = now()
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(now() + lease / BEATS, renewed + lease)):
                await stop.wait()
            raise LeaseLost("cancelled")
        begun = now()
        try:
            async with asyncio.timeout_at(renewed + lease) as until_lost, database.write() as session:
                await jobs.renew(session, fence, lease)
            renewed = begun
        except (SQLAlchemyError, OSError) as error:
            # a short outage of the database must not cost the work done so far
            if until_lost.expired() or now() >= renewed + lease:
                raise LeaseLost("no heartbeat for a whole lease") from error
            log.warning("the heartbeat was not taken: %s", error)


def main_cause(error: BaseException) -> BaseException:
    """The exception that decides, out of nested groups: a lost lease first, then a stop, then the failure."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [main_cause(inner) for inner in error.exceptions]
    for kind in (LeaseLost, asyncio.CancelledError, NoChild, ChildCrashed, JobError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]
