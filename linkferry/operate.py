"""`linkferry jobs` and `linkferry dead`: looking at jobs, and putting them right, from the command line.

The database decides, so none of this needs the broker but looking at its dead letters.
"""

import json
from uuid import UUID

import typer
from sqlalchemy.exc import IntegrityError

from bots.intake import cancel
from bots.terminal import plain
from linkferry.compose import Parts, open_parts
from shared import jobs
from shared.errors import ConfigError, JobError
from shared.models import Job, JobState
from shared.queue import QueueUnavailable
from shared.settings import Settings

NOT_DONE = 1
BROKER_PATIENCE = 3.0  # seconds
LINE = "{:<36}  {:<9}  {:>5}  {:<16}  {}"
LONGEST_WORDS = 60  # characters of a title or a link
OF_THE_ROW = (
    "link", "site", "user_key", "options", "attempt", "failures", "crashes", "worker", "lease_until",
    "created_at", "started_at", "finished_at",
)  # fmt: skip


async def list_jobs(settings: Settings, state: JobState | None, limit: int) -> int:
    """The newest jobs, one a line."""
    async with open_parts(settings, patience=0) as parts, parts.database.read() as session:
        found = await jobs.recent(session, state, limit)
    if not found:
        typer.echo("No jobs.")
        return 0
    typer.echo(LINE.format("job", "state", "tries", "made (UTC)", "what"))
    for job in found:
        made = f"{job.created_at:%Y-%m-%d %H:%M}"
        typer.echo(LINE.format(str(job.id), job.state.value, job.attempt, made, _words(job)).rstrip())
    return 0


def _words(job: Job) -> str:
    """What it is, where, and why it is not done. A terminal may wrap the line, but nothing else breaks it."""
    what = plain(job.title or job.link)
    more: list[str] = [job.error_code] if job.error_code and job.state is not JobState.DONE else []
    if job.state is JobState.RUNNING and job.worker:
        more.append(f"at {plain(job.worker)}")
    return "  ".join([what if len(what) <= LONGEST_WORDS else what[: LONGEST_WORDS - 1] + "…", *more])


async def show_job(settings: Settings, job_id: UUID) -> int:
    """Everything about one job, as JSON with its links."""
    async with open_parts(settings, patience=0) as parts:
        view = await parts.follower.view(job_id)
        if view is None:
            return unknown(job_id)
        async with parts.database.read() as session:
            job = await session.get_one(Job, view.job_id)
    known = view.model_dump(mode="json") | {name: getattr(job, name) for name in OF_THE_ROW}
    typer.echo(json.dumps(known, indent=2, default=str))
    return 0


async def retry_job(settings: Settings, job_id: UUID) -> int:
    """Start a failed or cancelled job anew."""
    async with open_parts(settings, BROKER_PATIENCE) as parts:
        try:
            async with parts.database.write() as session:
                started = await jobs.retry(session, job_id)
                job = await session.get(Job, job_id)
        except IntegrityError:
            return refuse("Another job carries the same link right now.")
        if job is None:
            return unknown(job_id)
        if not started:
            return refuse(f"Only a failed or cancelled job can be tried again; this one is {job.state}.")
        await _hand_on(parts)
    typer.echo("Queued again.")
    return 0


async def cancel_job(settings: Settings, job_id: UUID) -> int:
    """Cancel a job for everybody who waits for it."""
    async with open_parts(settings, BROKER_PATIENCE) as parts:
        view = await parts.follower.view(job_id)
        if view is None:
            return unknown(job_id)
        if not view.state.is_active:
            return refuse(f"It has ended already: {view.state}.")
        try:
            await cancel(parts.database, parts.queue, view.job_id)
        except JobError as error:
            return refuse(error.message)
    typer.echo("Cancelled.")
    return 0


async def dead(settings: Settings, *, purge: bool) -> int:
    """Jobs that brought down too many workers, and messages that no worker could read."""
    if settings.is_embedded and purge:
        raise ConfigError("The embedded queue keeps no dead letters; they belong to RabbitMQ.")
    async with open_parts(settings, BROKER_PATIENCE) as parts:
        async with parts.database.read() as session:
            failed = await jobs.quarantined(session)
        for job in failed:
            crashed = f"job {job.id} brought down {job.crashes} workers: {plain(job.link)}"
            typer.echo(f"{crashed}\n    try it again: linkferry jobs retry {job.id}")
        try:
            found = await (_purge(parts) if purge else _show_letters(parts))
        except QueueUnavailable:
            return refuse("RabbitMQ does not answer, so I cannot say what lies in it.")
    if not failed and not found and not purge:
        typer.echo("Nothing is dead.")
    return 0


async def _show_letters(parts: Parts) -> int:
    letters = await parts.queue.dead_letters()
    for letter in letters:
        when = f" at {letter.died_at:%Y-%m-%d %H:%M:%S}" if letter.died_at else ""
        typer.echo(f"message {letter.body[:80]!r} {letter.reason}{when}")
    if letters:
        typer.echo("    Linkferry wrote none of these; remove them: linkferry dead --purge")
    return len(letters)


async def _purge(parts: Parts) -> int:
    removed = await parts.queue.purge_dead()
    typer.echo(f"{removed} messages removed." if removed != 1 else "1 message removed.")
    return removed


async def _hand_on(parts: Parts) -> None:
    """Tell the broker at once; if that fails, and with the embedded queue, whoever works sees the outbox."""
    if not parts.settings.is_embedded:
        try:
            await parts.outbox.publish()
        except QueueUnavailable:
            typer.echo("RabbitMQ does not answer; a worker hands the job on when it does.", err=True)


def refuse(sentence: str) -> int:
    """Say why it is not done; the exit code."""
    typer.echo(sentence, err=True)
    return NOT_DONE


def unknown(job_id: UUID) -> int:
    """Say that there is no such job; the exit code."""
    return refuse(f"There is no job {job_id}.")
