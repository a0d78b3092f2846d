"""What is there at the end: rows, files, work folders, processes, messages. Judged elsewhere."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from linkferry.compose import open_parts
from shared.database import Database
from shared.models import Artifact, Delivery, Job, JobState, OutboxRow, Request
from tests.chaos.chat import Message
from worker.sweep import Kind, sweep
from worker.tools import Tools

if TYPE_CHECKING:
    from tests.chaos.cluster import Cluster


@dataclass(frozen=True)
class JobSeen:
    """The end of a job's row."""

    id: str
    state: str
    joined_to: str | None = None
    error: str | None = None
    attempt: int = 1
    crashes: int = 0
    failures: int = 0


@dataclass(frozen=True)
class FileSeen:
    """An artifact, and what lies under its key: None when nothing does."""

    job: str
    key: str
    sha256: str
    found: str | None


@dataclass
class Evidence:
    """Everything the checker looks at. `requests`: by id, the job that each waits for."""

    jobs: dict[str, JobSeen] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    undelivered: list[str] = field(default_factory=list)
    files: list[FileSeen] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)  # stored files that no artifact names, after the sweep
    swept: int = 0  # stored files and work folders that the janitor's sweep removed
    folders: list[str] = field(default_factory=list)  # work folders that are left after the sweep
    processes: list[str] = field(default_factory=list)
    waiting: int = 0  # outbox rows
    wrongs: list[str] = field(default_factory=list)


async def running_jobs(url: str, pid: int | None = None) -> list[str]:
    """The jobs that the worker with this pid carries, or that any does."""
    database = Database(url)
    try:
        async with database.read() as session:
            found = select(Job.id).where(Job.state == JobState.RUNNING)
            mine = found if pid is None else found.where(Job.worker.endswith(f":{pid}"))
            return [str(job_id) for job_id in await session.scalars(mine)]
    finally:
        await database.close()


async def what_waits(session: AsyncSession) -> dict[str, int]:
    """How much is not at its end yet, by kind."""
    active = select(func.count()).where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    pending = select(func.count()).where(Request.delivery == Delivery.PENDING)
    return {
        "jobs": await session.scalar(active) or 0,
        "deliveries": await session.scalar(pending) or 0,
        "outbox": await session.scalar(select(func.count()).select_from(OutboxRow)) or 0,
    }


async def collect(cluster: "Cluster") -> Evidence:
    """Sweep as the janitor does now and then, and look at everything that is left."""
    async with open_parts(cluster.settings()) as parts:
        tools = Tools(parts.settings, parts.database, parts.storage, None, None)  # type: ignore[arg-type]
        swept = len([each async for each in sweep(tools, [Kind.WORK, Kind.ORPHAN])])
        async with parts.database.read() as session:
            jobs = (await session.scalars(select(Job))).all()
            requests = (await session.scalars(select(Request))).all()
            artifacts = (await session.scalars(select(Artifact))).all()
            waiting = (await what_waits(session))["outbox"]
    stored, root = cluster.home.data / "files", cluster.home.data / "work"
    files = [
        FileSeen(str(a.job_id), a.storage_key, a.sha256, _digest(stored / a.storage_key)) for a in artifacts
    ]
    return Evidence(
        jobs={str(job.id): _seen(job) for job in jobs},
        requests={str(request.id): str(request.job_id) for request in requests},
        undelivered=[str(request.id) for request in requests if request.delivery is Delivery.PENDING],
        files=files,
        messages=cluster.chat.messages,
        orphans=_unnamed(stored, {file.key for file in files}),
        swept=swept,
        folders=[path.name for path in root.iterdir()] if root.is_dir() else [],
        waiting=waiting,
        wrongs=[*cluster.chat.wrongs, *cluster.surprises],
    )


def _seen(job: Job) -> JobSeen:
    return JobSeen(
        id=str(job.id),
        state=job.state.value,
        joined_to=_text(job.joined_to),
        error=job.error_code.value if job.error_code else None,
        attempt=job.attempt,
        crashes=job.crashes,
        failures=job.failures,
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unnamed(root: Path, named: Sequence[str] | set[str]) -> list[str]:
    paths = [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []
    return [key for key in (path.relative_to(root).as_posix() for path in paths) if key not in named]
