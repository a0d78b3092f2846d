"""Which media a job is about, and whether another job already is about the same."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs, tracing
from shared.database import Database
from shared.jobs import Fence
from shared.link import media_key
from shared.options import Options
from shared.settings import Settings
from shared.stock import LOOKS, NotLookedAt, Stock
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
    """Joins a job to its twin."""

    def __init__(
        self, fence: Fence, options: Options, database: Database, storage: Storage, settings: Settings
    ) -> None:
        self._fence = fence
        self._options = options
        self._database = database
        self._storage = storage
        self._settings = settings

    async def joined(self, identity: Identity | None) -> bool:
        """Join the job that already is, or has, the same media; False when this job is the first."""
        if identity is None or not identity.media_id:
            return False
        key = media_key(identity.extractor, identity.media_id, self._options)
        stock = Stock(self._storage)

        async def join(session: AsyncSession) -> bool:
            return await self._join(session, key, stock)

        for _ in range(LOOKS):
            try:
                return await self._database.write_surely(join, self._settings.lease)
            except IntegrityError:  # another worker named the same media in this instant: now it is visible
                continue
            except NotLookedAt as unknown:
                await stock.look(unknown)
        return False  # so it is fetched twice

    async def _join(self, session: AsyncSession, key: str, stock: Stock) -> bool:
        while (twin := await jobs.identify(session, self._fence, key)) is not None:
            if twin.state.is_active or await stock.keep(session, twin.id, self._settings.retention):
                await jobs.join(session, self._fence, twin.id)
                await jobs.enqueue(session, twin.id)
                tracing.link(twin.traceparent)
                return True
        return False
