"""What nobody needs any more: files whose time is over, files that no job knows, what crashes left half done.

Every worker's janitor sweeps now and then; `linkferry storage sweep` does the same by hand, beside them. Each
function says what it deleted, or with `only_look` what it would delete.
"""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from uuid import UUID

from shared import jobs, space
from shared.database import Database
from shared.models import JobState
from shared.settings import Settings
from shared.storage import Storage, StoredKey

ORPHAN_AGE = 3600.0  # seconds before a stored file that no artifact names counts as left behind
BATCH = 500  # keys that the database is asked about at once


class Kind(StrEnum):
    """Why it is left over."""

    EXPIRED = "expired"  # its retention is over
    ORPHAN = "orphan"  # stored, but no job knows it
    UNFINISHED = "unfinished"  # a copy or an upload that was cut short
    WORK = "work"  # the work folder of a job that has ended, or never was


@dataclass(frozen=True)
class Leftover:
    """One thing that can go. `name` is a storage key or a folder's name, `size` in bytes."""

    kind: Kind
    name: str
    size: int


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


async def sweep(place: Place, *, only_look: bool = False) -> AsyncIterator[Leftover]:
    """Everything, one after the other. Raises StorageError where the storage does not answer."""
    for step in (delete_expired, delete_unfinished, delete_orphans, delete_ended_work):
        for leftover in await step(place, only_look=only_look):
            yield leftover


async def delete_expired(place: Place, *, only_look: bool = False) -> list[Leftover]:
    """The files whose retention is over."""
    if only_look:
        async with place.database.read() as session:
            over = await jobs.expired(session)
    else:
        async with place.database.write() as session:
            over = await jobs.expire(session)
        for key, _ in over:
            await place.storage.delete(key)
    return [Leftover(Kind.EXPIRED, key, size) for key, size in over]


async def delete_unfinished(
    place: Place, older_than: float = ORPHAN_AGE, *, only_look: bool = False
) -> list[Leftover]:
    """Copies and uploads that were cut short; uploads are kept for a day: they can be gone on with."""
    found = await place.storage.half_done(older_than)
    if found and not only_look:
        await place.storage.discard_unfinished(older_than)
    return [Leftover(Kind.UNFINISHED, each.key, each.size) for each in found]


async def delete_orphans(
    place: Place, older_than: float = ORPHAN_AGE, *, only_look: bool = False
) -> list[Leftover]:
    """Stored files that a crash left without an artifact. Younger ones may be about to get theirs."""
    limit = time.time() - older_than
    old = [found async for found in place.storage.keys() if found.stored_at < limit]  # noqa: SIM118
    orphans: list[Leftover] = []
    for start in range(0, len(old), BATCH):
        for each in await _unknown(place.database, old[start : start + BATCH]):
            if not only_look:
                await place.storage.delete(each.key)
            orphans.append(Leftover(Kind.ORPHAN, each.key, each.size))
    return orphans


async def _unknown(database: Database, found: list[StoredKey]) -> list[StoredKey]:
    async with database.read() as session:
        known = await jobs.known_keys(session, [each.key for each in found])
    return [each for each in found if each.key not in known]


async def delete_ended_work(place: Place, *, only_look: bool = False) -> list[Leftover]:
    """Work folders whose job has ended or never was, and in which nobody works."""
    removed: list[Leftover] = []
    for folder in await asyncio.to_thread(_folders, place.settings.work_folder):
        if await _is_needed(place.database, folder):
            continue
        with _unused(folder) as is_unused:
            if not is_unused or await _is_needed(place.database, folder):  # a retry may have begun just now
                continue
            size = await asyncio.to_thread(space.size_of, folder)
            if not only_look:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            removed.append(Leftover(Kind.WORK, folder.name, size))
    return removed


async def _is_needed(database: Database, folder: Path) -> bool:
    async with database.read() as session:
        state = await jobs.state_of(session, UUID(folder.name))
    return state in (JobState.QUEUED, JobState.RUNNING)


@contextmanager
def _unused(folder: Path) -> Iterator[bool]:
    """Whether no attempt works in the folder, see `folders.own_folder`; none can begin within the block."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # gone meanwhile
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _folders(root: Path) -> list[Path]:
    def is_job(path: Path) -> bool:
        try:
            return path.is_dir() and bool(UUID(path.name))
        except ValueError:
            return False

    return [path for path in root.iterdir() if is_job(path)] if root.is_dir() else []
