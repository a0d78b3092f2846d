"""An event loop whose time passes only while everybody sleeps: an hour takes as long as its work."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Leaping(selectors.DefaultSelector):
    """Instead of waiting, it moves the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; else the time it would have waited has passed."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits, and nobody sleeps")
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Works with tasks, locks, sleeps and timeouts; not with threads, which it would outrun."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._leaping.now


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual_now() -> float:
    """The virtual time, in seconds."""
    return asyncio.get_running_loop().time()
