"""Which workers are alive: each signs a row every few seconds."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import db_now, upsert
from shared.models import WorkerSign, table

FORGOTTEN = 86_400.0  # seconds after which the row of a worker that never signed off is removed


async def sign(session: AsyncSession, name: str, slots: int) -> None:
    """This worker is alive, and can carry so many jobs at once: 0 while its disk has no room for any."""
    row = upsert(session, table(WorkerSign)).values(name=name, slots=slots, seen_at=db_now())
    await session.execute(
        row.on_conflict_do_update(index_elements=["name"], set_={"slots": slots, "seen_at": db_now()})
    )
    await session.execute(delete(WorkerSign).where(WorkerSign.seen_at < db_now(-FORGOTTEN)))


async def sign_off(session: AsyncSession, name: str) -> None:
    """This worker ends."""
    await session.execute(delete(WorkerSign).where(WorkerSign.name == name))


async def alive(session: AsyncSession, within: float) -> dict[str, int]:
    """Slots by worker, of the workers that signed within so many seconds."""
    query = select(WorkerSign.name, WorkerSign.slots).where(WorkerSign.seen_at > db_now(-within))
    return {row.name: row.slots for row in await session.execute(query)}
