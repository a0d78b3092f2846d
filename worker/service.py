"""The worker: takes job ids from the queue, claims, runs attempts in slots, drains when told to stop."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from shared import jobs, tracing
from shared.chat.deliver import Deliverer
from shared.errors import Code
from shared.jobs import Fence
from shared.models import Job
from shared.outbox import Outbox
from shared.queue import Queue, Ticket
from shared.telemetry import log_context
from worker.janitor import Janitor
from worker.supervise import supervise
from worker.tools import Tools

log = logging.getLogger(__name__)

OUTAGE_PAUSE = 1.0  # seconds before the next claim after one that the database did not take
GATHER = 0.02  # seconds after a claim, in which the next one gathers: many tickets cost one transaction
CANCEL_INTERVAL = 0.5  # seconds between two looks for cancels that no message told

T = TypeVar("T")


class Worker:
    """The queue says where to look, the database decides, `tools` do the work in so many slots at once."""

    def __init__(self, tools: Tools, queue: Queue, outbox: Outbox, deliverer: Deliverer) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._tools = tools
        self._queue = queue
        self._outbox = outbox
        self._deliverer = deliverer
        self._attempts: set[asyncio.Task[None]] = set()
        self._carrying: dict[UUID, asyncio.Task[None]] = {}  # the newest attempt at each job
        self._cancels: dict[UUID, asyncio.Event] = {}  # what stops it
        self._stopping = asyncio.Event()
        self._grace = 0.0

    def stop(self, grace: float) -> None:
        """Take nothing more; let what runs go on for `grace` seconds, hand the rest back, and end `run`."""
        self._grace = grace
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped. Cancelling hands everything back at once."""
        await self._tools.room.look()  # before the first sign of life, which tells of it
        janitor = Janitor(self._tools, self._queue, self._outbox, self.name)
        async with self._queue.cancels() as cancels, asyncio.TaskGroup() as group:
            helpers = [self._obey(cancels), self._look_for_cancels(), self._outbox.run()]
            helpers += [self._deliverer.run(), janitor.run(), self._tools.room.watch()]
            tasks = [group.create_task(helper) for helper in helpers]
            await self._work()
            for task in tasks:
                task.cancel()
        await janitor.sign_off()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as attempts:
            await self._take_jobs(attempts)
            await self._queue.pause()
            fate = f"with {self._grace:.0f} s to end here" if self._grace else "handed back at once"
            log.info("stopping; jobs %s: %d", fate, len(self._attempts))
            if self._attempts:
                await asyncio.wait(self._attempts, timeout=self._grace)
            for attempt in self._attempts:
                attempt.cancel()

    async def _obey(self, cancels: AsyncIterator[UUID]) -> None:
        async for job_id in cancels:
            if cancelled := self._cancels.get(job_id):
                cancelled.set()
            else:
                self._deliverer.nudge()  # it was queued, so it has ended, and somebody waits to be told

    async def _look_for_cancels(self) -> None:
        """Messages can be lost, and another process with the embedded queue cannot send any."""
        while True:
            await asyncio.sleep(CANCEL_INTERVAL)
            if not self._cancels:
                continue
            with suppress(SQLAlchemyError, OSError):
                async with self._tools.database.read() as session:
                    flagged = await jobs.flagged(session, list(self._cancels))
                for job_id in flagged:
                    if cancelled := self._cancels.get(job_id):
                        cancelled.set()

    async def _take_jobs(self, attempts: asyncio.TaskGroup) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                if until_clear := self._obstacle():
                    await self._queue.pause()
                    await _first(until_clear(), stopping)
                    continue
                ticket = await _first(self._queue.take(), stopping)
                if ticket is None:
                    continue
                if self._obstacle():  # the ticket came after a long time
                    await ticket.give_back()
                    continue
                more = self._queue.at_hand(self._tools.slots.free - 1)
                for job in await self._claim([ticket, *more]):
                    self._start(attempts, job)
                await asyncio.sleep(GATHER)
        finally:
            stopping.cancel()

    def _obstacle(self) -> Callable[[], Awaitable[None]] | None:
        """What to wait for before another job may be taken: a slot, room on the disk, a warm process."""
        slots, room, children = self._tools.slots, self._tools.room, self._tools.children
        if not slots.free:
            return slots.until_free
        if room.is_short:
            return room.wait
        return None if children.is_warm else children.until_warm

    def _start(self, attempts: asyncio.TaskGroup, job: Job) -> None:
        def put_down(attempt: "asyncio.Task[None]") -> None:
            self._attempts.discard(attempt)
            self._tools.slots.give_back()

        self._tools.slots.take()
        attempt = attempts.create_task(self._carry(job), name=f"job {job.id}")
        self._attempts.add(attempt)
        attempt.add_done_callback(put_down)

    async def _claim(self, tickets: Sequence[Ticket]) -> list[Job]:
        """Claim as many jobs as there are tickets, those whose turn it is; then ack."""
        began = time.time_ns()
        try:
            async with self._tools.database.write() as session:
                claimed = await jobs.claim_many(session, self.name, self._tools.settings, len(tickets))
                rests = await jobs.resting(session, {job.site for job in claimed}) if claimed else {}
                for job in claimed:
                    if job.site in rests:
                        why = None if job.error_code else Code.THROTTLED
                        await jobs.set_aside(session, Fence(job.id, job.attempt), rests[job.site], why)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the database does not take claims: %s", error)
            for ticket in tickets:
                await ticket.give_back()
            await asyncio.sleep(OUTAGE_PAUSE)
            return []
        for ticket in tickets:
            await ticket.ack()
        if len(claimed) < len(tickets):
            self._deliverer.nudge()  # a ticket's job has ended already: somebody may wait for its result
        traces = {ticket.job_id: ticket.traceparent for ticket in tickets}
        for job in claimed:
            trace = traces.get(job.id) or job.traceparent
            job.traceparent = tracing.passed("claim", trace, began, job_id=job.id, attempt=job.attempt)
        return [job for job in claimed if job.site not in rests]

    async def _carry(self, job: Job) -> None:
        """One attempt. Raises nothing but CancelledError: one job must not end the others."""
        earlier, me, cancelled = self._carrying.get(job.id), asyncio.current_task(), asyncio.Event()
        assert me is not None  # noqa: S101 - each attempt is a task of its own
        if earlier:  # it lost its lease unnoticed (the machine slept)
            self._cancels[job.id].set()
        self._carrying[job.id], self._cancels[job.id] = me, cancelled
        attempt = tracing.span("attempt", job.traceparent, job_id=job.id, attempt=job.attempt, site=job.site)
        with log_context(job_id=job.id, attempt=job.attempt), attempt:
            try:
                await supervise(job, self._tools, cancelled, earlier)
            except Exception:
                log.exception("the outcome could not be written; the lease will run out and the job goes on")
            finally:
                if self._carrying.get(job.id) is me:
                    del self._carrying[job.id], self._cancels[job.id]
        self._deliverer.nudge()
        await self._after(job)

    async def _after(self, job: Job) -> None:
        """Tell the watchers; and where limits hold jobs back, have somebody look for one that may run now."""
        try:
            await self._queue.publish_event(job.id, {"ended": True})
            if self._tools.settings.limits_jobs:
                await self._queue.publish([job.id])
        except Exception as error:
            log.warning("the queue could not be told that a job ended: %s", error)


async def _first(wanted: Awaitable[T], stopping: "asyncio.Future[Any]") -> T | None:
    """The result of `wanted`, or None when the worker stops first."""
    task = asyncio.ensure_future(wanted)
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
