"""The state machine of jobs: every query that moves one. Callers bring the transaction.

Writes of a worker carry a `Fence` and match only `id`, `attempt` and `state = 'running'`; when no row
matches, somebody else owns the job now, and `LeaseLost` tells the worker to stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Update, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from shared.database import db_now
from shared.errors import FAILURES, Code, JobError, LinkferryError
from shared.ids import new_id
from shared.models import Artifact, CoolDown, Delivery, Job, JobState, OutboxRow, Request, Stage
from shared.retry import MAX_CRASHES, Verdict

LEASE = 60.0  # seconds a claim lives without a heartbeat
HEARTBEAT = 10.0  # seconds between two renewals

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
MAX_JOIN_HOPS = 8


class LeaseLost(LinkferryError):
    """Another worker owns the job now, or it was cancelled; stop, and write nothing."""


@dataclass(frozen=True)
class Fence:
    """Which attempt of which job a worker holds."""

    job_id: UUID
    attempt: int


# Making jobs -------------------------------------------------------------------------------------


async def find_reusable(session: AsyncSession, *, link_key: str) -> Job | None:
    """The job that already answers this link: active, or done with its files unexpired; joins followed."""
    alive = _answers()
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


def _answers() -> ColumnElement[bool]:
    """SQL: the job is being carried, or is done and every file of it is still there."""
    gone = or_(
        Artifact.expires_at <= db_now(), Artifact.revoked_at.is_not(None), Artifact.deleted_at.is_not(None)
    )
    mine = Artifact.job_id == Job.id
    has_files = and_(Job.state == JobState.DONE, exists().where(mine), ~exists().where(mine, gone))
    return or_(and_(Job.state.in_(ACTIVE), Job.cancel_requested.is_(False)), has_files)


# Working on jobs ---------------------------------------------------------------------------------


async def claim(session: AsyncSession, worker: str) -> Job | None:
    """Take the queued job whose turn it is, with a lease; None when there is none."""
    candidate = (
        select(Job.id)
        .where(Job.state == JobState.QUEUED, Job.run_after.is_(None))
        .order_by(Job.turn, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    statement = (
        update(Job)
        .where(Job.id == candidate, Job.state == JobState.QUEUED)
        .values(
            state=JobState.RUNNING,
            attempt=Job.attempt + 1,
            worker=worker,
            lease_until=db_now(LEASE),
            started_at=func.coalesce(Job.started_at, db_now()),
            stage=None,
            progress=None,
        )
        .returning(Job)
    )
    return (await session.scalars(statement, execution_options={"synchronize_session": False})).one_or_none()


async def renew(session: AsyncSession, fence: Fence) -> None:
    """Heartbeat: the lease lives on."""
    await _fenced(session, fence, lease_until=db_now(LEASE))


async def report(session: AsyncSession, fence: Fence, stage: Stage, progress: dict[str, Any] | None) -> None:
    """Write where the job is, for /status and restarts."""
    await _fenced(session, fence, stage=stage, progress=progress)


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
    await _fenced(session, fence, title=title[:1024], duration=duration, media=media, note=note)


async def identify(session: AsyncSession, fence: Fence, media_key: str) -> Job | None:
    """Name the media behind the job. Returns the other job that already is, or has, the same; else None."""
    twin = await session.scalar(
        select(Job)
        .where(Job.media_key == media_key, Job.id != fence.job_id, _answers())
        .order_by(Job.id.desc())
        .limit(1)
    )
    if twin is None:
        await _fenced(session, fence, media_key=media_key)
    return twin


async def join(session: AsyncSession, fence: Fence, target: UUID) -> None:
    """End this job as the same as `target`, which now carries its requests."""
    await _fenced(session, fence, state=JobState.JOINED, joined_to=target, media_key=None, **_ended())
    await session.execute(update(Request).where(Request.job_id == fence.job_id).values(job_id=target))


async def finish(session: AsyncSession, fence: Fence, artifacts: Sequence[Artifact]) -> None:
    """Done: the artifacts and the state in one transaction."""
    await _fenced(session, fence, state=JobState.DONE, **_ended())
    session.add_all(artifacts)


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
        await _fenced(session, fence, state=JobState.FAILED, **told, **_ended())
    else:
        await _fenced(session, fence, **told, **_back_to_queue(db_now(verdict.retry_in)))


async def crash(session: AsyncSession, fence: Fence, delay: float) -> JobState:
    """Count a crash of the child; quarantine after too many. Returns the new state."""
    crashes = await session.scalar(select(Job.crashes).where(Job.id == fence.job_id)) or 0
    if crashes + 1 >= MAX_CRASHES:
        await _fenced(session, fence, crashes=Job.crashes + 1, **_quarantined())
        return JobState.FAILED
    await _fenced(session, fence, crashes=Job.crashes + 1, **_back_to_queue(db_now(delay)))
    return JobState.QUEUED


async def release(session: AsyncSession, fence: Fence) -> None:
    """Hand a job back so that another worker continues at once; this counts as neither failure nor crash."""
    await _fenced(session, fence, **_back_to_queue(None))
    session.add(OutboxRow(job_id=fence.job_id))


async def set_aside(session: AsyncSession, fence: Fence, seconds: float) -> None:
    """Put a claimed job back until its site has rested."""
    await _fenced(session, fence, **_back_to_queue(db_now(seconds)))


async def resting(session: AsyncSession, site: str) -> float | None:
    """Seconds until the site may be asked again; None when it may be now."""
    rest = select(CoolDown.until, db_now()).where(CoolDown.site == site, CoolDown.until > db_now())
    found = (await session.execute(rest)).one_or_none()
    return None if found is None else max(0.1, (found[0] - found[1]).total_seconds())


async def cool_down(session: AsyncSession, site: str, seconds: float) -> None:
    """Let a site rest for everybody; a longer rest already given stays."""
    moved = await session.execute(
        update(CoolDown)
        .where(CoolDown.site == site, CoolDown.until < db_now(seconds))
        .values(until=db_now(seconds))
    )
    if not _count(moved):
        dialect_insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
        await session.execute(
            dialect_insert(CoolDown).values(site=site, until=db_now(seconds)).on_conflict_do_nothing()
        )


# Cancelling --------------------------------------------------------------------------------------


async def cancel(session: AsyncSession, job_id: UUID) -> JobState | None:
    """Cancel a job: at once when queued; a running one is flagged, and its worker stops. None: not active."""
    queued = await session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(state=JobState.CANCELLED, **_cancelled(), **_ended())
    )
    if _count(queued):
        return JobState.CANCELLED
    running = await session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.RUNNING)
        .values(
            cancel_requested=True, link_key=None, media_key=None
        )  # whoever asks from now on gets a new job
    )
    return JobState.RUNNING if _count(running) else None


async def finish_cancelled(session: AsyncSession, fence: Fence) -> bool:
    """The worker stopped a job; True when somebody had cancelled it, False when it is simply not ours."""
    mine = (Job.id == fence.job_id, Job.attempt == fence.attempt, Job.cancel_requested.is_(True))
    statement = update(Job).where(*mine, Job.state == JobState.RUNNING)
    return bool(
        await _returning(session, statement.values(state=JobState.CANCELLED, **_cancelled(), **_ended()))
    )


async def leave(session: AsyncSession, request_id: UUID) -> bool:
    """One request gives up. Returns True when nobody else waits for its job, which may then be cancelled."""
    request = await session.get(Request, request_id)
    if request is None or request.delivery is not Delivery.PENDING:
        return False
    request.cancelled = True
    await session.flush()
    others = exists().where(Request.job_id == request.job_id, Request.cancelled.is_(False))
    return not await session.scalar(select(others))


# Looking after jobs ------------------------------------------------------------------------------


async def requeue_expired(session: AsyncSession, *, everything: bool = False) -> list[UUID]:
    """Bring back running jobs whose lease ran out, counting a crash; returns all that changed.

    `everything` takes every running job: the embedded service does so at its start, when it alone holds the
    data folder and so knows that nobody is working.
    """
    lost = (
        [Job.state == JobState.RUNNING]
        if everything
        else [Job.state == "running", Job.lease_until < db_now()]
    )
    flagged = update(Job).where(*lost, Job.cancel_requested.is_(True))
    done = await _returning(session, flagged.values(state=JobState.CANCELLED, **_cancelled(), **_ended()))
    hopeless = update(Job).where(*lost, Job.crashes + 1 >= MAX_CRASHES)
    done += await _returning(session, hopeless.values(crashes=Job.crashes + 1, **_quarantined()))
    back = await _returning(
        session, update(Job).where(*lost).values(crashes=Job.crashes + 1, **_back_to_queue(None))
    )
    session.add_all(OutboxRow(job_id=job_id) for job_id in back)
    return done + back


async def requeue_due(session: AsyncSession) -> list[UUID]:
    """Bring back queued jobs whose waiting time is over."""
    due = update(Job).where(Job.state == JobState.QUEUED, Job.run_after <= db_now()).values(run_after=None)
    back = await _returning(session, due)
    session.add_all(OutboxRow(job_id=job_id) for job_id in back)
    return back


async def unpublished(session: AsyncSession, limit: int = 1000) -> list[OutboxRow]:
    """Outbox rows that have not reached the queue for certain, oldest first."""
    return list(await session.scalars(select(OutboxRow).order_by(OutboxRow.id).limit(limit)))


async def published(session: AsyncSession, rows: Sequence[UUID]) -> None:
    """Forget outbox rows that the queue has confirmed."""
    await session.execute(delete(OutboxRow).where(OutboxRow.id.in_(rows)))


async def queued_ids(session: AsyncSession) -> list[UUID]:
    """Every job that waits for a worker now: what an in-process queue has to be told after a restart."""
    ready = (
        select(Job.id).where(Job.state == JobState.QUEUED, Job.run_after.is_(None)).order_by(Job.turn, Job.id)
    )
    return list(await session.scalars(ready))


async def mark_deleted(session: AsyncSession, artifact_ids: Sequence[UUID]) -> None:
    """The files are gone; their links stop answering and their job no longer answers for the link."""
    gone = update(Artifact).where(Artifact.id.in_(artifact_ids)).values(deleted_at=db_now())
    await session.execute(gone.execution_options(synchronize_session=False))


async def expired_artifacts(session: AsyncSession, limit: int = 500) -> list[Artifact]:
    """Artifacts whose retention is over and whose file is still there."""
    over = select(Artifact).where(Artifact.expires_at <= db_now(), Artifact.deleted_at.is_(None))
    return list(await session.scalars(over.order_by(Artifact.expires_at).limit(limit)))


async def known_keys(session: AsyncSession, keys: Sequence[str]) -> set[str]:
    """Which of these storage keys belong to an artifact that is not deleted."""
    named = select(Artifact.storage_key).where(Artifact.storage_key.in_(keys), Artifact.deleted_at.is_(None))
    return set(await session.scalars(named))


# Reading -----------------------------------------------------------------------------------------


async def get(session: AsyncSession, job_id: UUID) -> Job | None:
    """One job with its artifacts; joins followed."""
    for _ in range(MAX_JOIN_HOPS):
        job = await session.scalar(select(Job).where(Job.id == job_id).options(selectinload(Job.artifacts)))
        if job is None or job.joined_to is None:
            return job
        job_id = job.joined_to
    return None


async def state_of(session: AsyncSession, job_id: UUID) -> JobState | None:
    """The state alone; None when there is no such job."""
    return await session.scalar(select(Job.state).where(Job.id == job_id))


async def position(session: AsyncSession, job: Job) -> int:
    """How many queued jobs are served before this one, plus one."""
    ahead = or_(Job.turn < job.turn, and_(Job.turn == job.turn, Job.id < job.id))
    counted = select(func.count()).select_from(Job).where(Job.state == JobState.QUEUED, ahead)
    return (await session.scalar(counted) or 0) + 1


# Pieces ------------------------------------------------------------------------------------------


async def _fenced(session: AsyncSession, fence: Fence, **values: Any) -> None:
    mine = (Job.id == fence.job_id, Job.attempt == fence.attempt, Job.state == JobState.RUNNING)
    statement = update(Job).where(*mine, Job.cancel_requested.is_(False)).values(**values)
    if not _count(await session.execute(statement.execution_options(synchronize_session=False))):
        raise LeaseLost(f"job {fence.job_id} attempt {fence.attempt}")


async def _returning(session: AsyncSession, statement: Update) -> list[UUID]:
    statement = statement.execution_options(synchronize_session=False)
    return list(await session.scalars(statement.returning(Job.id)))


def _count(result: Any) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0


def _ended() -> dict[str, Any]:
    return {"finished_at": db_now(), "lease_until": None, "worker": None, "progress": None, "run_after": None}


def _back_to_queue(run_after: db_now | None) -> dict[str, Any]:
    return {"state": JobState.QUEUED, "lease_until": None, "worker": None, "run_after": run_after}


def _cancelled() -> dict[str, Any]:
    return {"error_code": Code.CANCELLED, "error_message": FAILURES[Code.CANCELLED].sentence}


def _quarantined() -> dict[str, Any]:
    error = JobError(Code.CRASHED)
    return {"state": JobState.FAILED, "error_code": error.code, "error_message": error.message, **_ended()}
