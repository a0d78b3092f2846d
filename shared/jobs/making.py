"""New jobs, and the old ones that already answer for a link."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, bindparam, exists, func, or_, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.database import db_now
from shared.ids import new_id
from shared.models import ACTIVE, Artifact, Job, JobState, OutboxRow, Request, is_gone, table

MAX_JOIN_HOPS = 8


@dataclass(frozen=True)
class Look:
    """What intake found: the request of this very event, whether a job may answer, and the turn of a new one.

    Turns are start-time fair queueing: a person's jobs line up behind each other, not in front of other
    people's; a newcomer starts at the turn that is being served now, so waits for no one's backlog.
    """

    seen: UUID | None
    may_be_answered: bool
    turn: int


def answers() -> ColumnElement[bool]:
    """SQL: the job is being carried, or is done and every file of it is still there."""
    mine = Artifact.job_id == Job.id
    has_files = and_(Job.state == JobState.DONE, exists().where(mine), ~exists().where(mine, is_gone()))
    return or_(and_(Job.state.in_(ACTIVE), Job.cancel_requested.is_(False)), has_files)


# Statements of the hot path are built once: building one costs more than running it.

_FIND = (
    select(Job)
    .where(Job.link_key == bindparam("key"), or_(answers(), Job.state == JobState.JOINED))
    .order_by(Job.state.in_(ACTIVE).desc(), Job.id.desc())  # the active one is what a new one would run into
    .limit(1)
    .execution_options(populate_existing=True)
)
_FOLLOW = select(Job).where(Job.id == bindparam("id"), or_(answers(), Job.state == JobState.JOINED))


def _last_turn(state: JobState, *mine: ColumnElement[bool]) -> ScalarSelect[int]:
    """SQL: the highest turn in a state, as the last entry of an index. `max` may read the whole backlog."""
    return (
        select(Job.turn).where(Job.state == state, *mine).order_by(Job.turn.desc()).limit(1).scalar_subquery()
    )


_MINE = Job.user_key == bindparam("user_key")
_FIRST = select(Job.turn).where(Job.state == JobState.QUEUED).order_by(Job.turn).limit(1).scalar_subquery()
_LOOK = select(
    select(Request.id).where(Request.event_key == bindparam("event_key")).scalar_subquery(),
    _FIND.with_only_columns(Job.id).scalar_subquery(),
    _last_turn(JobState.QUEUED, _MINE),
    _last_turn(JobState.RUNNING, _MINE),
    func.coalesce(_last_turn(JobState.RUNNING), _FIRST, 0),  # the turn that is being served now
)
_INSERT = {
    "sqlite": sqlite_insert(table(Job)).on_conflict_do_nothing().returning(Job.id),
    "postgresql": postgresql_insert(table(Job)).on_conflict_do_nothing().returning(Job.id),
}
_ENQUEUE = insert_into(table(OutboxRow))
_STILL = select(Job.id).where(
    Job.id == bindparam("id"), Job.state == bindparam("state"), Job.cancel_requested.is_(False)
)
_HOLD = {  # a claim passes over a job that is held against every change, and a queued one shall be claimed
    JobState.QUEUED: _STILL.with_for_update(read=True, key_share=True),
    JobState.RUNNING: _STILL.with_for_update(read=True),
}


async def find_reusable(session: AsyncSession, *, link_key: str) -> Job | None:
    """The job that already answers this link: active, or done with its files unexpired; joins followed.

    An active one does not end before this transaction does: whoever joins it would be overlooked, and never
    be told. None also when what a job was joined to has ended without files that are still there.
    """
    job = await session.scalar(_FIND, {"key": link_key})
    for _ in range(MAX_JOIN_HOPS):
        if job is None or job.state is JobState.DONE:
            return job
        if job.state is JobState.JOINED:
            job = await session.scalar(_FOLLOW, {"id": job.joined_to})
        elif await session.scalar(_HOLD[job.state], {"id": job.id, "state": job.state}):
            return job
        else:  # it changed in this very moment
            job = await session.scalar(_FIND, {"key": link_key})
    return None


async def look(session: AsyncSession, *, event_key: str, link_key: str, user_key: str) -> Look:
    """Everything that taking a request in depends on, in one question."""
    values = {"event_key": event_key, "key": link_key, "user_key": user_key}
    seen, candidate, *mine, serving = (await session.execute(_LOOK, values)).one()
    return Look(seen, candidate is not None, max([serving, *(turn + 1 for turn in mine if turn is not None)]))


async def insert(
    session: AsyncSession,
    *,
    link: str,
    site: str,
    user_key: str,
    options: dict[str, Any],
    link_key: str,
    turn: int,
    traceparent: str | None = None,
) -> UUID | None:
    """Make a queued job and its outbox row; None when an identical active one was there first."""
    values = {"id": new_id(), "link": link, "site": site, "user_key": user_key, "options": options}
    values |= {"link_key": link_key, "turn": turn, "traceparent": traceparent}
    made: UUID | None = await session.scalar(_INSERT[session.get_bind().dialect.name], values)
    if made is not None:
        await enqueue(session, made)
    return made


async def enqueue(session: AsyncSession, *job_ids: UUID) -> None:
    """Outbox rows: the queue is to hear of these jobs."""
    for job_id in job_ids:
        await session.execute(_ENQUEUE, {"id": new_id(), "job_id": job_id})


async def stored(session: AsyncSession, job_id: UUID) -> dict[UUID, tuple[str, int]]:
    """The files of a finished job, by id: their storage keys, and their sizes in bytes."""
    mine = select(Artifact.id, Artifact.storage_key, Artifact.size).where(Artifact.job_id == job_id)
    return {file.id: (file.storage_key, file.size) for file in await session.execute(mine)}


async def prolong(session: AsyncSession, job_id: UUID, seconds: float, *, files: int) -> bool:
    """Somebody asked for the files again: keep them as long as new ones, if so many are still there."""
    theirs = aliased(Artifact)
    there = select(func.count()).where(theirs.job_id == job_id, theirs.deleted_at.is_(None)).scalar_subquery()
    kept = (
        update(Artifact)
        .where(Artifact.job_id == job_id, Artifact.deleted_at.is_(None), there == files)
        .values(expires_at=db_now(seconds))
        .returning(Artifact.id)
        .execution_options(synchronize_session=False)
    )
    return len((await session.scalars(kept)).all()) == files
