"""How one process is: what it depends on, each with its time and its reason. `/health` and `/metrics` ask."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, Literal, TypeVar

from pydantic import Field

from shared import checks, load, space
from shared.checks import Finding
from shared.database import Database
from shared.errors import ConfigError
from shared.load import Load
from shared.options import Frozen
from shared.queue import Queue
from shared.settings import Settings
from shared.storage import Storage
from shared.words import time_words

T = TypeVar("T")

PATIENCE = 3.0  # seconds one look may take
MOMENT = 1.0  # seconds an answer of the database or the broker is kept: anybody may ask for /health
SOON = 5.0  # ... of the disk
A_WHILE = 30.0  # ... of the storage: a bucket wants money for each question
LONG = 300.0  # ... of what only an operator changes

# What a process cannot do its work without. What the others lack can be mended while they take requests:
# without a broker those wait in the outbox, without workers in the queue.
NEEDS = {
    "web": frozenset({"database", "storage"}),
    "bots": frozenset({"database"}),
    "worker": frozenset({"database", "broker", "storage", "disk", "ffmpeg", "yt_dlp"}),
}


class Check(Frozen):
    """One thing looked at: whether all is well, how long looking took, and what there was to see."""

    ok: bool
    seconds: float
    reason: str


class Report(Frozen):
    """`warning`: it works, and somebody should look. `starting`: it does not yet know what it depends on."""

    status: Literal["ok", "warning", "failing", "starting"]
    checks: dict[str, Check] = Field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether the process can do its work."""
        return self.status in ("ok", "warning")


class Kept(Generic[T]):
    """An answer that costs something: asked once for all who want it, and kept for some seconds."""

    def __init__(self, question: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._question = question
        self._seconds = seconds
        self._asking: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self) -> T:
        """The answer, or what went wrong with it."""
        if self._asking is None or (self._asking.done() and time.monotonic() >= self._until):
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())  # it is told
        return await asyncio.shield(self._asking)

    async def _ask(self) -> T:
        try:
            return await self._question()
        finally:
            self._until = time.monotonic() + self._seconds


class Health:
    """Looks at everything at once, for as long as `PATIENCE`. `needs`: names of checks, see `NEEDS`."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        queue: Queue,
        storage: Storage,
        needs: frozenset[str] = frozenset(),
    ) -> None:
        self._settings = settings
        self._database = database
        self._storage = storage
        self._needs = needs
        self.load = Kept(partial(_in_time, self._count), MOMENT)
        self.depth = Kept(partial(_in_time, queue.depth), MOMENT)
        self.free = Kept(partial(_in_time, lambda: asyncio.to_thread(space.free, settings)), SOON)
        looks: dict[str, tuple[Callable[[], Awaitable[Finding]], float]] = {
            "database": (self._ask_database, MOMENT),
            "broker": (self._ask_broker, MOMENT),
            "storage": (self._ask_storage, A_WHILE),
            "disk": (lambda: checks.disk(settings), SOON),
            "ffmpeg": (lambda: checks.program("ffmpeg"), LONG),
            "deno": (checks.deno, LONG),
            "yt_dlp": (checks.yt_dlp, LONG),
            "workers": (self._ask_for_workers, MOMENT),
        }
        self._looks = {
            name: Kept(partial(_look, name, question), kept) for name, (question, kept) in looks.items()
        }

    async def report(self) -> Report:
        """Look. Never raises."""
        looks = await asyncio.gather(*(look.get() for look in self._looks.values()))
        found = dict(zip(self._looks, looks, strict=True))
        troubles = {name: finding.fatal for name, (finding, _) in found.items() if finding.advice}
        is_failing = any(fatal and name in self._needs for name, fatal in troubles.items())
        return Report(
            status="failing" if is_failing else "warning" if troubles else "ok",
            checks={name: _told(finding, seconds) for name, (finding, seconds) in found.items()},
        )

    async def _count(self) -> Load:
        async with self._database.read() as session:
            return await load.look(session, self._settings.lease)

    async def _ask_database(self) -> Finding:
        found = await self.load.get()
        words = f"{found.queued} queued, {found.waiting} to be tried again, {found.running} running"
        age = found.oldest_queued
        return Finding("database", words if age is None else f"{words}, the oldest for {time_words(age)}")

    async def _ask_broker(self) -> Finding:
        return Finding("broker", f"{await self.depth.get()} waiting")

    async def _ask_storage(self) -> Finding:
        try:
            await self._storage.check()
        except ConfigError as error:
            return Finding("storage", "it refuses.", str(error), fatal=True)
        return Finding("storage", "the bucket" if self._settings.uses_s3 else "the data folder")

    async def _ask_for_workers(self) -> Finding:
        return checks.workers((await self.load.get()).workers)


async def _in_time(question: Callable[[], Awaitable[T]]) -> T:
    """The answer; raises TimeoutError when it takes longer than `PATIENCE`."""
    async with asyncio.timeout(PATIENCE):
        return await question()


async def _look(name: str, question: Callable[[], Awaitable[Finding]]) -> tuple[Finding, float]:
    """What was found, and the seconds it took. That nothing answers is a finding, too."""
    begun = time.monotonic()
    try:
        finding = await _in_time(question)
    except Exception as error:
        finding = Finding(name, f"{type(error).__name__}:", "it does not answer.", fatal=True)
    return finding, time.monotonic() - begun


def _told(finding: Finding, seconds: float) -> Check:
    reason = f"{finding.found} {finding.advice}".rstrip()
    return Check(ok=not finding.advice, seconds=round(seconds, 4), reason=reason)
