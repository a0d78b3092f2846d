"""What a worker does with a job: claim, tell, finish, fail, hand back. Every write goes through the fence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Integer, Select, bindparam, case, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from shared.database import db_now, padded, upsert
from shared.errors import FAILURES, Code, JobError
from shared.jobs.ending import LAST_CRASH, announce, back_to_queue, count, ended, quarantined
from shared.jobs.fence import OURS, Fence, fenced
from shared.jobs.making import answers, enqueue
from shared.metrics import FENCED_WRITES
from shared.models import ACTIVE, Artifact, CoolDown, Job, JobState, Passage, Request, Stage, table
from shared.retry import Verdict
from shared.search.words import title_words
from shared.settings import Settings


@dataclass(frozen=True)
class Ending:
    """An attempt that ended well. `duration` in seconds, where the site said none.

    `retention`: seconds from now that the artifacts are kept.
    A result that is not whole is delivered, but does not answer for its link when it is asked for again.
    `passages` are the rows of what can be searched in, from `shared.search.finding.rows`.
    """

    fence: Fence
    artifacts: Sequence[Artifact]
    retention: float
    duration: float | None = None
    is_whole: bool = True
    passages: Sequence[dict[str, Any]] = ()


WINDOW = 1000  # queued jobs looked at, in turn, for one that the limits let run
ROWS_AT_ONCE = 100  # passages that one statement brings: making its values blocks the event loop, 0.1 ms each

_JOBS = table(Job)
_READY = select(Job.id, Job.user_key, Job.site).where(Job.state == JobState.QUEUED, Job.run_after.is_(None))
# `key_share`: a request that joins the job in this moment holds it by its key, which must not hide the job
_NEXT_MANY = (
    _READY.with_only_columns(Job.id)
    .order_by(Job.turn, Job.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True, key_share=True)
)
_NEXT = _NEXT_MANY.limit(1)


def _allowed() -> Select[tuple[UUID]]:
    """SQL: the first of the queued jobs whose person and whose site have a place free."""
    ready = _READY.order_by(Job.turn, Job.id).limit(WINDOW).add_columns(Job.turn).subquery()
    running = aliased(Job)
    busy = select(func.count()).select_from(running).where(running.state == JobState.RUNNING)
    by_user = busy.where(running.user_key == ready.c.user_key).scalar_subquery()
    by_site = busy.where(running.site == ready.c.site).scalar_subquery()
    return (
        select(ready.c.id)
        .where(by_user < bindparam("per_user"), by_site < bindparam("per_site"))
        .order_by(ready.c.turn, ready.c.id)
        .limit(1)
    )


_LEASE = bindparam("lease", type_=Float)
_TAKEN = {
    "state": JobState.RUNNING,
    "attempt": Job.attempt + 1,
    "worker": bindparam("by"),
    "lease_until": db_now(_LEASE),
    "started_at": func.coalesce(Job.started_at, db_now()),
    "stage": None,
    "progress": None,
}
_CLAIM = (
    update(Job)
    .where(Job.state == JobState.QUEUED)
    .values(**_TAKEN)
    .returning(Job)
    .execution_options(synchronize_session=False)
)
_CLAIM_NEXT = _CLAIM.where(Job.id == _NEXT.scalar_subquery())
_CLAIM_ALLOWED = _CLAIM.where(Job.id == _allowed().scalar_subquery())
_CLAIM_THESE = _CLAIM.where(Job.id.in_(bindparam("ids", expanding=True)))
_RESTING = select(CoolDown.site, CoolDown.until, db_now()).where(
    CoolDown.site.in_(bindparam("sites", expanding=True)), CoolDown.until > db_now()
)
_THESE = tuple_(_JOBS.c.id, _JOBS.c.attempt).in_(bindparam("held", expanding=True))
_DONE = (
    OURS.where(_THESE)
    .values(
        state=JobState.DONE,
        duration=func.coalesce(_JOBS.c.duration, bindparam("length", type_=Float)),
        **ended(),
    )
    .returning(_JOBS.c.id, _JOBS.c.attempt)
)
_DONE_BEFORE = select(_JOBS.c.id, _JOBS.c.attempt).where(_THESE, _JOBS.c.state == JobState.DONE)
_FINISH = {True: _DONE, False: _DONE.values(link_key=None, media_key=None)}
_STORE = insert(table(Artifact)).values(expires_at=db_now(bindparam("retention", type_=Float)))
_KEEP = insert(table(Passage))
_ONE_CLAIM_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7118002)")


async def claim(session: AsyncSession, worker: str, settings: Settings) -> Job | None:
    """Take the queued job whose turn it is, with a lease; None when there is none that may run now."""
    values = {"by": worker, "lease": settings.lease}
    if not settings.limits_jobs:
        return (await session.scalars(_CLAIM_NEXT, values)).one_or_none()
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(_ONE_CLAIM_AT_A_TIME)  # two claims at once could both see the last free place
    limits = {"per_user": settings.max_downloads_per_user, "per_site": settings.max_downloads_per_site}
    unlimited = {name: limit or 1_000_000 for name, limit in limits.items()}
    return (await session.scalars(_CLAIM_ALLOWED, values | unlimited)).one_or_none()


async def claim_many(session: AsyncSession, worker: str, settings: Settings, most: int) -> list[Job]:
    """`claim`, so many at once; in turn, and fewer when there are fewer."""
    if settings.limits_jobs or most == 1:
        claimed = [await claim(session, worker, settings) for _ in range(most)]
        return [job for job in claimed if job is not None]
    ids = (await session.scalars(_NEXT_MANY, {"most": most})).all()
    if not ids:
        return []
    taken = await session.scalars(_CLAIM_THESE, {"by": worker, "lease": settings.lease, "ids": padded(ids)})
    return sorted(taken, key=lambda job: (job.turn, job.id))


async def renew(session: AsyncSession, fence: Fence, lease: float) -> None:
    """Heartbeat: the lease lives on."""
    await fenced(session, fence, lease_until=db_now(lease))


async def report(
    session: AsyncSession, fence: Fence, stage: Stage, progress: dict[str, Any] | None, fetched: int = 0
) -> None:
    """Write where the job is, for /status and restarts; and how many bytes of media were fetched."""
    most = case((Job.fetched < fetched, fetched), else_=Job.fetched)
    await fenced(session, fence, stage=stage, progress=progress, fetched=most)


async def describe(
    session: AsyncSession,
    fence: Fence,
    *,
    title: str,
    duration: float | None,
    media: dict[str, Any],
    note: str | None,
) -> None:
    """Keep what probing found."""
    title = title[:1024]
    told = {"title": title, "title_words": title_words(title), "duration": duration, "media": media}
    await fenced(session, fence, **told, note=note)


async def charge(session: AsyncSession, fence: Fence, user_key: str) -> None:
    """Somebody else pays for the job than the one who asked for it first."""
    await fenced(session, fence, user_key=user_key)


async def identify(session: AsyncSession, fence: Fence, media_key: str) -> Job | None:
    """Name the media behind the job. Returns the other job that already is, or has, the same; else None.

    The other job does not change before this transaction ends: its end would overlook who is moved to it.
    """
    twin = await session.scalar(
        select(Job)
        .where(Job.media_key == media_key, Job.id != fence.job_id, answers())
        .order_by(Job.id.desc())
        .limit(1)
        .with_for_update(read=True)
    )
    if twin is None:
        await fenced(session, fence, media_key=media_key)
    return twin


async def join(session: AsyncSession, fence: Fence, target: UUID) -> None:
    """End this job as the same as `target`, which now carries its requests."""
    await fenced(session, fence, state=JobState.JOINED, joined_to=target, media_key=None, **ended())
    count(session, JobState.JOINED)
    await session.execute(update(Request).where(Request.job_id == fence.job_id).values(job_id=target))
    has_ended = select(Job.id).where(Job.id == target, Job.state.not_in(ACTIVE))
    await announce(session, (await session.scalars(has_ended)).all())


async def finish_many(session: AsyncSession, endings: Sequence[Ending]) -> list[bool]:
    """Done: the artifacts, what can be searched in, and the states in one transaction.

    Answers whether each was ours, also when it was written before and the answer to its commit was lost.
    """
    alike: dict[tuple[float | None, bool], list[Fence]] = {}
    for ending in endings:
        alike.setdefault((ending.duration, ending.is_whole), []).append(ending.fence)
    done = set[Fence]()
    for (duration, is_whole), fences in alike.items():
        rows = await session.execute(_FINISH[is_whole], {"held": _held(fences), "length": duration})
        done.update(Fence(job_id, attempt) for job_id, attempt in rows)
    new = [ending for ending in endings if ending.fence in done]
    files = [file.columns() | {"retention": each.retention} for each in new for file in each.artifacts]
    if files:
        await session.execute(_STORE, files)
    passages = [row for each in new for row in each.passages]
    for start in range(0, len(passages), ROWS_AT_ONCE):
        await session.execute(_KEEP, passages[start : start + ROWS_AT_ONCE])
    if done:
        count(session, JobState.DONE, len(done))
        await announce(session, [fence.job_id for fence in done])
    if others := [ending.fence for ending in endings if ending.fence not in done]:
        rows = await session.execute(_DONE_BEFORE, {"held": _held(others)})
        done.update(Fence(job_id, attempt) for job_id, attempt in rows)
        FENCED_WRITES.inc(len(endings) - len(done))
    return [ending.fence in done for ending in endings]


def _held(fences: Sequence[Fence]) -> list[tuple[UUID, int]]:
    return padded([(fence.job_id, fence.attempt) for fence in fences])


async def fail(session: AsyncSession, fence: Fence, error: JobError, verdict: Verdict, site: str) -> None:
    """Count a failure; try again later, or end the job, as the verdict says."""
    if verdict.cool_down is not None:
        await cool_down(session, site, verdict.cool_down)
    told: dict[str, Any] = {
        "error_code": error.code,
        "error_message": error.message[:1024],
        "failures": Job.failures + 1,
    }
    if verdict.retry_in is None:
        await fenced(session, fence, state=JobState.FAILED, **told, **ended())
        count(session, JobState.FAILED, code=error.code)
        await announce(session, [fence.job_id])
    else:
        await fenced(session, fence, **told, **back_to_queue(db_now(verdict.retry_in)))


async def crash(session: AsyncSession, fence: Fence, delay: float) -> JobState:
    """Count a crash of the child; quarantine after too many. Returns the new state."""
    if await session.scalar(select(LAST_CRASH).where(Job.id == fence.job_id)):
        await fenced(session, fence, crashes=Job.crashes + 1, **quarantined())
        count(session, JobState.FAILED, code=Code.CRASHED)
        await announce(session, [fence.job_id])
        return JobState.FAILED
    await fenced(session, fence, crashes=Job.crashes + 1, **back_to_queue(db_now(delay)))
    return JobState.QUEUED


async def release(session: AsyncSession, fence: Fence) -> None:
    """Hand a job back so that another worker continues at once; this counts as neither failure nor crash."""
    await fenced(session, fence, **back_to_queue(None))
    await enqueue(session, fence.job_id)


async def set_aside(session: AsyncSession, fence: Fence, seconds: float, why: Code | None = None) -> None:
    """Put a claimed job back for a while, which counts as neither failure nor crash."""
    told = {"error_code": why, "error_message": FAILURES[why].sentence} if why else {}
    await fenced(session, fence, **told, **back_to_queue(db_now(seconds)))


async def resting(session: AsyncSession, sites: Collection[str]) -> dict[str, float]:
    """Of these sites, those that must not be asked now, with the seconds until they may be."""
    found = await session.execute(_RESTING, {"sites": list(sites)})
    return {site: max(0.1, (until - now).total_seconds()) for site, until, now in found}


async def cool_down(session: AsyncSession, site: str, seconds: float) -> None:
    """Let a site rest for everybody; a longer rest already given stays."""
    rest = upsert(session, table(CoolDown)).values(site=site, until=db_now(seconds))
    longer = rest.on_conflict_do_update(
        index_elements=[CoolDown.site],
        set_={"until": db_now(seconds)},
        where=CoolDown.until < db_now(seconds),
    )
    await session.execute(longer)
