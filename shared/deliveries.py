"""The state machine of deliveries: pending -> delivered, per request. Callers bring the transaction."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Integer, bindparam, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import db_now, padded
from shared.models import ChatSettings, Delivery, Member, Request, table

CLAIM = 60.0  # seconds one try may take before another process may try too
POST_CLAIM = 30.0  # seconds the posting of a status message may take, likewise
RETRY = 5.0  # seconds after a chat call that failed, times the number of failures, at most MAX_RETRY
MAX_RETRY = 300.0

_DUE = (
    select(Request.id)
    .where(Request.delivery == Delivery.PENDING, Request.delivery_after <= db_now())
    .where(Request.platform.in_(bindparam("platforms", expanding=True)))
    .order_by(Request.delivery_after)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(Request)
    .where(Request.id.in_(bindparam("ids", expanding=True)), Request.delivery == Delivery.PENDING)
    .values(delivery_after=db_now(CLAIM))
    .returning(Request)
    .execution_options(synchronize_session=False)
)
_UNFINISHED = (
    select(Request)
    .where(Request.platform == bindparam("platform"), Request.delivery == Delivery.PENDING)
    .where(Request.delivery_after.is_(None), Request.cancelled.is_(False))
    .order_by(Request.status_message.is_not(None), Request.id)
    .limit(bindparam("most", type_=Integer))
)
_REQUESTS = table(Request)
_MINE = update(_REQUESTS).where(_REQUESTS.c.id == bindparam("which"))
_POSTED = _MINE.where(_REQUESTS.c.status_message.is_(None)).values(status_message=bindparam("message"))
_DELIVERED = _MINE.where(  # one that is due: what was started anew meanwhile is told its new end
    _REQUESTS.c.delivery == Delivery.PENDING, _REQUESTS.c.delivery_after.is_not(None)
).values(delivery=Delivery.DELIVERED, delivered_at=db_now(), status_message=bindparam("message"))


async def claim(session: AsyncSession, platforms: Sequence[str], most: int = 50) -> list[Request]:
    """Take deliveries that are due on these platforms for a minute; nobody else gets them meanwhile."""
    # two statements: PostgreSQL may run a subquery with a LIMIT more than once, and so take more than that
    due = (await session.scalars(_DUE, {"platforms": list(platforms), "most": most})).all()
    return list(await session.scalars(_CLAIM, {"ids": padded(due)})) if due else []


async def unfinished(session: AsyncSession, platform: str, most: int) -> list[Request]:
    """Requests whose jobs go on: those without a status message, then those whose message shows progress,
    oldest first."""
    return list(await session.scalars(_UNFINISHED, {"platform": platform, "most": most}))


async def hold(session: AsyncSession, request_ids: Sequence[UUID]) -> None:
    """These deliveries are still under way: their claims last a minute from now."""
    if request_ids:
        due = (
            Request.delivery == Delivery.PENDING,
            Request.delivery_after.is_not(None),
        )  # not one started anew
        mine = update(Request).where(Request.id.in_(request_ids), *due)
        await session.execute(
            mine.values(delivery_after=db_now(CLAIM)).execution_options(synchronize_session=False)
        )


async def requeue(session: AsyncSession) -> None:
    """Make every delivery under way due again: what the embedded service does at its start, when it is alone.

    Otherwise a person whose result a crash held up would wait until the claim runs out.
    """
    pending = update(Request).where(Request.delivery == Delivery.PENDING)
    for column in (Request.delivery_after, Request.post_after):
        await session.execute(
            pending.where(column > db_now())
            .values({column: db_now()})
            .execution_options(synchronize_session=False)
        )


async def posted_many(session: AsyncSession, notes: Sequence[tuple[UUID, str]]) -> list[None]:
    """`posted` for many."""
    await session.execute(_POSTED, [{"which": which, "message": message} for which, message in notes])
    return [None for _ in notes]


async def delivered_many(session: AsyncSession, notes: Sequence[tuple[UUID, str | None]]) -> list[None]:
    """`delivered` for many."""
    await session.execute(_DELIVERED, [{"which": which, "message": message} for which, message in notes])
    return [None for _ in notes]


async def claim_post(session: AsyncSession, request_id: UUID) -> bool:
    """Whether it is for the caller to post this request's status message; nobody else may for a while.

    Whether a post arrived can stay unknown, so it is not repeated at once.
    """
    unclaimed = or_(Request.post_after.is_(None), Request.post_after <= db_now())
    mine = update(Request).where(Request.id == request_id, Request.status_message.is_(None), unclaimed)
    claimed = mine.values(post_after=db_now(POST_CLAIM)).returning(Request.id)
    return await session.scalar(claimed.execution_options(synchronize_session=False)) is not None


async def posted(session: AsyncSession, request_id: UUID, message: str) -> None:
    """The request has a status message from now on, unless it got one meanwhile."""
    await session.execute(_POSTED, {"which": request_id, "message": message})


async def release_post(session: AsyncSession, request_id: UUID, seconds: float) -> None:
    """Nothing was posted for certain: it may be tried again in so many seconds."""
    mine = update(Request).where(Request.id == request_id, Request.status_message.is_(None))
    await session.execute(
        mine.values(post_after=db_now(seconds)).execution_options(synchronize_session=False)
    )


async def delivered(session: AsyncSession, request_id: UUID, message: str | None) -> None:
    """The person has it."""
    await session.execute(_DELIVERED, {"which": request_id, "message": message})


async def postpone(session: AsyncSession, request: Request, seconds: float | None = None) -> None:
    """Try again in so many seconds, as the platform says; None: the chat did not take it, so try ever more
    rarely, and never give up."""
    failures = request.delivery_failures + (seconds is None)
    pause = min(MAX_RETRY, RETRY * failures) if seconds is None else seconds
    mine = update(Request).where(Request.id == request.id, Request.delivery_after.is_not(None))
    later = {"delivery_failures": failures, "delivery_after": db_now(pause)}
    await session.execute(mine.values(**later).execution_options(synchronize_session=False))


async def move(session: AsyncSession, platform: str, old: str, new: str) -> None:
    """A chat has another id from now on. Its old messages cannot be edited any more."""
    here = update(Request).where(Request.platform == platform, Request.chat_id == old)
    still = case((Request.delivery == Delivery.PENDING, None), else_=Request.status_message)
    await session.execute(
        here.values(chat_id=new, status_message=still, reply_to=None).execution_options(
            synchronize_session=False
        )
    )
    for model, column in ((ChatSettings, ChatSettings.chat_id), (Member, Member.subject)):
        known = select(model).where(model.platform == platform, column.in_((old, new)))
        if len((await session.scalars(known)).all()) == 1:  # both, when the new chat was set up anew
            mine = update(model).where(model.platform == platform, column == old)
            await session.execute(mine.values({column: new}).execution_options(synchronize_session=False))
