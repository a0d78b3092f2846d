"""Brings finished and failed jobs to the people who asked: one final edit per request, exactly once."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from shared import deliveries, jobs
from shared.chat.port import ChatMoved, MessageClient, MessageGone, Throttled
from shared.database import Database, Together
from shared.errors import FAILURES, Code
from shared.models import Job, JobState, Request
from shared.results import JobView, Results, error_view

log = logging.getLogger(__name__)

LOOK_INTERVAL = 5.0  # seconds between two looks when nobody nudges
EDIT_TIMEOUT = 1800.0  # seconds one delivery may take: it may send a film; clients limit each call themselves
HOLD = deliveries.CLAIM / 3  # seconds between two renewals of the claims of those under way
GATHER = 0.01  # seconds after a round, in which the next one gathers: many ends cost one question
PARALLEL = 16  # deliveries at once
_NOTHING: dict[str, object] = {"note": None, "artifacts": (), "offers": None}  # of a result


class Deliverer:
    """Takes pending deliveries, one at a time each, by a short claim in the database."""

    def __init__(self, database: Database, clients: Mapping[str, MessageClient], results: Results) -> None:
        self._database = database
        self._clients = clients
        self._results = results
        # many ends of the same moment cost one transaction
        self._posted = Together(database, deliveries.posted_many, patience=0)
        self._delivered = Together(database, deliveries.delivered_many, patience=0)
        self._nudged = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._under_way = 0
        self._showing: set[UUID] = set()  # requests with a chat call under way

    def nudge(self) -> None:
        """A job has ended: look now."""
        self._nudged.set()

    async def run(self) -> None:
        """Deliver until cancelled; outages are outlived, and one slow chat holds up nobody else."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold())
            while True:
                self._nudged.clear()
                try:
                    while self._clients and await self._start_due(group):
                        await asyncio.sleep(GATHER)
                        await self._free.wait()
                except (SQLAlchemyError, OSError) as error:
                    log.warning("deliveries have to wait: %s", error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_INTERVAL):
                        await self._nudged.wait()

    async def _hold(self) -> None:
        """Keep what takes long from being taken for lost, and sent once more by another process."""
        while True:
            await asyncio.sleep(HOLD)
            with suppress(SQLAlchemyError, OSError):
                async with self._database.write() as session:
                    await deliveries.hold(session, list(self._showing))

    async def _start_due(self, group: asyncio.TaskGroup) -> int:
        """Start what is due now, as much as there is room for; returns how many."""
        async with self._database.write() as session:
            requests = await deliveries.claim(session, list(self._clients), PARALLEL - self._under_way)
            found = await jobs.get_many(session, [request.job_id for request in requests])
        for request in requests:
            self._under_way += 1
            group.create_task(self._deliver(request, found.get(request.job_id)))
        if self._under_way >= PARALLEL:
            self._free.clear()
        return len(requests)

    async def _deliver(self, request: Request, job: Job | None) -> None:
        try:
            await self._try(request, job)
        except (SQLAlchemyError, OSError) as error:
            log.warning(
                "request %s: the delivery could not be noted, so it is shown again: %s", request.id, error
            )
        finally:
            self._under_way -= 1
            self._free.set()

    async def _try(self, request: Request, job: Job | None) -> None:
        try:
            message = await self._show(request, job)
        except MessageGone:
            log.info("request %s: its message is gone, so there is nobody to tell", request.id)
            message = request.status_message
        except Throttled as throttled:
            log.info("request %s: the chat wants rest for %.0f s", request.id, throttled.seconds)
            async with self._database.write() as session:
                await deliveries.postpone(session, request, throttled.seconds)
            return
        except ChatMoved as moved:
            async with self._database.write() as session:
                await deliveries.move(session, request.platform, request.chat_id, moved.chat_id)
                await deliveries.postpone(session, request, 0)
            return
        except Exception:
            log.exception("request %s: the final edit failed; it is tried again", request.id)
            async with self._database.write() as session:
                await deliveries.postpone(session, request)
            return
        await self._delivered.write((request.id, message))

    async def _show(self, request: Request, job: Job | None) -> str | None:
        self._showing.add(request.id)
        try:
            async with asyncio.timeout(EDIT_TIMEOUT):
                return await self._edit(request, job)
        finally:
            self._showing.discard(request.id)

    async def _edit(self, request: Request, job: Job | None) -> str | None:
        """The final edit; of a fresh message when a crash left the request without one.

        The fresh one does not show the result yet: whether a post arrived can stay unknown, and a second one
        would be a second result. An edit can be repeated.
        """
        if job is None:
            raise MessageGone
        client, view = self._clients[request.platform], self._results.view(job)
        if request.cancelled:
            view = _left(view)
        message = request.status_message
        if message is None:
            message = await client.post(request, _unfinished(view))
            await self._posted.write((request.id, message))
        await client.edit(request, message, view)
        return message


def _unfinished(view: JobView) -> JobView:
    """The same job as if it still ran."""
    return view.model_copy(update={"state": JobState.RUNNING, "error": None, **_NOTHING})


def _left(view: JobView) -> JobView:
    """What somebody sees who changed their mind, while the job may go on for others."""
    told = error_view(Code.CANCELLED, FAILURES[Code.CANCELLED].sentence)
    return view.model_copy(update={"state": JobState.CANCELLED, "error": told, **_NOTHING})
