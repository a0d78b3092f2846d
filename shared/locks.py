"""One lock for each thing that must not be done twice at the same time, for as long as anybody holds it."""

import asyncio
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Locks:
    """`async with locks.of(thing)`: who comes first goes first. Locks that nobody holds are forgotten."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    def of(self, thing: Hashable) -> asyncio.Lock:
        """The lock of this thing; keep it while it is used."""
        lock = self._locks.get(thing)
        if lock is None:
            lock = self._locks[thing] = asyncio.Lock()
        return lock
