"""What `/health` and `linkferry doctor` know: database, queue, what waits, who works."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import presence
from shared.database import Database, db_now
from shared.models import Job, JobState
from shared.options import Frozen
from shared.queue import Queue

PATIENCE = 3.0  # seconds one look may take
SIGNS_MISSED = 15.0  # seconds without a sign after which a worker counts as gone: it signs every 5, or ...
SHORT_LEASE = 0.5  # ... several times within this much of a short lease


class Health(Frozen):
    """`database` and `queue` are None when they answer, else the reason. Ages in seconds."""

    database: str | None = None
    queue: str | None = None
    queue_depth: int | None = None
    queued: int | None = None
    running: int | None = None
    oldest_queued: float | None = None
    workers: dict[str, int] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether requests can be taken in and handed on."""
        return self.database is None and self.queue is None


async def look(database: Database, queue: Queue, lease: float) -> Health:
    """Ask the database and the queue how they are; never raises, and never takes long."""

    async def ask_database() -> dict[str, object]:
        async with database.read() as session:
            return await count(session, lease)

    async def ask_queue() -> dict[str, object]:
        return {"queue_depth": await queue.depth()}

    found, deep = await asyncio.gather(_bounded("database", ask_database()), _bounded("queue", ask_queue()))
    return Health.model_validate({**found, **deep})


async def _bounded(name: str, question: Awaitable[dict[str, object]]) -> dict[str, object]:
    try:
        async with asyncio.timeout(PATIENCE):
            return await question
    except Exception as error:
        return {name: f"{type(error).__name__}: it does not answer"}


async def count(session: AsyncSession, lease: float) -> dict[str, Any]:
    """What waits and who works, under the names that `Health` has for it."""
    oldest = select(func.min(Job.created_at), db_now()).where(Job.state == JobState.QUEUED)
    since, now = (await session.execute(oldest)).one()
    states = select(Job.state, func.count()).where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    rows = await session.execute(states.group_by(Job.state))
    counted = {row[0]: row[1] for row in rows}
    return {
        "queued": counted.get(JobState.QUEUED, 0),
        "running": counted.get(JobState.RUNNING, 0),
        "oldest_queued": None if since is None else max(0.0, (now - since).total_seconds()),
        "workers": await presence.alive(session, min(SIGNS_MISSED, lease * SHORT_LEASE)),
    }
