"""The child server keeps a warm process whatever happens, and never lets anybody wait for ever."""

import asyncio
import errno
from typing import Any

import pytest

from worker.child import ChildServer, NoChild
from worker.child import server as module
from worker.child.warm import WarmProcess

PATIENCE = 90.0  # seconds


class Starts:
    """Stands in for `WarmProcess.start`: fails as the machine does when it has nothing left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing = True
        self.count = 0
        self._real = WarmProcess.start
        monkeypatch.setattr(WarmProcess, "start", self)
        monkeypatch.setattr(module, "_RESTART_PAUSE", 0.05)

    async def __call__(self, home: str) -> Any:
        self.count += 1
        if self.failing:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return await self._real(home)


async def test_a_start_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    Starts(monkeypatch)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(NoChild, match="temporarily unavailable"):
            await ChildServer().start()


@pytest.mark.slow
async def test_a_machine_that_has_nothing_left_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts(monkeypatch)
    starts.failing = False
    async with asyncio.timeout(PATIENCE), ChildServer() as server:
        assert server._current is not None
        first = await server._current
        assert server.is_warm
        starts.failing = True
        first.process.kill()
        await first.gone.wait()
        with pytest.raises(NoChild):
            await server.identify("https://youtu.be/dQw4w9WgXcQ")
        waiting = asyncio.create_task(server.identify("https://youtu.be/dQw4w9WgXcQ"))
        while not waiting.done():  # it gets an answer although nothing can be started
            await asyncio.sleep(0.01)
        assert isinstance(waiting.exception(), NoChild)
        assert not server.is_warm
        starts.failing = False
        await server.until_warm()
        assert await server.identify("https://youtu.be/dQw4w9WgXcQ") is not None
    assert starts.count > 2
