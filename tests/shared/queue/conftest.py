"""Queues of both kinds, and ways to wait for them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from shared.queue import EmbeddedQueue, Queue, QueueUnavailable, open_queue
from tests.services import PrivateRabbit, TcpProxy, rabbit, rabbitmq_url
from tests.waiting import eventually

__all__ = ["rabbit", "rabbitmq_url"]

PLACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # in a trace, as W3C writes it
SOON = 30.0  # seconds within which things must happen, on a busy machine too

Connect = Callable[[], Awaitable[Queue]]
ConnectTo = Callable[..., Awaitable[Queue]]  # RabbitMQ only: also by another address


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever listens begins when the broker knows it, else it misses some; and answers may take long."""
    monkeypatch.setattr("shared.queue.amqp.subscriptions.READY_TIMEOUT", SOON)
    monkeypatch.setattr("shared.queue.amqp.publisher.CONFIRM_TIMEOUT", 20.0)
    monkeypatch.setattr("shared.queue.amqp.link.ASK_TIMEOUT", 20.0)


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """While nobody answers, half a second is enough to see that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.queue.amqp.publisher.CONFIRM_TIMEOUT", 0.5)
        patch.setattr("shared.queue.amqp.link.ASK_TIMEOUT", 0.5)
        yield


@pytest.fixture
async def connect_rabbit(rabbit: PrivateRabbit) -> AsyncIterator[Callable[..., Awaitable[Queue]]]:
    """Opens queues on the broker, as processes of their own would; all are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def connect(url: str = rabbit.url) -> Queue:
            queue = open_queue(url)
            await queue.start()
            stack.push_async_callback(queue.close)
            return queue

        yield connect


@pytest.fixture
async def proxy(rabbit: PrivateRabbit) -> AsyncIterator[TcpProxy]:
    """A proxy in front of the broker."""
    async with TcpProxy(rabbit.port) as proxy:
        yield proxy


@pytest.fixture
def through(rabbit: PrivateRabbit, proxy: TcpProxy) -> str:
    """The broker's address through the proxy."""
    return rabbit.url_through(proxy.port)


@pytest.fixture(params=["embedded", "rabbitmq"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Opens the same queue again, from another process where there can be one."""
    if request.param == "rabbitmq":
        opener: Connect = request.getfixturevalue("connect_rabbit")
        return opener
    embedded = EmbeddedQueue()

    async def same() -> Queue:
        await embedded.start()
        return embedded

    return same


async def at(function: Callable[..., Any], *arguments: object) -> Any:
    """Run what blocks beside the event loop."""
    return await asyncio.to_thread(function, *arguments)


async def publish_until_confirmed(queue: Queue, job_id: UUID) -> None:
    """What the outbox and the janitor do together. Whose confirmation was lost is there twice."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await queue.publish([job_id])
            except QueueUnavailable:
                await asyncio.sleep(0.1)


async def said(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Wait until the log has these words."""
    async with asyncio.timeout(SOON):
        while words not in caplog.text:
            await asyncio.sleep(0.02)


async def depth_becomes(queue: Queue, depth: int) -> None:
    """Wait until so many ids are seen waiting."""
    try:
        await eventually(lambda: _has_depth(queue, depth))
    except TimeoutError:
        pytest.fail(f"the depth is {await queue.depth()}, not {depth}")


async def _has_depth(queue: Queue, depth: int) -> bool:
    return await queue.depth() == depth


async def take_all(queue: Queue, least: int = 0) -> list[UUID]:
    """Take and ack so many, which must come soon, and all else until half a second goes without any."""
    taken = [await take_one(queue) for _ in range(least)]
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.5):
                ticket = await queue.take()
            await ticket.ack()
            taken.append(ticket.job_id)
    return taken


async def take_one(queue: Queue) -> UUID:
    """Take and ack the next one, which must come soon."""
    async with asyncio.timeout(SOON):
        ticket = await queue.take()
    await ticket.ack()
    return ticket.job_id
