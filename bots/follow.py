"""Following a job until it ends: events where they reach this process, the database where they do not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from shared import jobs
from shared.database import Database
from shared.models import JobState, Stage
from shared.queue import Queue
from shared.results import JobView, Results


class Follower:
    """Reads jobs and follows them. The database is the truth; events only make it quicker."""

    def __init__(self, database: Database, queue: Queue, results: Results, lease: float) -> None:
        self._database = database
        self._queue = queue
        self._results = results
        self._lease = lease

    async def view(self, job_id: UUID) -> JobView | None:
        """The job as it is now, with its place in the queue; None when there is none."""
        async with self._database.read() as session:
            job = await jobs.get(session, job_id)
            if job is None:
                return None
            if job.state is not JobState.QUEUED:
                return self._results.view(job)
            place = await jobs.position(session, job)
            pace = await jobs.pace(session, self._lease)
        return self._results.view(job, place, pace.starts_in(place), has_room=pace.slots != 0)

    async def views(self, job_ids: Sequence[UUID]) -> dict[UUID, JobView]:
        """Many jobs as they are now, in three questions."""
        async with self._database.read() as session:
            found = await jobs.get_many(session, job_ids)
            waiting = [job.id for job in found.values() if job.state is JobState.QUEUED]
            places = await jobs.positions(session, waiting) if waiting else {}
            pace = await jobs.pace(session, self._lease) if waiting else jobs.Pace(None, None)
        return {
            job.id: self._results.view(
                job, place, pace.starts_in(place) if place else None, has_room=pace.slots != 0
            )
            for job in found.values()
            for place in (places.get(job.id),)
        }

    async def follow(self, job_id: UUID, poll: float = 1.0) -> AsyncGenerator[JobView, None]:
        """Every change of the job, ending with the view of its end. `poll` in seconds is the slowest pace.

        A job that joins another one is followed there. Nothing comes for a job that does not exist.
        """
        while True:
            async with self._queue.watch(job_id) as events:
                view = None
                async for view in self._changes(job_id, events, poll):
                    yield view
            if view is None or not view.state.is_active:
                return
            job_id = view.job_id  # it joined another one

    async def _changes(
        self, job_id: UUID, events: AsyncIterator[dict[str, Any]], poll: float
    ) -> AsyncGenerator[JobView, None]:
        newest: dict[str, Any] = {}
        while (view := await self.view(job_id)) is not None:
            running = view.state is JobState.RUNNING
            yield _with_progress(view, newest) if running else view  # the row is written less often
            if view.job_id != job_id or not view.state.is_active:
                return
            newest = newest if running else {}
            while (event := await _next(events, poll)) and not event.get("ended"):
                newest = event
                yield _with_progress(view, newest)


async def _next(events: AsyncIterator[dict[str, Any]], patience: float) -> dict[str, Any] | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            return await anext(events)
    return None


def _with_progress(view: JobView, event: dict[str, Any]) -> JobView:
    """The view, with what a progress event says; an event that makes no sense changes nothing."""
    progress = {key: value for key, value in event.items() if key != "stage"}
    try:
        stage = Stage(event.get("stage", ""))
    except ValueError:
        return view
    return view.model_copy(update={"stage": stage, "progress": progress or None, "state": JobState.RUNNING})
