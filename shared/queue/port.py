"""What every queue promises. The database holds the truth; the queue only says where to look."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol
from uuid import UUID


class Ticket(Protocol):
    """A job id taken from the queue. Exactly one of the two is called, once."""

    job_id: UUID

    async def ack(self) -> None:
        """The job is claimed (or needs nobody); the queue forgets the ticket."""
        ...

    async def give_back(self) -> None:
        """Not now; another worker may have it."""
        ...


class Queue(Protocol):
    """Job ids, events and cancels between processes. Duplicates of a job id are harmless."""

    async def start(self) -> None:
        """Connect; returns when the queue can be used."""
        ...

    async def close(self) -> None:
        """Give back what is held and disconnect."""
        ...

    async def publish(self, job_ids: Sequence[UUID]) -> None:
        """Returns only when the queue has every id for certain; raises otherwise."""
        ...

    async def take(self) -> Ticket:
        """Wait for the next job id."""
        ...

    async def pause(self) -> None:
        """Hold nothing while every slot is busy; the next `take` resumes."""
        ...

    async def depth(self) -> int:
        """How many job ids wait in the queue."""
        ...

    async def publish_event(self, job_id: UUID, event: dict[str, Any]) -> None:
        """Tell whoever watches this job; nobody has to, and a slow watcher misses events."""
        ...

    def watch(self, job_id: UUID) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        """Events of one job from now on, the oldest dropped when the watcher is slow."""
        ...

    async def publish_cancel(self, job_id: UUID) -> None:
        """Tell the worker that runs this job, wherever it is, that the job was cancelled."""
        ...

    def cancels(self) -> AbstractAsyncContextManager[AsyncIterator[UUID]]:
        """Jobs cancelled from now on, by anybody."""
        ...
