"""What the database knows of the work: what waits and for how long, who works, what is not handed on yet."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import presence
from shared.database import db_now
from shared.models import ACTIVE, Job, JobState, OutboxRow

SIGNS_MISSED = 15.0  # seconds without a sign after which a worker counts as gone: it signs every 5, or ...
SHORT_LEASE = 0.5  # ... several times within this much of a short lease


@dataclass(frozen=True)
class Load:
    """Numbers of jobs and of outbox rows; ages in seconds, None when there is nothing that could have one.

    `queued` may start now, `waiting` later: the next attempt after a failure. `workers`: slots by name.
    """

    queued: int = 0
    waiting: int = 0
    running: int = 0
    oldest_queued: float | None = None
    outbox_rows: int = 0
    outbox_lag: float | None = None
    workers: dict[str, int] = field(default_factory=dict)


async def look(session: AsyncSession, lease: float) -> Load:
    """Count. Reads what is active only, so it costs the same however much has been done."""
    is_waiting = Job.run_after.is_not(None)
    groups = select(Job.state, is_waiting, func.count(), func.min(Job.created_at), db_now())
    active = groups.where(Job.state.in_(ACTIVE)).group_by(Job.state, is_waiting)
    counted = {"queued": 0, "waiting": 0, "running": 0}
    oldest = None
    for state, waits, number, since, now in await session.execute(active):
        name = "running" if state is JobState.RUNNING else "waiting" if waits else "queued"
        counted[name] += number
        if name == "queued":
            oldest = _age(since, now)
    rows = select(func.count(), func.min(OutboxRow.created_at), db_now()).select_from(OutboxRow)
    unpublished, first, now = (await session.execute(rows)).one()
    return Load(
        **counted,
        oldest_queued=oldest,
        outbox_rows=unpublished,
        outbox_lag=None if first is None else _age(first, now),
        workers=await presence.alive(session, min(SIGNS_MISSED, lease * SHORT_LEASE)),
    )


def _age(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
