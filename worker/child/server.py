"""The worker's side of the child processes: keeps a warm process running and opens children on it."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

from shared.metrics import CHILD_CRASHES
from worker.child.client import Child
from worker.child.control import Forked
from worker.child.home import Home
from worker.child.links import MAX_LINK
from worker.child.protocol import MAX_LINE, Identity, Limits
from worker.child.warm import NoChild, WarmProcess, WarmProcessDied

log = logging.getLogger(__name__)
_T = TypeVar("_T")

_WARM_TIME = 60.0  # seconds until a warm process must be ready
_GRACE = 0.5  # seconds between SIGINT and SIGKILL
_LAST_WAIT = 5.0  # seconds to wait for what SIGKILL ended
_RESTART_PAUSE = 0.5  # seconds before another one is started
_TRIES = 2  # a warm process that died is replaced, and the request put to the new one


class ChildServer:
    """Owns the warm process and restarts it when it dies. Use as `async with ChildServer() as server`.

    Its own folder is made below `home`, where those of killed servers are removed; without one it is made
    among the system's temporary files, which nobody but the system clears.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._parent = home
        self._current: asyncio.Future[WarmProcess] | None = None
        self._is_warm = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._home: Home | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the warm process and wait until it is warm (about a second). Raises NoChild, OSError."""
        self._home = await asyncio.to_thread(Home, self._parent)
        self._current = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(str(self._home.path)))
        try:
            await self._warm()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the warm process and every child."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper, *self._ending])
            self._keeper = None
        self._current = None
        if self._home is not None:
            await asyncio.to_thread(self._home.remove)
            self._home = None

    @property
    def is_warm(self) -> bool:
        """Whether children can be had; while none can, one is made ready again and again."""
        return self._is_warm.is_set()

    async def until_warm(self) -> None:
        """Wait until children can be had."""
        await self._is_warm.wait()

    async def identify(self, link: str) -> Identity | None:
        """Which video a link means, without the network, in a few milliseconds.

        None when only fetching can tell, or when the link is none. Raises NoChild.
        """
        if len(link) > MAX_LINK:
            return None
        return await self._with_warm(lambda warm: warm.identify(link))

    @asynccontextmanager
    async def open(
        self, work_dir: Path, limits: Limits, cookie_file: Path | None = None
    ) -> AsyncIterator[Child]:
        """A child for one job, working in `work_dir`; its whole process group is gone on leaving.

        Raises NoChild when none could be made.
        """
        warm, forked, end = await self._with_warm(_fork)
        ending: list[asyncio.Task[None]] = []

        async def kill() -> None:
            if not ending:
                ending.append(self._start_ending(warm, forked))
            await asyncio.shield(ending[0])

        try:
            reader, writer = await asyncio.open_unix_connection(sock=end, limit=MAX_LINE)
            try:
                child = Child(forked.pid, limits, (reader, writer), warm.ended(forked.request), kill)
                await child.hello(work_dir, cookie_file)
                yield child
            finally:
                writer.close()
        finally:
            await kill()

    def _start_ending(self, warm: WarmProcess, forked: Forked) -> asyncio.Task[None]:
        """In a task of its own, so that a second cancellation cannot leave a process behind."""
        task = asyncio.create_task(_end(warm, forked))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _with_warm(self, use: Callable[[WarmProcess], Awaitable[_T]]) -> _T:
        for left in reversed(range(_TRIES)):
            try:
                return await use(await self._warm())
            except WarmProcessDied:
                if not left:
                    raise
                await asyncio.sleep(0)  # lets the keeper see it, too
        raise AssertionError("unreachable")

    async def _warm(self) -> WarmProcess:
        if self._current is None:
            raise NoChild("the child server is not running")
        return await asyncio.shield(self._current)

    async def _keep(self, home: str) -> None:
        """Run one warm process after the other until cancelled; nothing else may end this."""
        while True:
            try:
                await self._run_one(home)
                CHILD_CRASHES.labels("warm").inc()
                log.warning("the warm process died; starting another one")
            except Exception as error:  # no process or descriptor to be had, for now
                log.exception("the warm process could not be kept; trying again")
                self._fail(f"the warm process could not be kept: {error!r}")
            self._current = self._next()
            await asyncio.sleep(_RESTART_PAUSE)

    async def _run_one(self, home: str) -> None:
        warm = await WarmProcess.start(home)
        try:
            await self._announce(warm)
            await warm.gone.wait()
        finally:
            self._is_warm.clear()
            self._current = self._next()
            await warm.stop()

    def _next(self) -> "asyncio.Future[WarmProcess]":
        """What to wait for from now on. One that is done speaks of the past; on any other somebody waits."""
        if self._current is not None and not self._current.done():
            return self._current
        return asyncio.get_running_loop().create_future()

    def _fail(self, words: str) -> None:
        """Tell everybody who waits for a warm process that there is none."""
        if self._current is not None and not self._current.done():
            self._current.set_exception(NoChild(words))
            self._current.exception()  # marks it as seen: nobody may be waiting

    async def _announce(self, warm: WarmProcess) -> None:
        current = self._current
        assert current is not None  # noqa: S101 - the keeper runs between start and close
        try:
            async with asyncio.timeout(_WARM_TIME):
                await asyncio.shield(warm.ready)
            current.set_result(warm)
            self._is_warm.set()
        except (TimeoutError, WarmProcessDied) as error:
            await warm.stop()
            words = " / ".join(warm.last_words)
            self._fail(f"the warm process did not get warm: {error!r} {words}")


async def _fork(warm: WarmProcess) -> tuple[WarmProcess, Forked, socket.socket]:
    ours, theirs = socket.socketpair()
    try:
        ours.setblocking(False)
        with theirs:
            return warm, await warm.fork(theirs), ours
    except BaseException:
        ours.close()  # a child forked all the same sees that, and ends
        raise


async def _end(warm: WarmProcess, forked: Forked) -> None:
    """SIGINT to the group, SIGKILL half a second later; returns when all of it is gone."""
    child = forked.request
    ended = warm.ended(child)
    try:
        await warm.signal(child, signal.SIGINT)
        done, _ = await asyncio.wait([ended], timeout=_GRACE)
        if not done:
            await warm.signal(child, signal.SIGKILL)
            done, _ = await asyncio.wait([ended], timeout=_LAST_WAIT)
        if not done:
            log.error("child %d survived SIGKILL", forked.pid)
    finally:
        warm.forget(child)
