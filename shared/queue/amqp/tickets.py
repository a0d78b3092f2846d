"""Tickets: job ids out of the broker, held only while somebody is about to take them."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from uuid import UUID

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.queue.amqp.link import Session, broker_errors
from shared.queue.amqp.topology import JOBS, read_job_id, read_traceparent
from shared.queue.port import QueueUnavailable, Ticket

log = logging.getLogger(__name__)

PREFETCH = 32  # tickets on their way to one worker: enough to hide a round trip, little to give back
PAUSE_AFTER = 0.05  # seconds; a worker whose slots are free again by then need not have stopped at all


@dataclass
class RabbitTicket:
    """A job id and the delivery that brought it."""

    job_id: UUID
    traceparent: str | None
    _message: AbstractIncomingMessage

    async def ack(self) -> None:
        """The broker forgets it. On a dead connection it cannot: it delivers again, and the claim decides."""
        try:
            with broker_errors():
                await self._message.ack()
        except QueueUnavailable as error:
            log.warning("job %s comes again, because its ack was lost: %s", self.job_id, error)

    async def give_back(self) -> None:
        """To the head of the queue; on a dead connection the broker has put it there already."""
        try:
            with broker_errors():
                await self._message.nack(requeue=True)
        except QueueUnavailable as error:
            log.debug("the broker took job %s back by itself: %s", self.job_id, error)


class Tickets:
    """Consumes while somebody takes, and for a moment longer."""

    def __init__(self) -> None:
        self._held: asyncio.Queue[RabbitTicket] = asyncio.Queue()
        self._wanted = asyncio.Event()
        self._unwanted = asyncio.Event()
        self._consuming = False
        self._pausing: asyncio.TimerHandle | None = None

    async def take(self) -> RabbitTicket:
        """Wait for the next ticket, across as many connections as that takes."""
        if self._pausing:
            self._pausing.cancel()
            self._pausing = None
        self._unwanted.clear()
        self._wanted.set()
        return await self._held.get()

    def at_hand(self, most: int) -> list[Ticket]:
        """More tickets, without waiting."""
        return [self._held.get_nowait() for _ in range(min(most, self._held.qsize()))]

    def pause(self) -> None:
        """Give back what is held, unless somebody takes again in a moment."""
        if self._wanted.is_set() and self._pausing is None:
            self._pausing = asyncio.get_running_loop().call_later(PAUSE_AFTER, self._pause)

    def _pause(self) -> None:
        self._pausing = None
        self._wanted.clear()
        self._unwanted.set()

    async def open(self, session: Session) -> Coroutine[None, None, None]:
        """A channel that is never given more than PREFETCH."""
        channel = await session.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=PREFETCH)
        return self._consume(channel)

    async def _consume(self, channel: AbstractChannel) -> None:
        queue = await channel.get_queue(JOBS, ensure=False)
        try:
            while True:
                await self._wanted.wait()
                self._consuming = True
                tag = await queue.consume(self._arrive)
                await self._unwanted.wait()
                await queue.cancel(tag)
                self._consuming = False
                await self._give_back()
        finally:
            self._consuming = False
            while not self._held.empty():  # the connection is gone; the broker gives them to others
                self._held.get_nowait()

    async def _give_back(self) -> None:
        while not self._held.empty():
            await self._held.get_nowait().give_back()

    async def _arrive(self, message: AbstractIncomingMessage) -> None:
        job_id = read_job_id(message.body)
        if job_id is None:
            log.error("a message of %d bytes is no job id; see `linkferry dead`", len(message.body))
            await message.reject(requeue=False)
        elif self._consuming:
            self._held.put_nowait(RabbitTicket(job_id, read_traceparent(message.headers), message))
        else:
            await message.nack(requeue=True)  # it crossed our cancel on the way
