"""Room on the disks: jobs start only while there is some, and the youngest gives its own back when it ends.

Where none runs, those that wait for their next attempt lose what they have: else nobody could ever take them.

A disk that is full takes down more than one job: the database, the log and the next upload are on it, too. So
a reserve stays free. A worker without room takes nothing, and leaves what waits to workers on other machines.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from shared import space
from shared.beside import beside
from shared.errors import Code, JobError
from shared.settings import Settings
from worker.folders import empty, remove_unused, work_folders

log = logging.getLogger(__name__)

LOOK_INTERVAL = 1.0  # seconds between two looks; the reserve has to last that long


class Room:
    """Looks at the disks for a whole worker. `watch` must be running for anybody to be stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._there_is_some = asyncio.Event()
        self._there_is_some.set()
        self._holders: list[asyncio.Event] = []  # the youngest last; set: it is to give its room back

    @property
    def is_short(self) -> bool:
        """Whether the last look found less than the reserve."""
        return not self._there_is_some.is_set()

    async def wait(self) -> None:
        """Until there is some."""
        await self._there_is_some.wait()

    async def watch(self) -> None:
        """Look until cancelled; while it is short, have one job after the other give its room back."""
        while True:
            await self.look()
            if self.is_short and not self._holders:
                await asyncio.to_thread(make_room, self._settings)
            elif self.is_short and not any(asked.is_set() for asked in self._holders):
                self._holders[-1].set()
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """Measure; both ends of a shortage are logged once."""
        left = await asyncio.to_thread(space.left, self._settings)
        is_short = left is not None and left < 0
        if is_short and not self.is_short:
            log.error("less than %s GB are free: no job is taken", self._settings.disk_reserve_gb)
            self._there_is_some.clear()
        elif self.is_short and not is_short:
            log.info("there is room again")
            self._there_is_some.set()

    async def left_for(self, folder: Path) -> int | None:
        """Bytes that a job may take, those it has already included; None where nobody can tell."""

        def measure() -> int | None:
            left = space.left(self._settings)
            return None if left is None else max(0, left) + space.size_of(folder)

        return await asyncio.to_thread(measure)

    @asynccontextmanager
    async def held(self, folder: Path) -> AsyncIterator[None]:
        """What the block writes into the folder may be asked back: JobError(DISK_FULL), and it is empty.

        So is that of a job that filled the disk up itself, faster than anybody looked.
        """
        asked = asyncio.Event()
        self._holders.append(asked)
        try:
            async with beside(_give_back(asked)):
                try:
                    yield
                except* OSError as errors:
                    if errors.subgroup(space.is_out):
                        raise JobError(Code.DISK_FULL, repr(errors)) from errors
                    raise
        except* JobError as errors:
            await self.look()
            if self.is_short and errors.subgroup(_is_full):
                await asyncio.to_thread(empty, folder)
            raise
        finally:
            self._holders.remove(asked)


async def _give_back(asked: asyncio.Event) -> None:
    await asked.wait()
    raise JobError(Code.DISK_FULL, "less than the reserve is free")


def _is_full(error: BaseException) -> bool:
    return isinstance(error, JobError) and error.code is Code.DISK_FULL


def make_room(settings: Settings) -> None:
    """While less than the reserve is free where they are, remove folders in which nobody works, the youngest
    job's first.

    Also for a service that has not begun: on a disk with nothing free SQLite cannot even be opened.
    """
    for _, folder in reversed(work_folders(settings)):
        free = space.free_bytes(settings.work_folder)
        if free is None or free >= settings.disk_reserve:
            return
        with suppress(OSError):  # the sweep will say so
            if remove_unused(folder):
                log.warning("removed the unfinished files of %s, because the disk is full", folder.name)
