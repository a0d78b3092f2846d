"""What goes to the broker: job ids for certain, cancels as well as possible, events when there is time."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractExchange

from shared.queue.amqp.link import Link, Session, broker_errors
from shared.queue.amqp.topology import (
    CONTROL,
    EVENTS,
    JOBS,
    cancel_message,
    event_key,
    event_message,
    job_message,
)
from shared.queue.port import QueueUnavailable

log = logging.getLogger(__name__)

CONFIRM_TIMEOUT = 5.0  # seconds for one message, waiting for a connection included
IN_FLIGHT = 100  # unconfirmed messages: seven times as fast as one after another
EVENT_BACKLOG = 1000  # events that wait for the socket before the oldest is dropped
FLUSH_TIMEOUT = 1.0  # seconds that closing waits for the last events to leave


class Publisher:
    """Sends over a connection of its own: a broker short of memory stops reading from those that publish,
    and must not thereby stop the acks of those that consume."""

    def __init__(self, url: str) -> None:
        self.link = Link(url, "sends", self._open)
        self._sure: AbstractChannel  # the one of the session that is ready
        self._events: asyncio.Queue[tuple[UUID, Message]] = asyncio.Queue(EVENT_BACKLOG)

    async def close(self) -> None:
        """Disconnect, with the last events gone when the broker takes them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self._events.join()
        await self.link.close()

    async def publish(self, job_ids: Sequence[UUID], traces: Mapping[UUID, str]) -> None:
        """Every id to the job queue, confirmed. Raises QueueUnavailable when one was not."""
        waiting = iter(job_ids)  # shared by all senders

        async def send() -> None:
            for job_id in waiting:
                message = job_message(job_id, traces.get(job_id))
                await self._confirmed("", JOBS, message, mandatory=True)

        try:
            async with asyncio.TaskGroup() as senders:
                for _ in range(min(IN_FLIGHT, len(job_ids))):
                    senders.create_task(send())
        except* QueueUnavailable as failures:
            failure = failures
        else:
            return
        raise QueueUnavailable(str(failure.exceptions[0])) from failure

    async def cancel(self, job_id: UUID) -> None:
        """To every worker, if there is any."""
        try:
            await self._confirmed(CONTROL, "", cancel_message(job_id), mandatory=False)
        except QueueUnavailable as error:
            log.warning("the cancel waits for the worker's next heartbeat: %s", error)

    def event(self, job_id: UUID, event: dict[str, Any]) -> None:
        """To whoever watches, when the socket takes it."""
        if self._events.full():
            self._events.get_nowait()
            self._events.task_done()
        self._events.put_nowait((job_id, event_message(event)))

    async def _confirmed(self, exchange: str, key: str, message: Message, *, mandatory: bool) -> None:
        with broker_errors():
            async with asyncio.timeout(CONFIRM_TIMEOUT):
                await self.link.ready()
                target = await _exchange(self._sure, exchange)
                await target.publish(message, key, mandatory=mandatory)

    async def _open(self, session: Session) -> Coroutine[None, None, None]:
        self._sure = await session.channel(on_return_raises=True)
        return self._send_events(await session.channel(publisher_confirms=False))

    async def _send_events(self, channel: AbstractChannel) -> None:
        exchange = await _exchange(channel, EVENTS)
        while True:
            job_id, message = await self._events.get()
            self._events.task_done()
            await exchange.publish(message, event_key(job_id), mandatory=False)


async def _exchange(channel: AbstractChannel, name: str) -> AbstractExchange:
    """An exchange that is known to be there."""
    return await channel.get_exchange(name, ensure=False)
