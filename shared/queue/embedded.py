"""The queue inside one process. It keeps nothing: after a restart the database says what was queued."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.queue.backlog import WATCHER_BACKLOG, Backlog
from shared.queue.port import DeadLetter, Ticket


@dataclass
class EmbeddedTicket:
    """A job id from the in-process queue."""

    job_id: UUID
    traceparent: str | None
    _queue: "asyncio.Queue[EmbeddedTicket]"

    async def ack(self) -> None:
        """Nothing to do: taking it removed it."""

    async def give_back(self) -> None:
        """Back into the queue."""
        self._queue.put_nowait(self)


class EmbeddedQueue:
    """Job ids, events and cancels within this process."""

    def __init__(self) -> None:
        self._jobs: asyncio.Queue[EmbeddedTicket] = asyncio.Queue()
        self._watchers: dict[UUID, set[Backlog[dict[str, Any]]]] = defaultdict(set)
        self._cancel_listeners: set[Backlog[UUID]] = set()

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to disconnect from."""

    async def publish(self, job_ids: Sequence[UUID], traces: Mapping[UUID, str] | None = None) -> None:
        """Into the queue at once."""
        for job_id in job_ids:
            self._jobs.put_nowait(EmbeddedTicket(job_id, (traces or {}).get(job_id), self._jobs))

    async def take(self) -> EmbeddedTicket:
        """Wait for the next job id."""
        return await self._jobs.get()

    def at_hand(self, most: int) -> list[Ticket]:
        """More tickets, as many as wait."""
        count = min(most, self._jobs.qsize())
        return [self._jobs.get_nowait() for _ in range(count)]

    async def pause(self) -> None:
        """Nothing is ever held."""

    async def depth(self) -> int:
        """How many job ids wait."""
        return self._jobs.qsize()

    async def publish_event(self, job_id: UUID, event: dict[str, Any]) -> None:
        """To the watchers of this job, if any; full ones lose their oldest event."""
        for backlog in self._watchers.get(job_id, ()):
            backlog.offer(event)

    @asynccontextmanager
    async def watch(self, job_id: UUID) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Events of one job from now on."""
        backlog: Backlog[dict[str, Any]] = Backlog(WATCHER_BACKLOG)
        self._watchers[job_id].add(backlog)
        try:
            yield backlog
        finally:
            self._watchers[job_id].discard(backlog)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def publish_cancel(self, job_id: UUID) -> None:
        """To every listener in this process."""
        for backlog in self._cancel_listeners:
            backlog.offer(job_id)

    @asynccontextmanager
    async def cancels(self) -> AsyncIterator[AsyncIterator[UUID]]:
        """Jobs cancelled from now on."""
        backlog: Backlog[UUID] = Backlog()
        self._cancel_listeners.add(backlog)
        try:
            yield backlog
        finally:
            self._cancel_listeners.discard(backlog)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """There are none: only ids get in."""
        return []

    async def purge_dead(self) -> int:
        """There are none."""
        return 0
