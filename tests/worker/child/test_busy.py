"""A warm process that is busy is not dead, and hostile links cannot keep it busy for long."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.child.test_processes import warm_process
from tests.worker.child.test_refusals import warm_here
from worker.child import warm
from worker.child.protocol import Limits
from worker.child.server import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeLimits = Callable[..., Limits]
LINK = "https://youtu.be/dQw4w9WgXcQ"


async def test_a_slow_identity_is_none_and_kills_nobody(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = warm_process().pid
    async with server.open(tmp_path, limits()) as child:
        os.kill(before, signal.SIGSTOP)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(warm, "_IDENTIFY_PATIENCE", 0.2)
                assert await server.identify(LINK) is None
        finally:
            os.kill(before, signal.SIGCONT)
        monkeypatch.setattr(warm, "_IDENTIFY_PATIENCE", 60.0)
        assert await server.identify(LINK) is not None
        os.kill(child.pid, 0)
    assert warm_process().pid == before


async def test_a_fork_waits_behind_others_as_long_as_they_are_served(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_SILENCE", 4.0)
    before = warm_process().pid
    current = server._current
    assert current is not None
    running = await current
    os.kill(before, signal.SIGSTOP)
    try:
        opening = asyncio.create_task(open_and_leave(server, limits(), tmp_path))
        for _ in range(10):  # longer than the patience, but it is heard of all the time
            await asyncio.sleep(0.5)
            running._heard = asyncio.get_running_loop().time()
    finally:
        monkeypatch.setattr(warm, "_SILENCE", 60.0)
        os.kill(before, signal.SIGCONT)
    await opening
    assert warm_process().pid == before


async def open_and_leave(server: ChildServer, limits: Limits, folder: Path) -> None:
    """Open a child and close it again."""
    async with server.open(folder, limits):
        pass


class Slow:
    """An extractor whose pattern takes for ever, and which catches whatever is raised meanwhile."""

    suitable = staticmethod(lambda link: Slow.match(link))

    @staticmethod
    def match(_: str) -> bool:
        try:
            return bool(re.match(r"(a+)+$", "a" * 60 + "b"))
        except Exception:
            return bool(re.match(r"(a+)+$", "a" * 60 + "b"))


async def test_a_link_that_keeps_a_pattern_busy_is_given_up_soon() -> None:
    with warm_here({"Slow": Slow}, iter(())) as (warm, _):
        started = time.monotonic()
        for _ in range(11):
            assert warm._identify("https://a.example/") is None
        assert time.monotonic() - started < 60, "a pattern that runs for ever would take centuries"
