"""A mailbox between a sender that never waits and a reader that may be slow."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")

WATCHER_BACKLOG = 32  # events a slow watcher may lag behind before it misses the oldest


class Mailbox(Generic[T]):
    """An async iterator with a memory of `size` items, the oldest dropped; 0 is no limit.

    A class and not a generator: a reader that gives up waiting (a timeout) would end a generator.
    """

    def __init__(self, size: int = 0) -> None:
        self._items: asyncio.Queue[T] = asyncio.Queue(size)

    def put(self, item: T) -> None:
        """Add one, at the cost of the oldest."""
        if self._items.full():
            self._items.get_nowait()
        self._items.put_nowait(item)

    def __aiter__(self) -> "Mailbox[T]":
        return self

    async def __anext__(self) -> T:
        return await self._items.get()
