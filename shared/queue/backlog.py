"""What waits for one listener: bounded, the oldest dropped first, and safe to stop waiting for."""

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

T = TypeVar("T")

WATCHER_BACKLOG = 32  # events a slow watcher may lag behind before it misses the oldest


class Backlog(Generic[T]):
    """An asynchronous iterator fed by `offer`. Unlike a generator, it outlives a timeout of its reader."""

    def __init__(self, size: int | None = None) -> None:
        self._items: deque[T] = deque(maxlen=size)
        self._filled = asyncio.Event()

    def offer(self, item: T) -> None:
        """Add an item; a full backlog loses its oldest."""
        self._items.append(item)
        self._filled.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()
