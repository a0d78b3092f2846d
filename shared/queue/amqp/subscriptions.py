"""Subscriptions: transient messages to listeners in this process, for as long as they listen."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from shared.queue.amqp.link import Session
from shared.queue.amqp.topology import declare_listener

READY_TIMEOUT = 2.0  # seconds that a listener waits for the broker before it begins without


@dataclass(eq=False)
class Subscription:
    """What a listener wants: the bodies of messages to `exchange` under `key`."""

    exchange: str
    key: str
    deliver: Callable[[bytes], None]
    bound: asyncio.Event = field(default_factory=asyncio.Event)


class Subscriptions:
    """Keeps one broker queue per listener.

    One task talks to the broker for all of them: aio-pika closes the whole channel when a call is cancelled
    midway, and listeners are cancelled whenever a person closes a page.
    """

    def __init__(self) -> None:
        self._wanted: set[Subscription] = set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def listen(self, subscription: Subscription) -> AsyncIterator[None]:
        """Bound before the block begins, unless the broker is away; then it is bound when that comes back."""
        self._wanted.add(subscription)
        self._changed.set()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(READY_TIMEOUT):
                    await subscription.bound.wait()
            yield
        finally:
            self._wanted.discard(subscription)
            self._changed.set()

    async def open(self, session: Session) -> Coroutine[None, None, None]:
        """One channel for all listeners."""
        return self._serve(await session.channel(publisher_confirms=False))

    async def _serve(self, channel: AbstractChannel) -> None:
        bound: dict[Subscription, tuple[AbstractQueue, str]] = {}
        try:
            while True:
                self._changed.clear()
                for subscription in self._wanted - bound.keys():
                    bound[subscription] = await _bind(channel, subscription)
                    subscription.bound.set()
                for subscription in bound.keys() - self._wanted:
                    queue, tag = bound.pop(subscription)
                    await queue.cancel(tag)  # its last consumer was its life
                await self._changed.wait()
        finally:
            for subscription in bound:
                subscription.bound.clear()


async def _bind(channel: AbstractChannel, subscription: Subscription) -> tuple[AbstractQueue, str]:
    async def deliver(message: AbstractIncomingMessage) -> None:
        subscription.deliver(message.body)

    queue = await declare_listener(channel, subscription.exchange, subscription.key)
    return queue, await queue.consume(deliver, no_ack=True)
