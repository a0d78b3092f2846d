"""What holds when several processes act in the same moment, on each kind of database."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.exc import DBAPIError

from bots.intake import Intake, Origin, cancel
from shared import deliveries, jobs
from shared.database import Database, db_now
from shared.ids import new_id
from shared.jobs import LeaseLost
from shared.link import parse_link
from shared.models import Job, JobState, OutboxRow, Request
from shared.options import Options
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue
from shared.storage.local import LocalStorage
from tests.shared.conftest import (
    SETTINGS,
    Connect,
    claim,
    finish,
    load,
    make_job,
    make_jobs,
    make_request,
    try_claim,
)

T = TypeVar("T")

PROCESSES = 3
only_postgresql = pytest.mark.parametrize("connect", ["postgresql"], indirect=True)


@pytest.fixture
def databases(connect: Connect) -> list[Database]:
    """The same database, as so many processes see it."""
    return [connect() for _ in range(PROCESSES)]


async def at_once(
    databases: Sequence[Database], count: int, step: Callable[[Database], Awaitable[T]]
) -> list[T]:
    """Do something `count` times in the same moment, in turn on each connection."""
    return list(await asyncio.gather(*(step(databases[n % len(databases)]) for n in range(count))))


def an_intake(database: Database, folder: Path) -> Intake:
    """The intake of one process."""
    return Intake(database, Outbox(database, EmbeddedQueue()), LocalStorage(folder), SETTINGS)


async def test_twenty_claims_at_once_hand_out_ten_jobs_once_each(databases: list[Database]) -> None:
    ids = await make_jobs(databases[0], 10)
    claimed = await at_once(databases, 20, try_claim)
    assert sorted(fence.job_id for fence in claimed if fence) == sorted(ids)


@pytest.mark.parametrize("limit", ["max_downloads_per_user", "max_downloads_per_site"])
async def test_limits_hold_when_many_claim_at_once(databases: list[Database], limit: str) -> None:
    for user in ("telegram:1", "telegram:2"):
        for site in ("a.example", "b.example"):
            for _ in range(3):
                await make_job(databases[0], None, user, site)
    settings = SETTINGS.model_copy(update={limit: 2})
    claimed = await at_once(databases, 12, lambda database: try_claim(database, settings))
    running = [await load(databases[0], fence.job_id) for fence in claimed if fence]
    key = "user_key" if "user" in limit else "site"
    assert set(Counter(getattr(job, key) for job in running).values()) == {2}


async def test_a_job_that_a_limit_holds_back_does_not_hold_back_others(databases: list[Database]) -> None:
    await make_jobs(databases[0], 5, user="telegram:busy")
    settings = SETTINGS.model_copy(update={"max_downloads_per_user": 1})
    assert await try_claim(databases[0], settings)
    other = await make_job(databases[0], None, user="telegram:other")
    fence = await try_claim(databases[1], settings)
    assert fence and fence.job_id == other
    assert await try_claim(databases[1], settings) is None


async def test_five_hundred_links_of_one_person_make_nobody_else_wait(databases: list[Database]) -> None:
    await make_jobs(databases[0], 500, user="telegram:busy")
    for _ in range(3):
        await claim(databases[0])
    newcomer = await make_job(databases[0], None, user="telegram:new")
    assert (await claim(databases[1])).job_id == newcomer


async def test_the_same_link_from_many_at_once_is_one_job(databases: list[Database], tmp_path: Path) -> None:
    link = parse_link("https://a.example/watch/1")

    async def ask(database: Database) -> UUID:
        origin = Origin("telegram", "c", str(new_id()), str(new_id()))
        return (await an_intake(database, tmp_path).submit(link, Options(), origin)).job_id

    assert len(set(await at_once(databases, 9, ask))) == 1
    async with databases[0].read() as session:
        assert await session.scalar(select(func.count()).select_from(Request)) == 9
        assert await session.scalar(select(func.count()).select_from(OutboxRow)) == 1


async def test_the_same_event_many_times_at_once_is_one_request(
    databases: list[Database], tmp_path: Path
) -> None:
    link = parse_link("https://a.example/watch/1")
    origin = Origin("telegram", "c", "u", "telegram:update:7")
    answers = await at_once(
        databases, 6, lambda database: an_intake(database, tmp_path).submit(link, Options(), origin)
    )
    assert len({answer.request_id for answer in answers}) == 1
    assert [answer.is_new for answer in answers].count(True) == 1


async def test_two_janitors_at_once_bring_a_lost_job_back_once(databases: list[Database]) -> None:
    ids = await make_jobs(databases[0], 20)
    for _ in ids:
        await claim(databases[0])
    async with databases[0].write() as session:
        await session.execute(update(Job).values(lease_until=db_now(-1)))

    async def sweep(database: Database) -> list[UUID]:
        async with database.write() as session:
            return await jobs.requeue_expired(session)

    swept = await at_once(databases, PROCESSES, sweep)
    assert sorted(job_id for found in swept for job_id in found) == sorted(ids)
    async with databases[0].read() as session:
        assert set(await session.scalars(select(Job.crashes))) == {1}
        assert await session.scalar(select(func.count()).select_from(OutboxRow)) == 2 * len(ids)


async def test_two_janitors_at_once_bring_a_due_retry_back_once(databases: list[Database]) -> None:
    ids = await make_jobs(databases[0], 20)
    async with databases[0].write() as session:
        await session.execute(update(Job).values(run_after=db_now(-1)))

    async def sweep(database: Database) -> list[UUID]:
        async with database.write() as session:
            return await jobs.requeue_due(session)

    swept = await at_once(databases, PROCESSES, sweep)
    assert sorted(job_id for found in swept for job_id in found) == sorted(ids)


async def test_deliveries_go_to_one_of_many_deliverers(databases: list[Database]) -> None:
    waiting = []
    for _ in range(3):
        job_id = await make_job(databases[0], None)
        waiting += [await make_request(databases[0], job_id) for _ in range(20)]
        await finish(databases[0], await claim(databases[0]))

    async def take(database: Database) -> list[UUID]:
        async with database.write() as session:
            return [request.id for request in await deliveries.claim(session, ["telegram"])]

    taken = [request_id for found in await at_once(databases, 6, take) for request_id in found]
    assert sorted(taken) == sorted(waiting)


async def test_a_cancel_and_the_end_of_a_job_at_once_agree(databases: list[Database]) -> None:
    for _ in range(10):
        job_id = await make_job(databases[0], None)
        asked = await make_request(databases[0], job_id)
        fence = await claim(databases[0])

        async def end() -> bool:
            try:
                await finish(databases[0], fence)  # noqa: B023
            except LeaseLost:
                return False
            return True

        finished, _ = await asyncio.gather(end(), cancel(databases[1], EmbeddedQueue(), job_id, asked))
        job = await load(databases[0], job_id)
        assert (job.state is JobState.DONE) == finished
        assert job.cancel_requested != finished


@only_postgresql
async def test_a_cancel_never_deadlocks_with_the_end_of_the_job(databases: list[Database]) -> None:
    job_id = await make_job(databases[0])
    asked = await make_request(databases[0], job_id)
    fence = await claim(databases[0])
    async with databases[1].write() as session:
        assert await jobs.leave(session, asked)
        ending = asyncio.create_task(finish(databases[0], fence))
        await somebody_waits_for_a_lock(databases[2])
        assert await jobs.cancel(session, job_id) is JobState.RUNNING
    with pytest.raises(LeaseLost):
        await ending


@only_postgresql
async def test_a_job_that_somebody_joins_in_this_moment_is_claimed_all_the_same(
    databases: list[Database],
) -> None:
    job_id = await make_job(databases[0])
    async with databases[0].write() as joining:
        joining.add(
            Request(
                event_key="e", platform="telegram", chat_id="c", user_id="u", job_id=job_id, cancelled=False
            )
        )
        await joining.flush()
        assert (await claim(databases[1])).job_id == job_id


async def test_a_claim_reads_one_row_whatever_the_backlog(connect: Connect) -> None:
    database = connect()
    await fill(database, queued=2000, running=50, done=2000)
    plan = await plan_of(database, lambda session: jobs.claim(session, "w", SETTINGS))
    assert "ix_jobs_state_turn" in plan
    assert_walks_no_table(plan)


async def test_taking_a_request_in_reads_no_backlog(connect: Connect) -> None:
    database = connect()
    await fill(database, queued=2000, running=50, done=2000)
    plan = await plan_of(
        database,
        lambda session: jobs.look(session, event_key="new", link_key="new", user_key="telegram:1"),
    )
    for walk in ("Seq Scan on jobs", "SCAN jobs", "Aggregate"):  # the last over all that a person waits for
        assert walk not in plan


@pytest.mark.parametrize("sweep", [jobs.requeue_due, jobs.requeue_expired])
async def test_a_sweep_reads_only_what_is_due(
    connect: Connect, sweep: Callable[..., Awaitable[list[UUID]]]
) -> None:
    database = connect()
    await fill(database, queued=2000, running=500, done=2000)
    plan = await plan_of(database, sweep)
    assert_walks_no_table(plan)
    column = "run_after" if sweep is jobs.requeue_due else "lease_until"
    assert f"{column}<" in conditions(plan)


async def test_a_look_for_deliveries_reads_only_what_is_due(connect: Connect) -> None:
    database = connect()
    await fill(database, queued=2000, running=50, done=2000)
    plan = await plan_of(database, lambda session: deliveries.claim(session, ["telegram"]))
    assert_walks_no_table(plan, "requests")
    assert "delivery_after<" in conditions(plan)


async def fill(database: Database, **counts: int) -> None:
    """So many jobs in each state, each with somebody who waits for it; the database knows how many."""
    made: list[dict[str, Any]] = []
    for state, count in counts.items():
        for number in range(count):
            link = f"https://a.example/{state}/{number}"
            own = {"link": link, "link_key": link, "state": JobState(state), "turn": number, "id": new_id()}
            made.append({"site": "a.example", "user_key": f"telegram:{number % 7}", "options": {}} | own)
    asked = [
        {"id": new_id(), "event_key": str(new_id()), "platform": "telegram", "chat_id": "c", "user_id": "u"}
        | {"job_id": job["id"], "delivery": "delivered" if job["state"] is JobState.DONE else "pending"}
        for job in made
    ]
    async with database.write() as session:
        await session.execute(Job.__table__.insert(), made)  # type: ignore[attr-defined]
        await session.execute(Request.__table__.insert(), asked)  # type: ignore[attr-defined]
        await session.execute(
            update(Job).where(Job.state == JobState.RUNNING).values(lease_until=db_now(SETTINGS.lease))
        )
    async with database.write() as session:
        await session.execute(text("ANALYZE"))


async def plan_of(database: Database, step: Callable[[Any], Awaitable[object]]) -> str:
    """How the database carries out what a step asks of jobs and requests, in its own words."""
    seen: list[tuple[str, Any]] = []

    def keep(_c: object, _u: object, statement: str, parameters: Any, *_: object) -> None:
        if "jobs" in statement or "requests" in statement:
            seen.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", keep)
    async with database.write() as session:
        await step(session)
        await session.rollback()
    event.remove(engine, "before_cursor_execute", keep)
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN (COSTS OFF) "
    plans = []
    async with database.connection() as connection:
        for statement, parameters in seen:
            for row in await connection.exec_driver_sql(explain + statement, parameters):
                plans.append(str(row[-1]))
    assert plans
    return "\n".join(plans)


def assert_walks_no_table(plan: str, table: str = "jobs") -> None:
    """No step of the plan goes through a whole table, or sorts what it found."""
    for line in plan.splitlines():
        assert f"Seq Scan on {table}" not in line and not line.startswith(f"SCAN {table}"), plan
        assert "Sort" not in line and "TEMP B-TREE" not in line, plan


def conditions(plan: str) -> str:
    """What the plan looks up in indexes, without blanks and names of tables."""
    looked_up = [line for line in plan.splitlines() if "Index Cond" in line or "USING" in line]
    return "".join(looked_up).replace(" ", "").replace("jobs.", "").replace("requests.", "")


async def somebody_waits_for_a_lock(database: Database) -> None:
    """Returns when a connection to this database waits for another one."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(40):
        while True:
            async with database.read() as session:
                if await session.scalar(waiting):
                    return
            await asyncio.sleep(0.01)


async def test_an_error_tells_nothing_of_what_was_to_be_stored(database: Database) -> None:
    with pytest.raises(DBAPIError) as failure:
        async with database.write() as session:
            await session.execute(
                text("INSERT INTO nowhere VALUES (:url)"), {"url": "https://hooks.example/key"}
            )
    assert "nowhere" in str(failure.value)
    assert "hooks.example" not in str(failure.value)
