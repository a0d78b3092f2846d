"""The life of a job: every move is one compare-and-set, and a worker that lost its job changes nothing."""

import pytest
from sqlalchemy import select, update

from shared import deliveries, jobs
from shared.database import Database, db_now
from shared.errors import Code, JobError
from shared.jobs import LeaseLost
from shared.models import Artifact, Delivery, Job, JobState, OutboxRow, Request
from shared.retry import MAX_CRASHES, Verdict
from tests.shared.conftest import (
    HOUR,
    SETTINGS,
    an_artifact,
    claim,
    end,
    finish,
    load,
    make_job,
    make_request,
)


async def test_a_new_job_is_queued_with_an_outbox_row(database: Database) -> None:
    job_id = await make_job(database)
    assert (await load(database, job_id)).state is JobState.QUEUED
    async with database.read() as session:
        assert list(await session.scalars(select(OutboxRow.job_id))) == [job_id]


async def test_an_identical_active_job_is_not_made_twice(database: Database) -> None:
    await make_job(database)
    async with database.write() as session:
        again = await jobs.insert(
            session, link="x", site="x", user_key="y", options={}, link_key="https://a.example/1", turn=0
        )
    assert again is None


async def test_a_claim_takes_the_lease_and_counts_the_attempt(database: Database) -> None:
    job_id = await make_job(database)
    fence = await claim(database)
    job = await load(database, job_id)
    assert (fence.attempt, job.state, job.worker) == (1, JobState.RUNNING, "worker-1")
    assert job.lease_until is not None
    assert job.started_at is not None


async def test_nobody_claims_a_running_job(database: Database) -> None:
    await make_job(database)
    await claim(database)
    async with database.write() as session:
        assert await jobs.claim(session, "worker-2", SETTINGS) is None


async def test_finishing_stores_artifacts_and_state_together(database: Database) -> None:
    job_id = await make_job(database)
    await finish(database, await claim(database))
    async with database.read() as session:
        job = await jobs.get(session, job_id)
        kept = Artifact.expires_at.between(db_now(HOUR - 60), db_now(HOUR))
        assert list(await session.scalars(select(Artifact.job_id).where(kept))) == [job_id]
    assert job is not None
    assert job.state is JobState.DONE
    assert len(job.artifacts) == 1


async def test_a_worker_that_lost_its_lease_can_write_nothing(database: Database) -> None:
    job_id = await make_job(database)
    stale = await claim(database)
    async with database.write() as session:
        await session.execute(update(Job).values(lease_until=db_now(-1)))
        assert await jobs.requeue_expired(session) == [job_id]
    fresh = await claim(database)
    with pytest.raises(LeaseLost):
        await finish(database, stale)
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await jobs.renew(session, stale, SETTINGS.lease)
    assert fresh.attempt == stale.attempt + 1
    async with database.read() as session:
        assert list(await session.scalars(select(Artifact))) == []


async def test_a_live_lease_is_left_alone(database: Database) -> None:
    await make_job(database)
    await claim(database)
    async with database.write() as session:
        assert await jobs.requeue_expired(session) == []


async def test_a_job_that_kills_three_workers_is_quarantined(database: Database) -> None:
    job_id = await make_job(database)
    for _ in range(MAX_CRASHES):
        await claim(database)
        async with database.write() as session:
            await jobs.requeue_expired(session, everything=True)
    job = await load(database, job_id)
    assert (job.state, job.error_code, job.crashes) == (JobState.FAILED, Code.CRASHED, 3)


async def test_crashes_and_failures_are_counted_apart(database: Database) -> None:
    job_id = await make_job(database)
    fence = await claim(database)
    async with database.write() as session:
        await jobs.fail(session, fence, JobError(Code.NETWORK), Verdict(0), "a.example")
    async with database.write() as session:
        assert await jobs.requeue_due(session) == [job_id]
    await claim(database)
    async with database.write() as session:
        await jobs.requeue_expired(session, everything=True)
    job = await load(database, job_id)
    assert (job.failures, job.crashes) == (1, 1)


async def test_why_a_job_that_never_failed_had_to_wait_is_not_told_any_longer(database: Database) -> None:
    job_id = await make_job(database)
    for expected in (None, Code.NETWORK):
        fence = await claim(database)
        async with database.write() as session:
            if expected:
                await jobs.fail(session, fence, JobError(expected), Verdict(0), "a.example")
            else:
                await jobs.set_aside(session, fence, 0, Code.THROTTLED)
        assert (await load(database, job_id)).error_code is (expected or Code.THROTTLED)
        async with database.write() as session:
            assert await jobs.requeue_due(session) == [job_id]
        job = await load(database, job_id)
        assert (job.error_code, job.error_message is None) == (expected, expected is None)


