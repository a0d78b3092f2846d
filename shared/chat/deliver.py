"""Brings finished and failed jobs to the people who asked: one final edit per request.

It may be made twice when a crash falls between the edit and its note; as an edit, it shows the same again."""

import asyncio
import logging
from collections.abc import MutableMapping
from contextlib import suppress
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from shared import deliveries, jobs, tracing
from shared.chat.port import ChatMoved, MessageClient, MessageGone, Throttled
from shared.database import Database
from shared.errors import Code, JobError
from shared.models import Job, JobState, Request
from shared.results import JobView, Results, error_view
from shared.telemetry import log_context
from shared.together import Together

log = logging.getLogger(__name__)

LOOK_INTERVAL = 5.0  # seconds between two looks when nobody nudges
EDIT_TIMEOUT = 5 * 3600.0  # seconds one delivery may take: it may send a film; clients limit each call
HOLD = deliveries.CLAIM / 3  # seconds between two renewals of the claims of those under way
GRACE = 5.0  # seconds that deliveries under way get once their platform ends
GATHER = 0.03  # seconds after a round, in which the next one gathers: many ends cost one question
PARALLEL = 64  # deliveries of one platform at once: some send films, and the others shall not wait for them
_NOTHING: dict[str, object] = {"note": None, "artifacts": (), "offers": None}  # of a result


class Deliverer:
    """Takes pending deliveries, one at a time each, by a short claim in the database."""

    def __init__(
        self, database: Database, clients: MutableMapping[str, MessageClient], results: Results
    ) -> None:
        self._database = database
        self._clients = clients
        self._results = results
        # many ends of the same moment cost one transaction
        self._posted = Together(database, deliveries.posted_many, patience=0)
        self._delivered = Together(database, deliveries.delivered_many, patience=0)
        self._nudged = asyncio.Event()
        self._under_way: dict[str, set[asyncio.Task[None]]] = {}  # by platform
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
                    if await self._start_due(group):
                        self.nudge()  # there are more
                except (SQLAlchemyError, OSError) as error:
                    log.warning("deliveries have to wait: %s", error)
                except Exception:
                    log.exception("deliveries have to wait")
                await asyncio.sleep(GATHER)
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

    async def let_go(self, platform: str, patience: float = GRACE) -> None:
        """Deliver nothing more there; what is under way gets `patience` seconds, and is tried again later."""
        self._clients.pop(platform, None)
        if tasks := set(self._under_way.get(platform, ())):  # they leave the other set as they end
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks)

    async def _start_due(self, group: asyncio.TaskGroup) -> bool:
        """Start what is due now, as much as there is room for; whether there may be more."""
        room = {name: PARALLEL - len(self._under_way.setdefault(name, set())) for name in self._clients}
        full = [name for name, slots in room.items() if slots <= 0]
        names = [name for name in room if name not in full]
        if not names:
            return False
        most = min(room[name] for name in names)
        async with self._database.write() as session:
            requests = await deliveries.claim(session, names, most)
            found = await jobs.get_many(session, [request.job_id for request in requests])
        for request in requests:
            if request.id not in self._showing:  # a claim of our own that an outage let run out
                self._start(group, request, found.get(request.job_id))
        return len(requests) == most

    def _start(self, group: asyncio.TaskGroup, request: Request, job: Job | None) -> None:
        under_way = self._under_way[request.platform]

        def is_over(task: asyncio.Task[None]) -> None:
            if len(under_way) >= PARALLEL:
                self.nudge()  # there is room again
            under_way.discard(task)

        with log_context(request_id=request.id, job_id=request.job_id, platform=request.platform):
            task = group.create_task(self._deliver(request, job))
        under_way.add(task)
        task.add_done_callback(is_over)

    async def _deliver(self, request: Request, job: Job | None) -> None:
        try:
            with tracing.span("deliver", request.traceparent, request_id=request.id):
                tracing.link(job.traceparent if job else None)
                await self._try(request, job)
        except (SQLAlchemyError, OSError) as error:
            log.warning(
                "request %s: the delivery could not be noted, so it is shown again: %s", request.id, error
            )

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
    told = error_view(Code.CANCELLED, JobError(Code.CANCELLED).message)
    return view.model_copy(update={"state": JobState.CANCELLED, "error": told, **_NOTHING})
