"""Children and the warm process: how they end, and that nothing stays behind."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from shared.options import Options
from tests.counting import Since
from tests.site.server import MediaSite
from tests.waiting import eventually
from worker.child import Child, ChildCrashed, ChildServer, NoChild
from worker.child.downloads import file_name
from worker.child.formats import Choice
from worker.child.protocol import Limits, Progress

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeLimits = Callable[..., Limits]
PATIENCE = 90.0  # seconds; a bound for what takes milliseconds


def group_is_gone(leader: int) -> bool:
    """True when no process, not even a zombie, is left in a group."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return True
    return False


def warm_process() -> psutil.Process:
    """The session's warm process."""
    (found,) = [
        process
        for process in psutil.Process().children()
        if process.status() != psutil.STATUS_ZOMBIE and "worker.child.zygote" in process.cmdline()
    ]
    return found


class Watch:
    """An event for the first progress that has come far enough."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.reached = asyncio.Event()

    def __call__(self, progress: Progress) -> None:
        if progress.done >= self.enough:
            self.reached.set()


async def job(child: Child, link: str, watch: Watch) -> None:
    """Probe and download."""
    await child.probe(link)
    await child.download(Options(), watch)


async def test_a_terminals_ctrl_c_reaches_the_warm_process_at_no_time(server: ChildServer) -> None:
    assert os.getsid(warm_process().pid) != os.getsid(0)


@pytest.mark.parametrize("page", ["/tube/slow", "/tube/stuck", "/fault/hang/x"])
async def test_cancelling_an_extraction_ends_the_group(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, page: str
) -> None:
    async with asyncio.timeout(PATIENCE):
        async with server.open(tmp_path, limits()) as child:
            task = asyncio.create_task(child.probe(site.url(page)))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert group_is_gone(child.pid)


async def test_cancelling_a_download_ends_the_group(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    watch = Watch(1)
    async with asyncio.timeout(PATIENCE):
        async with server.open(tmp_path, limits()) as child:
            task = asyncio.create_task(
                job(child, site.url("/fault/trickle/media/sample.mp4?rate=50000"), watch)
            )
            await watch.reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert group_is_gone(child.pid)


async def test_leaving_the_context_ends_the_group(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/media/sample.mp4"))
        assert not group_is_gone(child.pid)
    assert group_is_gone(child.pid)
    assert warm_process().children() == []


async def test_cancelling_open_itself_leaves_no_child(
    server: ChildServer, limits: MakeLimits, tmp_path: Path
) -> None:
    async def enter() -> None:
        async with server.open(tmp_path, limits()):
            await asyncio.sleep(PATIENCE)

    for steps in range(12):
        task = asyncio.create_task(enter())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await eventually(lambda: warm_process().children() == [])


async def test_a_killed_download_resumes(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    watch = Watch(400_000)
    with pytest.raises(ChildCrashed, match="signal 9"):
        async with server.open(tmp_path, limits()) as child:
            task = asyncio.create_task(
                job(child, site.url("/fault/trickle/media/sample.mp4?rate=500000"), watch)
            )
            await watch.reached.wait()
            os.kill(child.pid, signal.SIGKILL)
            await task
    whole = (site.root / "media" / "sample.mp4").read_bytes()
    site.reset()
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/media/sample.mp4"))
        before = site.bytes_sent
        (file,) = await child.download(Options(), lambda _: None)
    assert Path(file.path).read_bytes() == whole
    assert site.bytes_sent - before <= len(whole) - 350_000


@pytest.mark.parametrize("extra", [0, 50, 5000])
async def test_a_download_killed_after_its_last_byte_ends_well(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, extra: int
) -> None:
    whole = (site.root / "media" / "sample.mp4").read_bytes()
    name = file_name(Choice("both", {"format_id": "mp4", "ext": "mp4"}), "Generic sample")
    (tmp_path / f"{name}.part").write_bytes(whole + bytes(extra))
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/media/sample.mp4"))
        (file,) = await child.download(Options(), lambda _: None)
    assert Path(file.path).name == name
    assert Path(file.path).read_bytes()[: len(whole)] == whole
    assert file.size <= len(whole) + 100


@pytest.mark.parametrize("enough", [100_000, 500_000, 900_000])
async def test_a_killed_stream_resumes_without_hole_or_repetition(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, enough: int
) -> None:
    link = site.url("/hls60/index.m3u8?latency=0.25")
    (tmp_path / "killed").mkdir()
    (tmp_path / "whole").mkdir()
    watch = Watch(enough)
    with pytest.raises(ChildCrashed):
        async with server.open(tmp_path / "killed", limits()) as child:
            task = asyncio.create_task(job(child, link, watch))
            await watch.reached.wait()
            os.kill(child.pid, signal.SIGKILL)
            await task
    files = []
    for folder in ("killed", "whole"):
        async with server.open(tmp_path / folder, limits()) as child:
            await child.probe(site.url("/hls60/index.m3u8"))
            (file,) = await child.download(Options(), lambda _: None)
            files.append(Path(file.path).read_bytes())
    assert files[0] == files[1]


async def test_a_crash_says_how(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    with pytest.raises(ChildCrashed, match="signal 9"):
        async with server.open(tmp_path, limits()) as child:
            await child.probe(site.url("/tube/crash"))
    async with server.open(tmp_path, limits()) as child:
        assert await child.probe(site.url("/media/sample.mp4"))


@pytest.mark.slow
async def test_the_warm_process_is_replaced_when_it_dies(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    first, deaths = warm_process().pid, Since("child_crashes_total", process="warm")
    with pytest.raises(NoChild):
        async with server.open(tmp_path, limits()) as child:
            task = asyncio.create_task(child.probe(site.url("/tube/slow")))
            await asyncio.sleep(0.1)
            os.kill(first, signal.SIGKILL)
            await task
    await eventually(lambda: is_over(child.pid))
    async with server.open(tmp_path, limits()) as child:
        assert await child.probe(site.url("/media/sample.mp4"))
    assert await server.identify("https://youtu.be/dQw4w9WgXcQ") is not None
    assert warm_process().pid != first and deaths() == 1


async def test_a_signal_to_the_whole_service_is_the_workers_business(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    before = warm_process().pid
    async with server.open(tmp_path, limits()) as child:
        for pid in (before, child.pid):
            os.kill(pid, signal.SIGTERM)
        assert await child.probe(site.url("/media/sample.mp4"))
        assert await server.identify("https://youtu.be/dQw4w9WgXcQ") is not None
    assert warm_process().pid == before


def is_over(pid: int) -> bool:
    """True when it is gone, or only init has not yet looked at it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_children_share_nothing_but_standard_error(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as one, server.open(tmp_path, limits()) as two:
        held = []
        for child in (one, two):
            folder = Path(f"/proc/{child.pid}/fd")
            held.append({entry.name: str(entry.readlink()) for entry in folder.iterdir()})
    for descriptors in held:
        assert (descriptors["0"], descriptors["1"]) == ("/dev/null", "/dev/null")
        sockets = [name for name in descriptors.values() if name.startswith("socket:")]
        assert len(sockets) == 1
        assert len(descriptors) == 4
    assert set(held[0].values()) & set(held[1].values()) == {"/dev/null", held[0]["2"]}


async def test_many_children_leave_no_descriptor_in_the_warm_process(
    server: ChildServer, limits: MakeLimits, tmp_path: Path
) -> None:
    async def one() -> None:
        async with server.open(tmp_path, limits()):
            pass

    await one()
    before, ours = warm_process().num_fds(), psutil.Process().num_fds()
    await asyncio.gather(*(one() for _ in range(20)))
    # One that is still importing has a file open now and then.
    await eventually(lambda: warm_process().num_fds() <= before)
    assert psutil.Process().num_fds() <= ours + 1


WORKER = """
    import asyncio, sys
    from pathlib import Path
    from shared.options import Options
    from worker.child.protocol import Limits
    from worker.child.server import ChildServer

    async def main():
        link, folder, address = sys.argv[1:]
        limits = Limits(max_bytes=10**9, wall_clock=60, no_progress=60, allowed_addresses=(address,))
        async with ChildServer() as server, server.open(Path(folder), limits) as child:
            await child.probe(link)
            print(child.pid, flush=True)
            await child.download(Options(), lambda _: None)

    asyncio.run(main())
"""


@pytest.mark.slow
async def test_children_die_with_their_worker(tmp_path: Path, site: MediaSite) -> None:
    link = site.url("/fault/trickle/media/sample.mp4?rate=20000")
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(WORKER), link, str(tmp_path), f"127.0.0.1:{site.port}"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdout is not None
    child = int(await asyncio.wait_for(worker.stdout.readline(), 90))
    family = psutil.Process(worker.pid).children(recursive=True)
    assert child in {process.pid for process in family}
    worker.kill()
    await worker.wait()
    await eventually(
        lambda: all(not one.is_running() or one.status() == psutil.STATUS_ZOMBIE for one in family)
    )
