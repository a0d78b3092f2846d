"""Which media a job is about, and whether another job already is about the same."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs, tracing
from shared.database import Database
from shared.jobs import Fence
from shared.link import media_key
from shared.options import Options
from shared.storage import Storage
from worker.child.protocol import Identity, Media

GENERIC = ("Generic", "HTML5MediaEmbed")  # they name media after the end of its address only


def identity_of(found: Media) -> Identity | None:
    """What makes two links the same media. None where the site gives no name that is its own.

    Then only the whole link tells two media apart, and jobs of one link are one from the start.
    """
    if found.extractor in GENERIC or not found.media_id:
        return None
    return Identity(extractor=found.extractor, media_id=found.media_id)


class Twins:
    """Joins a job to its twin. `patience`: seconds the database may be away."""

    def __init__(
        self, fence: Fence, options: Options, database: Database, storage: Storage, patience: float
    ) -> None:
        self._fence = fence
        self._options = options
        self._database = database
        self._storage = storage
        self._patience = patience

    async def joined(self, identity: Identity | None) -> bool:
        """Join the job that already is, or has, the same media; False when this job is the first."""
        if identity is None or not identity.media_id:
            return False
        key = media_key(identity.extractor, identity.media_id, self._options)

        async def join(session: AsyncSession) -> bool:
            return await self._join(session, key)

        try:
            return await self._database.write_surely(join, self._patience)
        except IntegrityError:  # another worker named the same media in this instant: now it is visible
            return await self._database.write_surely(join, self._patience)

    async def _join(self, session: AsyncSession, key: str) -> bool:
        while (twin := await jobs.identify(session, self._fence, key)) is not None:
            if twin.state.is_active or await jobs.has_files(session, twin, self._storage.exists):
                await jobs.join(session, self._fence, twin.id)
                await jobs.enqueue(session, twin.id)
                tracing.link(twin.traceparent)
                return True
        return False
