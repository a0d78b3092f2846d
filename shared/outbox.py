"""From the outbox to the queue: at once after a commit, and whatever a crash or another process left."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs, tracing
from shared.database import Database
from shared.models import OutboxRow, table
from shared.queue import Queue

log = logging.getLogger(__name__)

LOOK_INTERVAL = (
    0.25  # seconds between two looks when nobody nudges: how soon another process's request is seen
)
BATCH = 50  # rows in one transaction, which is open while the broker answers: a long one hinders the vacuum

_ROWS = table(OutboxRow)
_WAITING = select(_ROWS.c.id, _ROWS.c.job_id).order_by(_ROWS.c.id).limit(BATCH)
_FORGET = delete(_ROWS).where(_ROWS.c.id.in_(bindparam("ids", expanding=True)))
_TAKE = (
    delete(_ROWS)
    .where(_ROWS.c.id.in_(_WAITING.with_only_columns(_ROWS.c.id).with_for_update(skip_locked=True)))
    .returning(_ROWS.c.id, _ROWS.c.job_id)
)


class Outbox:
    """Publishes waiting rows, many at once when many wait. `nudge` after a commit; `run` in the background.

    With the embedded queue only the process that works may run it: rows are for its queue alone.
    """

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database = database
        self._queue = queue
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """A row was committed: look now."""
        self._nudged.set()

    async def run(self) -> None:
        """Publish until cancelled; outages of the database or the queue are outlived."""
        while True:
            self._nudged.clear()
            try:
                while await self.publish() == BATCH:
                    pass
            except Exception as error:
                log.warning("the outbox has to wait: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL):
                    await self._nudged.wait()

    async def publish(self) -> int:
        """Publish a batch of waiting rows, then forget them; returns how many.

        A crash between the two publishes a row twice, which is harmless: the claim decides.
        """
        if self._database.is_sqlite:  # its lock would shut out every writer while the broker is asked
            async with self._database.read() as session:
                rows = (await session.execute(_WAITING)).all()
                traces = await _traces(session, [row.job_id for row in rows])
            if rows:
                await self._hand_over([row.job_id for row in rows], traces)
                async with self._database.write() as session:
                    await session.execute(_FORGET, {"ids": [row.id for row in rows]})
            return len(rows)
        async with self._database.write() as session:
            rows = sorted((await session.execute(_TAKE)).all())
            if rows:
                traces = await _traces(session, [row.job_id for row in rows])
                await self._hand_over([row.job_id for row in rows], traces)
        return len(rows)

    async def _hand_over(self, job_ids: Sequence[UUID], traces: dict[UUID, str]) -> None:
        """To the queue, which carries along where each job's trace goes on."""
        going_on: dict[UUID, str] = {}
        with ExitStack() as spans:
            for job_id, trace in traces.items():
                spans.enter_context(tracing.span("publish", trace, "producer", job_id=job_id))
                going_on[job_id] = tracing.current() or trace
            await self._queue.publish(job_ids, going_on)


async def _traces(session: AsyncSession, job_ids: Sequence[UUID]) -> dict[UUID, str]:
    return await jobs.traces(session, job_ids) if job_ids and tracing.is_on() else {}
