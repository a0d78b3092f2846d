"""What every queue promises. The database holds the truth; the queue only says where to look."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from shared.errors import LinkferryError


class QueueUnavailable(LinkferryError):
    """The queue did not confirm in time. What was to be published stays where it was: in the database."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that no worker could use, kept for a person to look at."""

    body: str
    reason: str
    died_at: datetime | None


class Ticket(Protocol):
    """A job id taken from the queue. Exactly one of the two is called, once.

    `traceparent`: where the job's trace goes on, if it was published with one.
    """

    job_id: UUID
    traceparent: str | None

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

    async def publish(self, job_ids: Sequence[UUID], traces: Mapping[UUID, str] | None = None) -> None:
        """Returns only when the queue has every id for certain; raises QueueUnavailable otherwise.

        `traces`: where the traces of these jobs go on, for their tickets.
        """
        ...

    async def take(self) -> Ticket:
        """Wait for the next job id."""
        ...

    def at_hand(self, most: int) -> list[Ticket]:
        """More tickets, as many as are here without waiting; after a `take`."""
        ...

    async def pause(self) -> None:
        """Nobody will take for a while: soon nothing is held any more. The next `take` resumes."""
        ...

    async def depth(self) -> int:
        """How many job ids wait in the queue, or raises QueueUnavailable."""
        ...

    async def publish_event(self, job_id: UUID, event: dict[str, Any]) -> None:
        """Tell whoever watches this job; nobody has to. Never waits, never raises: events may get lost."""
        ...

    def watch(self, job_id: UUID) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        """Events of one job from now on, the oldest dropped when the watcher is slow.

        Waiting for one may be given up and begun again. While the queue is away no events come.
        """
        ...

    async def publish_cancel(self, job_id: UUID) -> None:
        """Tell the worker that runs this job, wherever it is, that the job was cancelled.

        Never raises: the database knows, and the worker's next heartbeat sees it there.
        """
        ...

    def cancels(self) -> AbstractAsyncContextManager[AsyncIterator[UUID]]:
        """Jobs cancelled from now on, by anybody."""
        ...

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """What no worker could use, the oldest first; it stays. Raises QueueUnavailable."""
        ...

    async def purge_dead(self) -> int:
        """Forget every dead letter; returns how many. Raises QueueUnavailable."""
        ...
