"""Command -> request + job + outbox row, in one transaction. The only way work enters Linkferry."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs, quota, tracing
from shared.database import Database, is_full
from shared.errors import Code, JobError, LinkferryError
from shared.ids import new_id, user_key
from shared.link import Link, link_key
from shared.models import Request, table
from shared.options import Options
from shared.outbox import Outbox
from shared.queue import Queue
from shared.settings import Settings
from shared.stock import LOOKS, NotLookedAt, Stock
from shared.storage import Storage
from shared.telemetry import log_context

log = logging.getLogger(__name__)

_STORE = insert(table(Request))


@dataclass(frozen=True)
class Origin:
    """Who asked, where, in which event. `event_key` is unique per event, also when it arrives twice.

    `status_message` is one that is shown already, and that this request takes over.
    """

    platform: str
    chat_id: str
    user_id: str
    event_key: str
    thread_id: str | None = None
    reply_to: str | None = None
    status_message: str | None = None
    as_link: bool = False

    @property
    def user_key(self) -> str:
        """The person, across chats of one platform."""
        return user_key(self.platform, self.user_id)


@dataclass(frozen=True)
class Submitted:
    """What became of a message. `is_new` is False when the event had been seen before."""

    request_id: UUID
    job_id: UUID
    is_new: bool


@contextmanager
def storing() -> Iterator[None]:
    """Raises JobError(DISK_FULL) when the database has no room for what the block writes."""
    try:
        yield
    except DBAPIError as error:
        if not is_full(error):
            raise
        log.error("the database has no room for what people ask: %s", error.orig)
        raise JobError(Code.DISK_FULL, str(error.orig)) from error


class Intake:
    """Takes requests in. Holds the ports; each call is one transaction."""

    def __init__(self, database: Database, outbox: Outbox, storage: Storage, settings: Settings) -> None:
        self._database = database
        self._outbox = outbox
        self._storage = storage
        self._settings = settings

    async def submit(self, link: Link, options: Options, origin: Origin) -> Submitted:
        """Store the request and let a job carry it: an active or finished identical one, else a new one.

        Raises JobError(QUOTA) when a new one is needed, and this person has fetched enough for now, and
        JobError(DISK_FULL) when the database has no room for a request.
        """
        with tracing.span("submit", platform=origin.platform, site=link.site):
            with storing():
                submitted = await self._submit(link, options, origin)
            tracing.tell(request_id=submitted.request_id, job_id=submitted.job_id)
            return submitted

    async def _submit(self, link: Link, options: Options, origin: Origin) -> Submitted:
        key = link_key(link, options)
        stock = Stock(self._storage)
        for _ in range(LOOKS):
            try:
                async with self._database.write() as session:
                    submitted = await self._try(session, link, options, origin, key, stock)
            except IntegrityError:  # the same event arrived twice in this instant: now it can be seen
                continue
            except NotLookedAt as unknown:
                await stock.look(unknown)
                continue
            if submitted is not None:
                self._outbox.nudge()
                with log_context(
                    request_id=submitted.request_id, job_id=submitted.job_id, platform=origin.platform
                ):
                    log.info("a request was taken in" if submitted.is_new else "a request came again")
                return submitted
        raise LinkferryError(f"{LOOKS} looks at the same link were all out of date")

    async def _try(
        self, session: AsyncSession, link: Link, options: Options, origin: Origin, key: str, stock: Stock
    ) -> Submitted | None:
        """One look and one write; None when the look was out of date, so look again."""
        look = await jobs.look(session, event_key=origin.event_key, link_key=key, user_key=origin.user_key)
        if look.seen is not None:
            seen = await session.get_one(Request, look.seen)
            return Submitted(seen.id, seen.job_id, is_new=False)
        job = await jobs.find_reusable(session, link_key=key) if look.may_be_answered else None
        has_ended = job is not None and not job.state.is_active
        if job is None:
            await quota.check(session, origin.user_key, self._settings)
            job_id = await self._new_job(session, link, options, origin, key, look.turn)
            if job_id is None:
                return None
        elif has_ended and not await stock.keep(session, job.id, self._settings.retention):
            return None
        else:
            tracing.link(job.traceparent)
            job_id = job.id
        request_id = new_id()
        trace = {"traceparent": tracing.current()}
        await session.execute(_STORE, {"id": request_id, "job_id": job_id, **asdict(origin), **trace})
        if has_ended:
            await jobs.enqueue(session, job_id)
            await jobs.announce(session, [job_id])
        return Submitted(request_id, job_id, is_new=True)

    async def _new_job(
        self, session: AsyncSession, link: Link, options: Options, origin: Origin, key: str, turn: int
    ) -> UUID | None:
        return await jobs.insert(
            session,
            link=link.url,
            site=link.site,
            user_key=origin.user_key,
            options=options.model_dump(mode="json"),
            link_key=key,
            turn=turn,
            traceparent=tracing.current(),
        )


async def cancel(database: Database, queue: Queue, job_id: UUID, request_id: UUID | None = None) -> None:
    """Cancel one request, and its job when nobody else waits for it; None cancels the job for everybody.

    Raises JobError(DISK_FULL) when the database has no room to note it.
    """
    with storing():
        async with database.write() as session:
            if request_id is not None and not await jobs.leave(session, request_id):
                return
            job = await jobs.get(session, job_id)
            if job is None:
                return
            await jobs.cancel(session, job.id)
    await queue.publish_cancel(job.id)
