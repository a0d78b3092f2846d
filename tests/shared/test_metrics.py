"""What is counted, and when: what did not happen after all is not."""

import pytest

from shared import jobs
from shared.chat.pace import Pace
from shared.chat.paced import PacedClient
from shared.chat.port import Throttled
from shared.database import Database
from shared.errors import Code, JobError
from shared.jobs import Fence, LeaseLost
from shared.retry import Verdict
from tests.counting import Since
from tests.shared.chat.fakes import FINAL, SlowChat, a_request, a_view
from tests.shared.conftest import claim, end, finish, make_job, make_jobs


def ended(state: str, code: str = "") -> Since:
    return Since("jobs_ended_total", state=state, code=code)


async def fail(database: Database, fence: Fence, retry_in: float | None) -> None:
    async with database.write() as session:
        error = JobError(Code.PRIVATE)
        await jobs.fail(session, fence, error, Verdict(retry_in=retry_in, cool_down=None), "a.example")


async def test_ends_of_jobs_are_counted_by_state_and_code(database: Database) -> None:
    done, private, cancelled = ended("done"), ended("failed", "private"), ended("cancelled", "cancelled")
    await make_jobs(database, 3)
    await finish(database, await claim(database))
    fence = await claim(database)
    await fail(database, fence, retry_in=60)
    assert private() == 0, "it is tried again"
    await fail(database, await claim(database), retry_in=None)
    async with database.write() as session:
        assert await jobs.cancel(session, fence.job_id)
        assert not await jobs.cancel(session, fence.job_id)
    assert (done(), private(), cancelled()) == (1, 1, 1)


async def test_an_end_that_was_not_committed_is_none(database: Database) -> None:
    done = ended("done")
    await make_job(database)
    fence = await claim(database)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await end(session, fence)
            raise ZeroDivisionError
    assert done() == 0
    await finish(database, fence)
    assert done() == 1


async def test_a_job_that_brings_down_every_worker_is_counted_once(database: Database) -> None:
    crashed = ended("failed", "crashed")
    await make_job(database)
    for round_ in range(3):
        fence = await claim(database)
        async with database.write() as session:
            await jobs.crash(session, fence, 0)
            await jobs.requeue_due(session)
        assert crashed() == (round_ == 2)


async def test_running_jobs_of_a_dead_service_are_counted_when_that_ends_them(database: Database) -> None:
    crashed, cancelled = ended("failed", "crashed"), ended("cancelled", "cancelled")
    await make_jobs(database, 2)
    for round_ in range(3):
        fences = [await claim(database), *([await claim(database)] if round_ == 0 else [])]
        async with database.write() as session:
            if round_ == 0:
                await jobs.cancel(session, fences[1].job_id)
            await jobs.requeue_expired(session, everything=True)
    assert (crashed(), cancelled()) == (1, 1)


async def test_writes_that_the_fence_refuses_are_counted(database: Database) -> None:
    refused = Since("fenced_writes_total")
    await make_job(database)
    old = await claim(database)
    async with database.write() as session:
        await jobs.requeue_expired(session, everything=True)
    new = await claim(database)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            async with database.write() as session:
                await jobs.renew(session, old, 60)
    with pytest.raises(LeaseLost):
        await finish(database, old)
    assert refused() == 3
    await finish(database, new)
    assert refused() == 3


async def test_what_a_chat_is_sent_and_what_it_refuses_is_counted() -> None:
    names = ("chat_posts_total", "chat_edits_total", "chat_refusals_total")
    posts, edits, refusals = (Since(name, platform="trial") for name in names)
    chat = SlowChat(seconds=0)
    client = PacedClient(chat, Pace(lambda _: (), 0), platform="trial")
    await client.post(a_request(), a_view())
    assert await client.show(a_request("n"), "n", a_view(1))
    await client.edit(a_request(), "m", FINAL)
    assert (posts(), edits(), refusals()) == (1, 2, 0)
    chat.errors = [Throttled(1000)]
    with pytest.raises(Throttled):
        await client.edit(a_request(), "m", FINAL)
    with pytest.raises(Throttled):
        await client.edit(a_request(), "m", FINAL)
    assert (posts(), edits(), refusals()) == (1, 2, 1), "the second one was not even sent"
