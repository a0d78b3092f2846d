"""What nobody needs any more: files whose time is over, files no artifact names, what crashes left half done.

Every worker's janitor sweeps now and then; `linkferry storage sweep` does the same by hand, beside them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol
from uuid import UUID

from shared import jobs, space
from shared.database import Database
from shared.errors import JobError
from shared.settings import Settings
from shared.storage import HalfDone, Storage, StorageError
from worker.folders import remove_unused, work_folders

log = logging.getLogger(__name__)

UNFINISHED_AGE = 3600.0  # seconds without a change after which a copy counts as cut short
BATCH = 500  # keys that the database is asked about at once


class Kind(StrEnum):
    """Why it is left over. In the order in which it goes: the first needs no storage that answers, and the
    last may fail where the others do not, for want of a permission."""

    WORK = "work"  # the work folder of a job that has ended, or never was
    EXPIRED = "expired"  # its retention is over
    ORPHAN = "orphan"  # its job stored it and ended without it
    UNFINISHED = "unfinished"  # a copy or an upload that was cut short


@dataclass(frozen=True)
class Leftover:
    """One thing that can go. `name` is a storage key or a folder's name, `size` in bytes."""

    kind: Kind
    name: str
    size: int


Found = tuple[Leftover, Callable[[], Awaitable[bool]]]
"""What can go, and what removes it: False when somebody needs it after all."""


class Place(Protocol):
    """Where to sweep."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def database(self) -> Database:
        """What is known."""
        ...

    @property
    def storage(self) -> Storage:
        """What is stored."""
        ...


async def sweep(
    place: Place, kinds: Collection[Kind] = tuple(Kind), *, only_look: bool = False
) -> AsyncIterator[Leftover]:
    """Remove what is left over; says what went, or with `only_look` what would go.

    What cannot be removed is logged and tried again the next time. Raises StorageError and JobError where the
    storage does not answer.
    """
    for kind in kinds:
        for leftover, remove in await _FINDERS[kind](place):
            if only_look or await _is_removed(leftover, remove):
                yield leftover


async def _is_removed(leftover: Leftover, remove: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await remove()
    except (StorageError, JobError, OSError) as error:
        log.warning("%s cannot be deleted: %s", leftover.name, error)
        return False


async def _ended_work(place: Place) -> list[Found]:
    """Work folders whose job has ended or never was; those in which somebody works are not removed."""
    found: list[Found] = []
    for job_id, folder in await asyncio.to_thread(work_folders, place.settings):
        async with place.database.read() as session:
            state = await jobs.state_of(session, job_id)
        if state is None or not state.is_active:
            leftover = Leftover(Kind.WORK, folder.name, await asyncio.to_thread(space.size_of, folder))
            found.append((leftover, partial(asyncio.to_thread, remove_unused, folder)))
    return found


async def _unfinished(place: Place) -> list[Found]:
    """Copies and uploads that were cut short; uploads are kept for a day: they can be gone on with."""

    async def discard(half: HalfDone) -> bool:
        await place.storage.discard(half)
        return True

    halves = await place.storage.half_done(UNFINISHED_AGE)
    return [(Leftover(Kind.UNFINISHED, each.name, each.size), partial(discard, each)) for each in halves]


async def _expired(place: Place) -> list[Found]:
    """The files whose retention is over."""

    async def give_up(artifact_id: UUID, key: str) -> bool:
        async with place.database.write() as session:
            is_over = await jobs.expire(session, artifact_id)
        if is_over:  # nobody asked for it again just now
            await place.storage.delete(key)
        return is_over

    async with place.database.read() as session:
        over = await jobs.expired(session)
    return [(Leftover(Kind.EXPIRED, key, size), partial(give_up, each, key)) for each, key, size in over]


async def _orphans(place: Place) -> list[Found]:
    """Stored files that a crash left without an artifact. What no job of ours stored is left alone."""

    async def delete(key: str) -> bool:
        await place.storage.delete(key)
        return True

    sizes = {found.key: found.size async for found in place.storage.keys()}  # noqa: SIM118
    keys = list(sizes)
    orphans: list[str] = []
    for start in range(0, len(keys), BATCH):
        async with place.database.read() as session:
            orphans += await jobs.orphans(session, keys[start : start + BATCH])
    return [(Leftover(Kind.ORPHAN, key, sizes[key]), partial(delete, key)) for key in orphans]


_FINDERS: dict[Kind, Callable[[Place], Awaitable[list[Found]]]] = {
    Kind.WORK: _ended_work,
    Kind.UNFINISHED: _unfinished,
    Kind.EXPIRED: _expired,
    Kind.ORPHAN: _orphans,
}
