"""What the warm process cannot do, for now, costs only whoever asks; the children that run go on."""

import asyncio
import errno
import gc
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tests.site.server import MediaSite
from tests.worker.child.test_processes import warm_process
from worker.child import ChildServer, NoChild, zygote
from worker.child.control import REPORT, Ended, Fork, Refused
from worker.child.protocol import Limits
from worker.child.warm import WarmProcess
from worker.child.zygote import Zygote

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeLimits = Callable[..., Limits]
HANDLED = (signal.SIGCHLD, signal.SIGVTALRM, signal.SIGUSR1)


@contextmanager
def warm_here(extractors: Any, idle_work: Iterator[None]) -> Iterator[tuple[Zygote, socket.socket]]:
    """A warm process's loop within this one, and the worker's end of its socket. Nobody may really fork."""
    kept = {number: signal.getsignal(number) for number in HANDLED}
    wakeup = signal.set_wakeup_fd(-1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with ours, theirs:
            yield Zygote(theirs, extractors, idle_work), ours
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in kept.items():
            signal.signal(number, handler)
        gc.unfreeze()


def open_descriptors() -> set[Path]:
    """Those of this process."""
    return set(Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(
    ("comes_through", "reason"), [(True, "temporarily unavailable"), (False, "Too many open files")]
)
async def test_a_fork_that_cannot_be_is_refused_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, comes_through: bool, reason: str
) -> None:
    def fork() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", fork)
    with warm_here({}, iter(())) as (warm, ours), socket.socket() as end:
        before = open_descriptors()
        sent = [end.fileno()] if comes_through else []
        socket.send_fds(ours, [Fork(request=5).model_dump_json().encode()], sent)
        warm._serve_one()
        answer = REPORT.validate_json(ours.recv(4096))
        assert isinstance(answer, Refused)
        assert answer.request == 5
        assert reason in answer.reason
        assert open_descriptors() == before


async def test_a_warm_process_without_descriptors_refuses_and_keeps_its_children(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    warm = psutil.Process(warm_process().pid)
    before = warm.rlimit(resource.RLIMIT_NOFILE)
    async with server.open(tmp_path, limits()) as child:
        warm.rlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            with pytest.raises(NoChild, match="Too many open files"):
                async with server.open(tmp_path, limits()):
                    pass
        finally:
            warm.rlimit(resource.RLIMIT_NOFILE, before)
        assert await child.probe(site.url("/media/sample.mp4"))
    async with server.open(tmp_path, limits()) as another:
        assert await another.probe(site.url("/media/sample.mp4"))
    assert warm_process().pid == warm.pid


async def test_idle_work_that_fails_is_given_up() -> None:
    def work() -> Iterator[None]:
        yield
        raise ImportError("an extractor that cannot be imported")

    with warm_here({}, work()) as (warm, _):
        warm._work_a_little()
        assert warm._idle_work is not None
        warm._work_a_little()
        assert warm._idle_work is None


async def test_a_process_id_that_comes_again_is_another_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an attempt still asks of its child, which has ended, must not reach the younger one."""
    killed: list[int] = []
    monkeypatch.setattr(os, "fork", lambda: 7)
    monkeypatch.setattr(zygote, "kill_group", lambda pid, _: killed.append(pid))
    stderr = asyncio.StreamReader()
    stderr.feed_eof()
    with warm_here({}, iter(())) as (here, ours), socket.socket() as end:
        ours.setblocking(False)
        process: Any = SimpleNamespace(stderr=stderr)
        warm = WarmProcess(process, ours)

        async def fork() -> int:
            forking = asyncio.create_task(warm.fork(end))
            await asyncio.sleep(0)
            here._serve_one()
            return (await forking).request

        elder = await fork()
        del here._children[elder]
        here._report(Ended(child=elder, status=3))
        younger = await fork()
        assert await warm.ended(elder) == 3
        assert not warm.ended(younger).done()
        for child in (elder, younger):
            await warm.signal(child, signal.SIGKILL)
            here._serve_one()
            assert killed == ([] if child == elder else [7])
        warm._hang_up()
        with pytest.raises(NoChild):
            await warm.ended(younger)
