"""Keeps the status messages of unfinished requests true: the first one, and progress at the pace allowed.

The final edit is the deliverer's. All that is known is in the database, so whatever a crash cut short is
simply seen again: a request without a message gets one.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from bots.follow import Follower
from shared import deliveries
from shared.chat.paced import PacedClient
from shared.chat.port import ChatMoved, MessageGone, Throttled
from shared.database import Database
from shared.models import Request
from shared.results import JobView
from shared.telemetry import log_context

log = logging.getLogger(__name__)

TICK = 1.0  # seconds between two looks while anything goes on; also how soon an end elsewhere is noticed
IDLE = 3.0  # seconds between two looks otherwise, when nobody nudges
MOST = 500  # unfinished requests looked at; the newest of more see progress once it is their turn
CALL_TIMEOUT = deliveries.POST_CLAIM  # seconds one chat call may take
PAUSE = 2.5  # seconds, doubled with each failure in a row, before a message is tried again
MAX_PAUSE = 300.0
GRACE = 5.0  # seconds that calls under way get at the end


class Herald:
    """One platform's status messages. `on_end` is called when requests have left, so that results go out."""

    def __init__(
        self,
        database: Database,
        follower: Follower,
        platform: str,
        client: PacedClient,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._follower = follower
        self._platform = platform
        self._client = client
        self._on_end = on_end
        self._nudged = asyncio.Event()
        self._shown: dict[UUID, JobView] = {}  # what each request's message shows, as far as it lasts
        self._busy: set[UUID] = set()  # requests with a call under way, or whose chat rests
        self._calls: set[asyncio.Task[None]] = set()
        self._failures: Counter[UUID] = Counter()  # in a row, of each request's calls
        self._gone: set[UUID] = set()  # requests whose messages nobody can see any more

    def nudge(self) -> None:
        """Somebody has asked for something: look now."""
        self._nudged.set()

    async def run(self) -> None:
        """Show until cancelled; outages are outlived."""
        with log_context(platform=self._platform):
            await self._run()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            try:
                await self._keep_looking(group)
            finally:  # a post cut short would be posted again
                if self._calls:
                    await asyncio.wait(self._calls, timeout=GRACE)

    async def _keep_looking(self, group: asyncio.TaskGroup) -> None:
        known: set[UUID] = set()
        while True:
            self._nudged.clear()
            try:
                known = await self._look(group, known)
            except (SQLAlchemyError, OSError) as error:
                log.warning("status messages have to wait: %s", error)
            except Exception:
                log.exception("status messages have to wait")
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK if known else IDLE):
                    await self._nudged.wait()

    async def _look(self, group: asyncio.TaskGroup, known: set[UUID]) -> set[UUID]:
        """Start the calls that are due; returns the requests that are unfinished now."""
        async with self._database.read() as session:
            requests = await deliveries.unfinished(session, self._platform, MOST)
        now = {request.id for request in requests}
        self._notice(known, now)
        passed_over = self._busy | self._gone
        idle = [request for request in requests if request.id not in passed_over]
        views = await self._follower.views([request.job_id for request in idle]) if idle else {}
        for request in sorted(idle, key=self._client.last_shown):
            view = views.get(request.job_id)
            if view is not None and view.state.is_active and self._is_due(request, view):
                self._busy.add(request.id)
                with log_context(request_id=request.id, job_id=request.job_id):
                    call = group.create_task(self._call(request, view))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
        return now

    def _notice(self, known: set[UUID], now: set[UUID]) -> None:
        """Requests have come, and others have left: those are not ours any more."""
        for request_id in now - known:
            self._client.reopen(request_id)
        for request_id in known - now:
            self._client.forget(request_id)
        self._gone &= now
        self._failures = Counter({key: count for key, count in self._failures.items() if key in now})
        self._shown = {request_id: view for request_id, view in self._shown.items() if request_id in now}
        if known - now:
            self._on_end()

    def _is_due(self, request: Request, view: JobView) -> bool:
        """Whether there is a call to make now: the first, or one with news whose turn it is."""
        if request.status_message is None:
            return request.post_after is None or request.post_after <= datetime.now(UTC)
        has_news = _lasting(view) != self._shown.get(request.id)
        return has_news and self._client.take_turn(request, _age(request))

    async def _call(self, request: Request, view: JobView) -> None:
        """One call; whatever goes wrong with it, a later look sees what is still to do."""
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                await self._show(request, view)
            self._failures.pop(request.id, None)
        except Throttled as throttled:
            log.info("request %s: the chat wants rest for %.0f s", request.id, throttled.seconds)
            await asyncio.sleep(throttled.seconds)
        except MessageGone:
            log.info("request %s: its message is gone", request.id)
            self._gone.add(request.id)
        except ChatMoved as moved:
            await self._move(request, moved.chat_id)
        except Exception as error:
            log.warning("request %s: its message could not be shown: %r", request.id, error)
            self._failures[request.id] += 1
            await asyncio.sleep(min(MAX_PAUSE, PAUSE * 2 ** self._failures[request.id]))
        finally:
            self._busy.discard(request.id)

    async def _show(self, request: Request, view: JobView) -> None:
        message = request.status_message
        if message is None:
            message = await self._post(request, view)
            if message is None:
                return
        elif not await self._client.show(request, message, view):
            return
        self._shown[request.id] = _lasting(view)

    async def _post(self, request: Request, view: JobView) -> str | None:
        """The request's new status message; None when somebody else is at it."""
        async with self._database.write() as session:
            if not await deliveries.claim_post(session, request.id):
                return None
        try:
            message = await self._client.post(request, view)
        except (Throttled, ChatMoved):  # nothing was shown
            async with self._database.write() as session:
                await deliveries.release_post(session, request.id, 0)
            raise
        async with self._database.write() as session:
            await deliveries.posted(session, request.id, message)
        return message

    async def _move(self, request: Request, chat_id: str) -> None:
        with suppress(SQLAlchemyError, OSError):  # the next call is told the same
            async with self._database.write() as session:
                await deliveries.move(session, request.platform, request.chat_id, chat_id)


def _lasting(view: JobView) -> JobView:
    """The view without what merely passes with time: a job that stands still has no news."""
    retries = None if view.retry_in is None else 0.0
    return view.model_copy(update={"starts_in": None, "retry_in": retries})


def _age(request: Request) -> float:
    return (datetime.now(UTC) - request.created_at).total_seconds()
