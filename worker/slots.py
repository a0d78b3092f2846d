"""How many attempts a worker makes at once, and when it may take another job."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """`most` attempts at once. One that listens to speech, or waits to, lends its slot to another job.

    Listening has a limit of its own and takes up to hours, in which nothing is downloaded. No more than
    `most` are lent, because what waits has been fetched already and fills the disk. Whoever has listened goes
    on at once, so that for a while a few more than `most` may be at work.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lent = 0
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        """How many jobs may be taken now."""
        return max(0, self._most - self._taken + self._lent)

    @property
    def is_busy(self) -> bool:
        """Whether any attempt runs."""
        return self._taken > 0

    def take(self) -> None:
        """An attempt begins."""
        self._taken += 1

    def give_back(self) -> None:
        """It has ended."""
        self._taken -= 1
        self._changed.set()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The slot of the attempt that runs this is somebody else's meanwhile."""
        if self._lent >= self._most:
            yield
            return
        self._lent += 1
        self._changed.set()
        try:
            yield
        finally:
            self._lent -= 1

    async def until_free(self) -> None:
        """Wait until a job may be taken."""
        while not self.free:
            self._changed.clear()
            await self._changed.wait()
