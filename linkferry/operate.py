"""`linkferry jobs` and `linkferry dead`: looking at jobs, and putting them right, from the command line."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import IntegrityError

from bots.intake import cancel
from linkferry.compose import Parts, open_parts
from shared import jobs
from shared.errors import ConfigError
from shared.models import Job, JobState
from shared.settings import Settings

NOT_FOUND = 1


async def list_jobs(settings: Settings, state: JobState | None, limit: int) -> int:
    """The newest jobs, one a line."""
    async with open_parts(settings) as parts, parts.database.read() as session:
        found = await jobs.recent(session, state, limit)
    table = Table("job", "state", "tries", "made (UTC)", "what", "why", box=None, padding=(0, 2, 0, 0))
    for job in found:
        made = f"{job.created_at:%Y-%m-%d %H:%M:%S}"
        what = job.title or job.link
        table.add_row(str(job.id), job.state, str(job.attempt), made, what[:60], job.error_code or "")
    Console(highlight=False, soft_wrap=True).print(table if found else "No jobs.", markup=False)
    return 0


async def show_job(settings: Settings, job_id: UUID) -> int:
    """Everything about one job, as JSON with its links."""

    async def show(parts: Parts) -> int:
        view = await parts.follower.view(job_id)
        if view is None:
            return _unknown(job_id)
        typer.echo(view.model_dump_json(indent=2))
        return 0

    return await _with_parts(settings, show)


async def retry_job(settings: Settings, job_id: UUID) -> int:
    """Start a failed or cancelled job anew."""

    async def retry(parts: Parts) -> int:
        try:
            async with parts.database.write() as session:
                started = await jobs.retry(session, job_id)
                job = await session.get(Job, job_id)
        except IntegrityError:
            typer.echo("Another job carries the same link right now.", err=True)
            return NOT_FOUND
        if job is None:
            return _unknown(job_id)
        if not started:
            typer.echo(
                f"Only a failed or cancelled job can be tried again; this one is {job.state}.", err=True
            )
            return NOT_FOUND
        await _hand_on(parts)
        typer.echo("Queued again.")
        return 0

    return await _with_parts(settings, retry)


async def cancel_job(settings: Settings, job_id: UUID) -> int:
    """Cancel a job for everybody who waits for it."""

    async def stop(parts: Parts) -> int:
        view = await parts.follower.view(job_id)
        if view is None:
            return _unknown(job_id)
        if not view.state.is_active:
            typer.echo(f"It has ended already: {view.state}.", err=True)
            return NOT_FOUND
        await cancel(parts.database, parts.queue, job_id)
        typer.echo("Cancelled.")
        return 0

    return await _with_parts(settings, stop)


async def dead(settings: Settings, *, purge: bool) -> int:
    """Jobs that brought down too many workers, and messages that no worker could read."""
    if settings.is_embedded and purge:
        raise ConfigError("The embedded queue keeps no dead letters; they belong to RabbitMQ.")

    async def look(parts: Parts) -> int:
        async with parts.database.read() as session:
            failed = await jobs.quarantined(session)
        for job in failed:
            typer.echo(
                f"job {job.id}  {job.link}  brought down {job.crashes} workers: linkferry jobs retry {job.id}"
            )
        if purge:
            typer.echo(f"{await parts.queue.purge_dead()} messages removed.")
            return 0
        letters = await parts.queue.dead_letters()
        for letter in letters:
            typer.echo(f"message {letter.body[:80]!r}  {letter.reason}  {letter.died_at or ''}")
        if not failed and not letters:
            typer.echo("Nothing is dead.")
        return 0

    return await _with_parts(settings, look)


async def _hand_on(parts: Parts) -> None:
    """With a broker, tell it at once; the embedded queue's own process sees the outbox by itself."""
    if not parts.settings.is_embedded:
        await parts.outbox.publish()


async def _with_parts(settings: Settings, step: Callable[[Parts], Coroutine[Any, Any, int]]) -> int:
    async with open_parts(settings) as parts:
        return await step(parts)


def _unknown(job_id: UUID) -> int:
    typer.echo(f"There is no job {job_id}.", err=True)
    return NOT_FOUND
