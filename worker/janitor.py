"""Looks after what crashes leave behind. Safe to run in every worker: each step is one compare-and-set."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from shared import jobs, presence
from shared.metrics import LEASE_STEALS
from shared.outbox import Outbox
from shared.queue import Queue, QueueUnavailable
from shared.storage import StorageError
from worker.sweep import sweep
from worker.tools import Tools
from worker.translate import Cache, cache_folder

log = logging.getLogger(__name__)

SWEEP_INTERVAL = 5.0  # seconds between two looks at leases and due retries
RETENTION_INTERVAL = 300.0  # seconds between two looks at expired and orphaned files
OUTAGES = (SQLAlchemyError, OSError, QueueUnavailable, StorageError)  # their cause says all there is to know
LOST_TICKETS = 100  # tickets made anew at once when the queue is empty but the database is not


class Janitor:
    """Two loops: this worker's sign of life, leases and retries; files."""

    def __init__(self, tools: Tools, queue: Queue, outbox: Outbox, name: str) -> None:
        self._tools = tools
        self._database = tools.database
        self._queue = queue
        self._outbox = outbox
        self._name = name
        self._healthy_since: float | None = None

    async def run(self) -> None:
        """Look after things until cancelled."""
        pace = min(SWEEP_INTERVAL, self._tools.settings.lease / 6)
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(pace, self._sweep))
            group.create_task(_every(RETENTION_INTERVAL, self._tidy))

    async def sign_off(self) -> None:
        """This worker ends: nobody is to wait for it."""
        with suppress(SQLAlchemyError, OSError):
            async with self._database.write() as session:
                await presence.sign_off(session, self._name)

    async def _sweep(self) -> None:
        try:
            await self._look()
        except BaseException:
            self._healthy_since = None
            raise

    async def _look(self) -> None:
        """Leases are only judged when the database has been there for a whole one.

        While it was away nobody could renew: judged at once, every live job would be taken for lost.
        """
        async with self._database.write() as session:
            if self._tools.children.is_warm:  # else it takes nothing, and before long counts as gone
                await presence.sign(session, self._name, self._slots())
            changed = await jobs.requeue_due(session)
            stolen = 0
            if self._may_judge():
                expired = await jobs.requeue_expired(session)
                stolen = len(expired)
                if expired:
                    log.warning("leases that ran out: %d", stolen)
                changed += expired
        LEASE_STEALS.inc(stolen)
        if changed:
            self._outbox.nudge()
        await self._replace_lost_tickets()

    def _slots(self) -> int:
        """Jobs that this worker carries at once: none while there is no room for any."""
        return 0 if self._tools.room.is_short else self._tools.settings.max_concurrent_downloads

    def _may_judge(self) -> bool:
        now = time.monotonic()
        if self._healthy_since is None:
            self._healthy_since = now
        return now - self._healthy_since >= self._tools.settings.lease

    async def _replace_lost_tickets(self) -> None:
        """Jobs wait but no ticket does: the queue was emptied or lost its disk. One too many harms nobody."""
        async with self._database.read() as session:
            waiting = await jobs.queued_ids(session, LOST_TICKETS)
        if waiting and await self._queue.depth() == 0:
            await self._queue.publish(waiting)

    async def _tidy(self) -> None:
        async with self._database.write() as session:
            await jobs.announce_missed(session)
        swept = [leftover async for leftover in sweep(self._tools)]
        if swept:
            log.info("deleted what nobody needs any more: %d files and folders", len(swept))
        settings = self._tools.settings
        await asyncio.to_thread(Cache(cache_folder(settings)).sweep, settings.retention)


async def _every(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Run a step for ever. A step that fails is tried again: the janitor outlives outages.

    An outage is one line of the log when it begins, and one when its cause is another.
    """
    known = ""
    while True:
        try:
            await step()
            known = ""
        except Exception as error:
            cause = _cause(error)
            if cause != known:
                trace = None if isinstance(error, OUTAGES) else error
                log.error(
                    "%s failed and is tried every %g s: %s", step.__name__, seconds, cause, exc_info=trace
                )
            known = cause
        await asyncio.sleep(seconds)


def _cause(error: Exception) -> str:
    """Why, in one line: without the statement that SQLAlchemy adds, which is another one each time."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".partition("\n")[0]
