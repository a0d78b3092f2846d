"""New jobs, and the old ones that already answer for a link."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import db_now
from shared.ids import new_id
from shared.jobs.fence import ACTIVE
from shared.models import Artifact, Job, JobState, OutboxRow

MAX_JOIN_HOPS = 8


async def find_reusable(session: AsyncSession, *, link_key: str) -> Job | None:
    """The job that already answers this link: active, or done with its files unexpired; joins followed."""
    alive = answers()
    query = (
        select(Job)
        .where(Job.link_key == link_key, or_(alive, Job.state == JobState.JOINED))
        .order_by(Job.id.desc())
        .limit(1)
    )
    job = await session.scalar(query)
    for _ in range(MAX_JOIN_HOPS):
        if job is None or job.state is not JobState.JOINED:
            return job
        job = await session.scalar(
            select(Job).where(Job.id == job.joined_to, or_(alive, Job.state == "joined"))
        )
    return None


async def insert(
    session: AsyncSession, *, link: str, site: str, user_key: str, options: dict[str, Any], link_key: str
) -> UUID | None:
    """Make a queued job and its outbox row; None when an identical active one was there first."""
    dialect_insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    job_id = new_id()
    values = {"id": job_id, "link": link, "site": site, "user_key": user_key, "options": options}
    values |= {"link_key": link_key, "state": JobState.QUEUED, "turn": await _next_turn(session, user_key)}
    statement = dialect_insert(Job).values(values).on_conflict_do_nothing().returning(Job.id)
    made = await session.scalar(statement)
    if made is not None:
        session.add(OutboxRow(job_id=made))
    return made


async def wake(session: AsyncSession, job_id: UUID) -> None:
    """Have a worker look at a job that has already ended: somebody waits for its delivery."""
    session.add(OutboxRow(job_id=job_id))


async def prolong(session: AsyncSession, job_id: UUID, seconds: float) -> None:
    """Somebody asked for the files again: keep them as long as new ones."""
    mine = update(Artifact).where(Artifact.job_id == job_id, Artifact.deleted_at.is_(None))
    await session.execute(
        mine.values(expires_at=db_now(seconds)).execution_options(synchronize_session=False)
    )


async def _next_turn(session: AsyncSession, user_key: str) -> int:
    """Start-time fair queueing: a person's jobs line up behind each other, not in front of other people's.

    A newcomer starts at the turn that is being served now, so waits for no one's backlog.
    """
    mine = await session.scalar(
        select(func.max(Job.turn)).where(Job.user_key == user_key, Job.state.in_(ACTIVE))
    )
    serving = await session.scalar(select(func.max(Job.turn)).where(Job.state == JobState.RUNNING))
    if serving is None:
        serving = await session.scalar(select(func.min(Job.turn)).where(Job.state == JobState.QUEUED))
    floor = serving or 0
    return floor if mine is None else max(floor, mine + 1)


def answers() -> ColumnElement[bool]:
    """SQL: the job is being carried, or is done and every file of it is still there."""
    gone = or_(
        Artifact.expires_at <= db_now(), Artifact.revoked_at.is_not(None), Artifact.deleted_at.is_not(None)
    )
    mine = Artifact.job_id == Job.id
    has_files = and_(Job.state == JobState.DONE, exists().where(mine), ~exists().where(mine, gone))
    return or_(and_(Job.state.in_(ACTIVE), Job.cancel_requested.is_(False)), has_files)
