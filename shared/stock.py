"""Whether the files of a finished job still are in storage, so that it may answer for a link again.

The storage may take its time, or hang, and a transaction holds up others for as long as it is open. So nobody
asks within one: what needs to know raises `NotLookedAt`, and begins anew when the storage was asked.
"""

import asyncio
import logging
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs
from shared.storage import Storage, StorageError

log = logging.getLogger(__name__)

LOOKS = 10  # at an answer while others do something with the same link; two are enough for one rival
PATIENCE = 2.0  # seconds the storage may take: somebody waits for the answer, and Slack for three at most
AT_ONCE = 8  # files asked about at the same time: a job has a hundred at most


class NotLookedAt(Exception):
    """Nothing was written: give it to `Stock.look` outside of the transaction, then try again."""

    def __init__(self, job_id: UUID, files: Mapping[UUID, tuple[str, int]]) -> None:
        super().__init__(f"job {job_id}")
        self.job_id = job_id
        self.files = files


class Stock:
    """What whoever looks for an answer to one link has heard from the storage so far."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._files: dict[UUID, int] = {}  # finished jobs, and how many files they have
        self._lost: dict[UUID, list[UUID]] = {}

    async def keep(self, session: AsyncSession, job_id: UUID, seconds: float) -> bool:
        """Keep the files of a finished job as long as new ones; False when some are gone by now.

        Those that somebody removed by hand are marked. Raises NotLookedAt.
        """
        if job_id not in self._files:
            raise NotLookedAt(job_id, await jobs.stored(session, job_id))
        if lost := self._lost[job_id]:
            await jobs.mark_deleted(session, lost)
            return False
        return await jobs.prolong(session, job_id, seconds, files=self._files[job_id])

    async def look(self, unknown: NotLookedAt) -> None:
        """Ask the storage; a file of another size counts as lost, since nobody is served it.

        While the storage is away the database's word counts: most likely the files are there.
        """
        gate = asyncio.Semaphore(AT_ONCE)
        lost: list[UUID] = []

        async def ask(artifact_id: UUID, key: str, size: int) -> None:
            async with gate:
                if await self._storage.size(key) != size:
                    lost.append(artifact_id)

        try:
            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
                for artifact_id, (key, size) in unknown.files.items():
                    group.create_task(ask(artifact_id, key, size))
        except* (StorageError, OSError) as away:  # OSError: also what takes too long
            log.warning("%s answers, although the storage is away: %r", unknown, away.exceptions[0])
        self._files[unknown.job_id], self._lost[unknown.job_id] = len(unknown.files), lost
