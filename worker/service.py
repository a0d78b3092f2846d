"""The worker: takes job ids from the queue, claims, runs attempts in slots, drains when told to stop."""

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs
from shared.database import Database
from shared.errors import Code, JobError
from shared.jobs import HEARTBEAT, LEASE, Fence, LeaseLost
from shared.models import Job
from shared.outbox import Outbox
from shared.queue import Queue, Ticket
from shared.retry import after_failure
from shared.telemetry import job_context
from worker.attempt import Attempt, Tools
from worker.child import ChildCrashed
from worker.deliver import Deliverer
from worker.janitor import Janitor

log = logging.getLogger(__name__)

CRASH_DELAY = 2.0  # seconds before a job that brought its child down is tried again
RETRY_HEARTBEAT = 2.0  # seconds after a heartbeat that the database did not take


class Worker:
    """Runs until cancelled. The queue says where to look, the database decides, `tools` do the work."""

    def __init__(self, tools: Tools, queue: Queue, outbox: Outbox, deliverer: Deliverer) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._tools = tools
        self._database = tools.database
        self._queue = queue
        self._outbox = outbox
        self._deliverer = deliverer
        self._slots = asyncio.Semaphore(tools.settings.max_concurrent_downloads)
        self._stops: dict[UUID, asyncio.Event] = {}

    async def run(self) -> None:
        """Work until cancelled; then stop every attempt and hand its job back."""
        janitor = Janitor(self._tools, self._outbox)
        async with self._queue.cancels() as cancels, asyncio.TaskGroup() as group:
            group.create_task(self._obey(cancels))
            group.create_task(self._outbox.run())
            group.create_task(self._deliverer.run())
            group.create_task(janitor.run())
            group.create_task(self._take_jobs())

    async def _obey(self, cancels: AsyncIterator[UUID]) -> None:
        async for job_id in cancels:
            if stop := self._stops.get(job_id):
                stop.set()

    async def _take_jobs(self) -> None:
        async with asyncio.TaskGroup() as attempts:
            while True:
                if self._slots.locked():
                    await self._queue.pause()
                await self._slots.acquire()
                try:
                    job = await self._claim(await self._queue.take())
                except BaseException:
                    self._slots.release()
                    raise
                if job is None:
                    self._slots.release()
                else:
                    task = attempts.create_task(self._carry(job), name=f"job {job.id}")
                    task.add_done_callback(lambda _: self._slots.release())

    async def _claim(self, ticket: Ticket) -> Job | None:
        """Claim the job whose turn it is (not always the ticket's), then ack. None: nothing to do."""
        async with self._database.write() as session:
            job = await jobs.claim(session, self.name)
            rest = await jobs.resting(session, job.site) if job else None
            if job and rest:
                await jobs.set_aside(session, Fence(job.id, job.attempt), rest)
        await ticket.ack()
        if job is None:
            self._deliverer.nudge()  # the ticket's job has ended already: somebody may wait for its result
        return None if rest else job

    async def _carry(self, job: Job) -> None:
        """One attempt and its outcome. Raises nothing but CancelledError: one job must not end the others."""
        fence = Fence(job.id, job.attempt)
        stop = self._stops[job.id] = asyncio.Event()
        with job_context(job.id, job.attempt):
            try:
                await self._attempt(job, fence, stop)
            except Exception:
                log.exception("the outcome could not be written; the lease will run out and the job goes on")
            finally:
                self._stops.pop(job.id, None)
        self._deliverer.nudge()
        await self._queue.publish_event(job.id, {"ended": True})

    async def _attempt(self, job: Job, fence: Fence, stop: asyncio.Event) -> None:
        log.info("attempt started")
        try:
            async with _heartbeat(self._database, fence, stop):
                await Attempt(job, self._tools).run()
            log.info("attempt ended well")
        except (Exception, asyncio.CancelledError) as raised:
            await self._settle(job, fence, main_cause(raised))
            if isinstance(raised, asyncio.CancelledError):
                raise

    async def _settle(self, job: Job, fence: Fence, cause: BaseException) -> None:
        """Write the outcome of an attempt that was stopped or went wrong."""
        async with self._database.write() as session:
            match cause:
                case LeaseLost():
                    cancelled = await jobs.finish_cancelled(session, fence)
                    log.info("cancelled" if cancelled else "somebody else has the job now")
                case asyncio.CancelledError():
                    await jobs.release(session, fence)
                    log.info("handed back, because this worker stops")
                case ChildCrashed():
                    state = await jobs.crash(session, fence, CRASH_DELAY)
                    log.error("the child ended without an answer (%s); the job is %s", cause, state)
                case JobError():
                    await self._failed(session, job, fence, cause)
                case _:
                    log.error("unexpected error", exc_info=cause)
                    await self._failed(session, job, fence, JobError(Code.INTERNAL, repr(cause)))

    async def _failed(self, session: AsyncSession, job: Job, fence: Fence, error: JobError) -> None:
        verdict = after_failure(error.code, job.failures + 1, error.retry_after, random.uniform)
        await jobs.fail(session, fence, error, verdict, job.site)
        log.warning("failed: %s; retry in %s s", error, verdict.retry_in)


@asynccontextmanager
async def _heartbeat(database: Database, fence: Fence, stop: asyncio.Event) -> AsyncIterator[None]:
    """Renew the lease while the block runs; LeaseLost ends the block when it is lost or `stop` is set."""
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(_beat(database, fence, stop))
        try:
            yield
        finally:
            beating.cancel()


async def _beat(database: Database, fence: Fence, stop: asyncio.Event) -> None:
    renewed = time.monotonic()
    pause = HEARTBEAT
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()
            raise LeaseLost("cancelled")
        pause = HEARTBEAT
        try:
            async with asyncio.timeout(LEASE), database.write() as session:
                await jobs.renew(session, fence)
            renewed = time.monotonic()
        except (SQLAlchemyError, OSError) as error:
            # a short outage of the database must not cost the work done so far
            if time.monotonic() - renewed > LEASE:
                raise LeaseLost("no heartbeat for a whole lease") from error
            log.warning("the heartbeat was not taken: %s", error)
            pause = RETRY_HEARTBEAT


def main_cause(error: BaseException) -> BaseException:
    """The exception that decides, out of nested groups: a lost lease first, then a stop, then the failure."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [main_cause(inner) for inner in error.exceptions]
    for kind in (LeaseLost, asyncio.CancelledError, ChildCrashed, JobError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]
