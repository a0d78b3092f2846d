"""The state machine of deliveries: pending -> delivered, per request. Callers bring the transaction."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import db_now
from shared.models import Delivery, Job, JobState, Request

CLAIM = 60.0  # seconds one try may take before another process may try too
RETRY = 5.0  # seconds after a chat call that failed, times the number of failures, at most MAX_RETRY
MAX_RETRY = 300.0


async def pending(session: AsyncSession, platforms: Sequence[str], limit: int = 100) -> list[UUID]:
    """Requests on these platforms whose job has ended and whose result has not reached the person."""
    ended = Job.state.in_((JobState.DONE, JobState.FAILED, JobState.CANCELLED))
    due = or_(Request.delivery_after.is_(None), Request.delivery_after <= db_now())
    query = (
        select(Request.id)
        .join(Request.job)
        .where(Request.delivery == Delivery.PENDING, Request.platform.in_(platforms), due)
        .where(or_(ended, Request.cancelled.is_(True)))
        .order_by(Request.id)
        .limit(limit)
    )
    return list(await session.scalars(query))


async def claim(session: AsyncSession, request_id: UUID) -> Request | None:
    """Take one delivery for a minute; None when somebody else has it or it is done."""
    due = or_(Request.delivery_after.is_(None), Request.delivery_after <= db_now())
    statement = (
        update(Request)
        .where(Request.id == request_id, Request.delivery == Delivery.PENDING, due)
        .values(delivery_after=db_now(CLAIM))
        .returning(Request)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(statement)).one_or_none()


async def delivered(session: AsyncSession, request_id: UUID, message: str | None) -> None:
    """The person has it."""
    values = {"delivery": Delivery.DELIVERED, "delivered_at": db_now(), "status_message": message}
    await session.execute(update(Request).where(Request.id == request_id).values(**values))


async def postpone(session: AsyncSession, request_id: UUID) -> None:
    """The chat did not take it; try again later, ever more rarely, and never give up."""
    request = await session.get_one(Request, request_id)
    request.delivery_failures += 1
    delay = min(MAX_RETRY, RETRY * request.delivery_failures)
    await session.execute(
        update(Request).where(Request.id == request_id).values(delivery_after=db_now(delay))
    )