async def test_a_retry_waits_its_time(database: Database) -> None:
    await make_job(database)
    fence = await claim(database)
    async with database.write() as session:
        await jobs.fail(session, fence, JobError(Code.NETWORK), Verdict(60), "a.example")
        assert await jobs.requeue_due(session) == []
        assert await jobs.claim(session, "w", SETTINGS) is None


async def test_a_permanent_failure_says_why(database: Database) -> None:
    job_id = await make_job(database)
    fence = await claim(database)
    async with database.write() as session:
        await jobs.fail(session, fence, JobError(Code.PRIVATE), Verdict(None), "a.example")
    job = await load(database, job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, Code.PRIVATE)
    assert job.error_message == JobError(Code.PRIVATE).message


async def test_a_throttling_site_rests_for_everybody_and_the_longer_rest_wins(database: Database) -> None:
    for seconds in (100, 10):
        async with database.write() as session:
            await jobs.cool_down(session, "a.example", seconds)
    async with database.read() as session:
        left = await jobs.resting(session, ["a.example", "b.example"])
        assert list(left) == ["a.example"]
        assert left["a.example"] > 50


async def test_releasing_counts_neither_as_crash_nor_as_failure(database: Database) -> None:
    job_id = await make_job(database)
    fence = await claim(database)
    async with database.write() as session:
        await jobs.release(session, fence)
    job = await load(database, job_id)
    assert (job.state, job.crashes, job.failures, job.run_after) == (JobState.QUEUED, 0, 0, None)
    async with database.read() as session:
        assert len(list(await session.scalars(select(OutboxRow)))) == 2


async def test_a_cancelled_queued_job_never_starts(database: Database) -> None:
    job_id = await make_job(database)
    async with database.write() as session:
        assert await jobs.cancel(session, job_id) is JobState.CANCELLED
        assert await jobs.claim(session, "w", SETTINGS) is None


async def test_a_running_job_that_is_cancelled_can_write_nothing_but_its_end(database: Database) -> None:
    job_id = await make_job(database)
    fence = await claim(database)
    async with database.write() as session:
        assert await jobs.cancel(session, job_id) is JobState.RUNNING
    with pytest.raises(LeaseLost):
        await finish(database, fence)
    async with database.write() as session:
        assert await jobs.finish_cancelled(session, fence)
    assert (await load(database, job_id)).state is JobState.CANCELLED


async def test_whoever_asks_while_a_cancel_is_under_way_gets_a_job_of_their_own(database: Database) -> None:
    job_id = await make_job(database)
    await claim(database)
    async with database.write() as session:
        await jobs.cancel(session, job_id)
        assert await jobs.find_reusable(session, link_key="https://a.example/1") is None
    assert await make_job(database) != job_id


async def test_one_of_two_askers_may_leave_without_stopping_the_other(database: Database) -> None:
    job_id = await make_job(database)
    first, second = await make_request(database, job_id), await make_request(database, job_id)
    async with database.write() as session:
        assert not await jobs.leave(session, first)
    async with database.write() as session:
        assert await jobs.leave(session, second)


async def test_an_active_job_answers_for_its_link(database: Database) -> None:
    job_id = await make_job(database)
    async with database.read() as session:
        found = await jobs.find_reusable(session, link_key="https://a.example/1")
    assert found is not None
    assert found.id == job_id


async def test_files_are_kept_on_all_together_or_none(database: Database) -> None:
    job_id = await make_job(database)
    await finish(database, await claim(database), 60)
    for files, is_kept in ((2, False), (1, True)):
        async with database.write() as session:
            assert await jobs.prolong(session, job_id, 3600, files=files) is is_kept
            later = select(Artifact.id).where(Artifact.expires_at > db_now(600))
            assert (await session.scalar(later) is not None) is is_kept


async def test_a_finished_job_answers_until_its_files_expire(database: Database) -> None:
    await make_job(database)
    await finish(database, await claim(database), seconds=3600)
    async with database.write() as session:
        assert await jobs.find_reusable(session, link_key="https://a.example/1") is not None
        await session.execute(update(Artifact).values(expires_at=db_now(-1)))
        assert await jobs.find_reusable(session, link_key="https://a.example/1") is None


async def test_the_second_spelling_of_a_link_joins_the_first(database: Database) -> None:
    first = await make_job(database, "https://short.example/x")
    fence = await claim(database)
    async with database.write() as session:
        assert await jobs.identify(session, fence, "media-x") is None
    second = await make_job(database, "https://long.example/watch?v=x")
    waiting = await make_request(database, second)
    other = await claim(database)
    async with database.write() as session:
        twin = await jobs.identify(session, other, "media-x")
        assert twin is not None
        await jobs.join(session, other, twin.id)
    async with database.read() as session:
        assert (await session.get_one(Request, waiting)).job_id == first
        found = await jobs.find_reusable(session, link_key="https://long.example/watch?v=x")
        assert found is not None
        assert found.id == first


