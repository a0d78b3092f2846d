"""What stands in the broker: every exchange, queue and argument, and what the messages look like.

Every argument here is valid on RabbitMQ 3.10 and on 4.x. Declaring is idempotent and done on each connection.

    default exchange ──> linkferry.jobs (quorum) ──rejected──> linkferry.dead (fanout) ──> linkferry.dead
    linkferry.events (topic, job.<id>)   ──> one queue per watcher
    linkferry.control (fanout)           ──> one queue per worker
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractChannel, AbstractQueue

from shared.tracing import TRACEPARENT

JOBS = "linkferry.jobs"
DEAD = "linkferry.dead"
EVENTS = "linkferry.events"
CONTROL = "linkferry.control"

JOB_ARGUMENTS: dict[str, Any] = {
    "x-queue-type": "quorum",
    # In effect none. A pausing worker gives back what it held, and brokers count that as a failed delivery;
    # from 4.0 the limit is 20 when nobody says otherwise, which would bury the head of every long backlog.
    "x-delivery-limit": 1_000_000,
    "x-dead-letter-exchange": DEAD,
}
# A classic queue puts what was only looked at back into its old place; a quorum queue moves it to the end.
DEAD_ARGUMENTS: dict[str, Any] = {"x-queue-type": "classic"}

# For one listener and as long as its connection: the only transient kind that 4.3 still takes is exclusive.
LISTENER_ARGUMENTS: dict[str, Any] = {
    "x-queue-type": "classic",
    "x-max-length": 100,
    "x-overflow": "drop-head",
}


async def declare(channel: AbstractChannel) -> None:
    """Everything durable. Raises ChannelPreconditionFailed when it exists in another shape."""
    dead = await channel.declare_exchange(DEAD, ExchangeType.FANOUT, durable=True)
    grave = await channel.declare_queue(DEAD, durable=True, arguments=DEAD_ARGUMENTS)
    await grave.bind(dead)
    await channel.declare_queue(JOBS, durable=True, arguments=JOB_ARGUMENTS)
    await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)
    await channel.declare_exchange(CONTROL, ExchangeType.FANOUT, durable=True)


async def declare_listener(channel: AbstractChannel, exchange: str, key: str) -> AbstractQueue:
    """A queue for one listener, named by the broker, that goes when its consumer does."""
    queue = await channel.declare_queue(
        "", durable=False, exclusive=True, auto_delete=True, arguments=LISTENER_ARGUMENTS
    )
    await queue.bind(exchange, key)
    return queue


def event_key(job_id: UUID) -> str:
    """The routing key of one job's events."""
    return f"job.{job_id}"


def job_message(job_id: UUID, traceparent: str | None) -> Message:
    """The id of a job, and where its trace goes on, if it has one: the database has the rest."""
    return Message(
        str(job_id).encode(),
        headers={TRACEPARENT: traceparent} if traceparent else None,
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type="text/plain",
    )


def cancel_message(job_id: UUID) -> Message:
    """The id of a cancelled job."""
    return Message(str(job_id).encode(), delivery_mode=DeliveryMode.NOT_PERSISTENT, content_type="text/plain")


def event_message(event: dict[str, Any]) -> Message:
    """One progress event."""
    body = json.dumps(event, separators=(",", ":"), default=str).encode()
    return Message(body, delivery_mode=DeliveryMode.NOT_PERSISTENT, content_type="application/json")


def read_job_id(body: bytes) -> UUID | None:
    """The job id in a message; None when there is none."""
    try:
        return UUID(body.decode("ascii"))
    except ValueError:
        return None


def read_traceparent(headers: Mapping[str, Any]) -> str | None:
    """Where the trace of a message goes on; None when it has none."""
    found = headers.get(TRACEPARENT)
    return found if isinstance(found, str) else None


def read_event(body: bytes) -> dict[str, Any] | None:
    """The event in a message; None when there is none."""
    try:
        event = json.loads(body)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
