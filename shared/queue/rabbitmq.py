"""The queue between processes and machines: RabbitMQ 3.10 or newer, through aio-pika."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from shared.queue.amqp import graveyard
from shared.queue.amqp.link import Link
from shared.queue.amqp.publisher import Publisher
from shared.queue.amqp.subscriptions import Subscription, Subscriptions
from shared.queue.amqp.tickets import RabbitTicket, Tickets
from shared.queue.amqp.topology import CONTROL, EVENTS, JOBS, event_key, read_event, read_job_id
from shared.queue.backlog import WATCHER_BACKLOG, Backlog
from shared.queue.port import DeadLetter, Ticket


class RabbitQueue:
    """Two connections, one to send and one to receive; both come back by themselves."""

    def __init__(self, url: str) -> None:
        self._publisher = Publisher(url)
        self._tickets = Tickets()
        self._subscriptions = Subscriptions()
        self._receiving = Link(url, "receives", self._tickets.open, self._subscriptions.open)

    async def start(self) -> None:
        """Connect; waits for a broker that is not up yet, and logs so. Raises ConfigError."""
        try:
            await self._publisher.link.start()
            await self._receiving.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect; the broker takes back whatever was not acked."""
        await self._receiving.close()
        await self._publisher.close()

    async def publish(self, job_ids: Sequence[UUID], traces: Mapping[UUID, str] | None = None) -> None:
        """Persistent, routed and confirmed, or QueueUnavailable."""
        await self._publisher.publish(job_ids, traces or {})

    async def take(self) -> RabbitTicket:
        """Wait for the next job id."""
        return await self._tickets.take()

    def at_hand(self, most: int) -> list[Ticket]:
        """More tickets, as many as the broker has sent already."""
        return self._tickets.at_hand(most)

    async def pause(self) -> None:
        """Let the backlog be seen in the broker, and taken by others."""
        self._tickets.pause()

    async def depth(self) -> int:
        """How many job ids no worker holds. Raises QueueUnavailable."""
        async with self._publisher.link.question() as channel:
            queue = await channel.declare_queue(JOBS, passive=True)
            return queue.declaration_result.message_count or 0

    async def publish_event(self, job_id: UUID, event: dict[str, Any]) -> None:
        """Into a bounded backlog that leaves when the socket takes it."""
        self._publisher.event(job_id, event)

    @asynccontextmanager
    async def watch(self, job_id: UUID) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Events of one job from now on, published by any process."""
        backlog: Backlog[dict[str, Any]] = Backlog(WATCHER_BACKLOG)

        def deliver(body: bytes) -> None:
            if (event := read_event(body)) is not None:
                backlog.offer(event)

        async with self._subscriptions.listen(Subscription(EVENTS, event_key(job_id), deliver)):
            yield backlog

    async def publish_cancel(self, job_id: UUID) -> None:
        """To every worker."""
        await self._publisher.cancel(job_id)

    @asynccontextmanager
    async def cancels(self) -> AsyncIterator[AsyncIterator[UUID]]:
        """Jobs cancelled from now on, by any process."""
        backlog: Backlog[UUID] = Backlog()

        def deliver(body: bytes) -> None:
            if (job_id := read_job_id(body)) is not None:
                backlog.offer(job_id)

        async with self._subscriptions.listen(Subscription(CONTROL, "", deliver)):
            yield backlog

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """What no worker could use, the oldest first; it stays. Raises QueueUnavailable."""
        async with self._publisher.link.question() as channel:
            return await graveyard.look(channel, limit)

    async def purge_dead(self) -> int:
        """Forget every dead letter; returns how many. Raises QueueUnavailable."""
        async with self._publisher.link.question() as channel:
            return await graveyard.purge(channel)