async def test_a_newcomer_is_served_before_the_backlog_of_somebody_else(database: Database) -> None:
    for number in range(10):
        await make_job(database, f"https://a.example/{number}", user="telegram:busy")
    await claim(database)
    newcomer = await make_job(database, "https://a.example/new", user="telegram:new")
    assert (await claim(database)).job_id == newcomer


async def test_newcomers_are_served_in_the_order_they_came(database: Database) -> None:
    for number in range(5):
        await make_job(database, f"https://a.example/{number}", user="telegram:busy")
    await claim(database)
    expected = [await make_job(database, f"https://b.example/{n}", user=f"telegram:{n}") for n in range(3)]
    assert [(await claim(database)).job_id for _ in range(3)] == expected


async def test_the_position_counts_who_is_served_before(database: Database) -> None:
    ids = [await make_job(database, f"https://a.example/{number}") for number in range(3)]
    async with database.read() as session:
        places = [await jobs.position(session, await session.get_one(Job, job_id)) for job_id in ids]
    assert places == [1, 2, 3]


async def test_a_delivery_is_claimed_by_one_and_delivered_once(database: Database) -> None:
    job_id = await make_job(database)
    request_id = await make_request(database, job_id)
    await finish(database, await claim(database))
    async with database.write() as session:
        assert [request.id for request in await deliveries.claim(session, ["telegram"])] == [request_id]
        assert await deliveries.claim(session, ["telegram"]) == []
        await deliveries.delivered(session, request_id, "m1")
        await session.execute(update(Request).values(delivery_after=db_now(-1)))
        assert await deliveries.claim(session, ["telegram"]) == []
        assert (await session.get_one(Request, request_id)).delivery is Delivery.DELIVERED


async def test_nothing_is_delivered_before_the_job_has_ended(database: Database) -> None:
    await make_request(database, await make_job(database))
    await claim(database)
    async with database.write() as session:
        assert await deliveries.claim(session, ["telegram"]) == []


async def test_a_delivery_the_chat_refused_is_tried_again_later(database: Database) -> None:
    job_id = await make_job(database)
    request_id = await make_request(database, job_id)
    await finish(database, await claim(database))
    async with database.write() as session:
        (request,) = await deliveries.claim(session, ["telegram"])
        await deliveries.postpone(session, request)
        assert await deliveries.claim(session, ["telegram"]) == []
        await session.execute(update(Request).values(delivery_after=db_now(-1)))
        assert [request.id for request in await deliveries.claim(session, ["telegram"])] == [request_id]


async def test_a_platform_that_is_not_served_here_is_left_to_others(database: Database) -> None:
    await make_request(database, await make_job(database), platform="slack")
    await finish(database, await claim(database))
    async with database.write() as session:
        assert await deliveries.claim(session, ["telegram"]) == []


async def test_who_looks_for_themselves_has_the_result_when_the_job_ends(database: Database) -> None:
    request_id = await make_request(database, await make_job(database), platform="api")
    await finish(database, await claim(database))
    async with database.read() as session:
        assert (await session.get_one(Request, request_id)).delivery is Delivery.DELIVERED


async def test_whoever_leaves_is_told_without_waiting_for_the_job(database: Database) -> None:
    job_id = await make_job(database)
    leaving = await make_request(database, job_id)
    await make_request(database, job_id)
    async with database.write() as session:
        await jobs.leave(session, leaving)
        assert [request.id for request in await deliveries.claim(session, ["telegram"])] == [leaving]


async def test_a_result_that_is_not_whole_does_not_answer_for_its_link(database: Database) -> None:
    await make_job(database)
    fence = await claim(database)
    async with database.write() as session:
        await end(session, fence, an_artifact(fence.job_id), is_whole=False)
        assert await jobs.find_reusable(session, link_key="https://a.example/1") is None
    assert (await load(database, fence.job_id)).state is JobState.DONE


async def test_somebody_whom_the_announcement_passed_by_is_told_in_the_end(database: Database) -> None:
    await make_job(database)
    fence = await claim(database)
    await finish(database, fence)
    late = await make_request(database, fence.job_id)
    async with database.write() as session:
        assert await deliveries.claim(session, ["telegram"]) == []
        assert await jobs.announce_missed(session) == 1
        assert [request.id for request in await deliveries.claim(session, ["telegram"])] == [late]
        assert await jobs.announce_missed(session) == 0
