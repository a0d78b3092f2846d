"""Following a job until it ends: events where they reach this process, the database where they do not."""

import asyncio
from collections.abc import AsyncIterator
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

    def __init__(self, database: Database, queue: Queue, results: Results) -> None:
        self._database = database
        self._queue = queue
        self._results = results

    async def view(self, job_id: UUID) -> JobView | None:
        """The job as it is now, with its place in the queue; None when there is none."""
        async with self._database.read() as session:
            job = await jobs.get(session, job_id)
            if job is None:
                return None
            place = await jobs.position(session, job) if job.state is JobState.QUEUED else None
        return self._results.view(job, place)

    async def follow(self, job_id: UUID, poll: float = 1.0) -> AsyncIterator[JobView]:
        """Every change of the job, ending with the view of its end. `poll` in seconds is the slowest pace.

        A job that joins another one is followed there.
        """
        while True:
            async with self._queue.watch(job_id) as events:
                async for view in self._until_joined(job_id, events, poll):
                    yield view
                    if not view.state.is_active:
                        return
                    if view.job_id != job_id:
                        job_id = view.job_id
                        break

    async def _until_joined(
        self, job_id: UUID, events: AsyncIterator[dict[str, Any]], poll: float
    ) -> AsyncIterator[JobView]:
        while (view := await self.view(job_id)) is not None:
            yield view
            event: dict[str, Any] | None = None
            with suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    event = await anext(events)
            while event is not None and not event.get("ended"):
                yield _with_progress(view, event)
                event = None
                with suppress(TimeoutError):
                    async with asyncio.timeout(poll):
                        event = await anext(events)


def _with_progress(view: JobView, event: dict[str, Any]) -> JobView:
    """The view, with what a progress event says; an event that makes no sense changes nothing."""
    progress = {key: value for key, value in event.items() if key != "stage"}
    try:
        stage = Stage(event.get("stage", ""))
    except ValueError:
        return view
    return view.model_copy(update={"stage": stage, "progress": progress or None, "state": JobState.RUNNING})
