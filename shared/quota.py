"""How much one person may fetch in 24 hours, by the database's clock.

What counts is what a person's jobs fetched or stored, whichever is more; of a job that was tried again, what
the try that got furthest had fetched. What others fetched before costs nothing, and who joins another's job
pays nothing, unless that one gives up or has no room any more. Somebody below the limit may start a job that
ends above it, and so may those of their jobs that run at the same moment. More than that does not slip
through, because a job that waited looks again before it fetches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs
from shared.database import db_now
from shared.errors import Code, JobError
from shared.models import Artifact, Job, JobState
from shared.settings import Settings
from shared.words import utc_words

DAY = 86_400
FREE = ("terminal:terminal",)  # whoever sits at the machine is its operator


@dataclass(frozen=True)
class Use:
    """One job's part: bytes, and when it ended; None while it goes on."""

    size: int
    ended_at: datetime | None


def room_again(uses: Sequence[Use], most: int, now: datetime) -> datetime | None:
    """When somebody who may use `most` bytes a day has some left; None when that is now."""
    used = sum(use.size for use in uses)
    if used < most:
        return None
    for use in sorted(uses, key=lambda use: use.ended_at or now):
        used -= use.size
        if used < most:
            return (use.ended_at or now) + timedelta(seconds=DAY)
    return now + timedelta(seconds=DAY)


async def payer(session: AsyncSession, job_id: UUID, settings: Settings) -> str | None:
    """Who pays for a job that has its turn: the first of those who wait for it and have room.

    None when nobody waits any more. Raises JobError(QUOTA) when all have fetched enough.
    """
    refusal: JobError | None = None
    for user_key in await jobs.waiting(session, job_id):
        try:
            await check(session, user_key, settings, but=job_id)
        except JobError as error:
            refusal = refusal or error
        else:
            return user_key
    if refusal is not None:
        raise refusal
    return None


async def check(session: AsyncSession, user_key: str, settings: Settings, but: UUID | None = None) -> None:
    """Raises JobError(QUOTA) for somebody who has fetched enough; the job `but` does not count."""
    if not settings.max_user_bytes or user_key in FREE:
        return
    uses, now = await _uses(session, user_key, but)
    when = room_again(uses, settings.max_user_bytes, now)
    if when is not None:
        seconds = (when - now).total_seconds()
        raise JobError(Code.QUOTA, user_key, sentence=_sentence(settings, when), retry_after=seconds)


def _sentence(settings: Settings, when: datetime) -> str:
    limit = f"{settings.max_gb_per_user_per_day:g} GB"
    when += timedelta(minutes=1)  # the minute that is named must not be too early
    return (
        f"You have fetched the {limit} that one person may in 24 hours; "
        f"there is room again from {utc_words(when)}."
    )


async def _uses(session: AsyncSession, user_key: str, but: UUID | None) -> tuple[list[Use], datetime]:
    """What this person's jobs of the last 24 hours took, and the time now."""
    ended_lately = Job.finished_at > db_now(-DAY)
    mine = select(Job.id).where(Job.user_key == user_key, or_(ended_lately, Job.finished_at.is_(None)))
    stored = func.coalesce(func.sum(Artifact.size), 0)
    query = (
        select(Job.fetched, stored, Job.finished_at)
        .outerjoin(Artifact, Artifact.job_id == Job.id)
        .where(Job.id.in_(mine), Job.state != JobState.JOINED, Job.id != but)
        .group_by(Job.id)
    )
    rows = (await session.execute(query)).all()
    now: datetime = (await session.execute(select(db_now()))).scalar_one()
    return [Use(max(fetched, int(size)), ended_at) for fetched, size, ended_at in rows], now
