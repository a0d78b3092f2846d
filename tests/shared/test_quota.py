"""What one person may fetch in 24 hours: counted as it is fetched, refused in words that say until when."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from shared import jobs, quota
from shared.database import Database, db_now
from shared.errors import Code, JobError
from shared.jobs import Fence
from shared.models import Job, Stage
from shared.quota import DAY, Use, room_again
from shared.settings import Settings
from tests.shared.conftest import an_artifact, claim, end, make_job, make_request

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GB = 10**9
ANN = "telegram:1"
LIMITED = Settings(_env_file=None, max_gb_per_user_per_day=2)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("uses", "when"),
    [
        ([], None),
        ([Use(9, ago(1))], None),
        ([Use(10, ago(1))], NOW + timedelta(hours=23)),
        ([Use(6, ago(20)), Use(6, ago(1))], NOW + timedelta(hours=4)),
        ([Use(6, ago(1)), Use(1, ago(3)), Use(6, ago(20))], NOW + timedelta(hours=4)),
        ([Use(15, ago(1)), Use(6, ago(20))], NOW + timedelta(hours=23)),
        ([Use(12, None)], NOW + timedelta(hours=24)),
        ([Use(6, ago(20)), Use(5, None)], NOW + timedelta(hours=4)),
    ],
)
def test_when_there_is_room_again(uses: list[Use], when: datetime | None) -> None:
    assert room_again(uses, 10, NOW) == when


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 23.9))), st.integers(1, 40))
def test_at_that_moment_there_is_room_and_not_before(parts: list[tuple[int, float]], most: int) -> None:
    uses = [Use(size, ago(hours)) for size, hours in parts]
    when = room_again(uses, most, NOW)

    def used(moment: datetime) -> int:
        return sum(
            use.size for use in uses if use.ended_at and use.ended_at > moment - timedelta(seconds=DAY)
        )

    if when is None:
        assert used(NOW) < most
    else:
        assert used(when) < most <= used(when - timedelta(microseconds=1))


async def carried(database: Database, user: str, size: int, *, fetched: int = 0, hours: float = 0) -> None:
    """A job of this person, done so long ago: how much is stored, and how much had been fetched for it."""
    await make_job(database, None, user)
    fence = await claim(database)
    artifact = an_artifact(fence.job_id)
    artifact.size = size
    async with database.write() as session:
        await jobs.report(session, fence, Stage.DOWNLOAD, None, fetched)
        await jobs.report(session, fence, Stage.CONVERT, None, fetched // 2)  # a later try fetched less
        await end(session, fence, artifact)
        ended = update(Job).where(Job.id == fence.job_id).values(finished_at=db_now(-3600 * hours))
        await session.execute(ended)


async def refused(database: Database, user: str = ANN, settings: Settings = LIMITED) -> JobError | None:
    try:
        async with database.read() as session:
            await quota.check(session, user, settings)
    except JobError as error:
        return error
    return None


async def test_a_person_who_has_fetched_enough_is_told_until_when(database: Database) -> None:
    await carried(database, ANN, GB, hours=23.5)
    assert await refused(database) is None
    await carried(database, ANN, 1000, fetched=GB, hours=1)
    error = await refused(database)
    assert error and error.code is Code.QUOTA
    assert error.message.startswith(
        "You have fetched the 2 GB that one person may in 24 hours; there is room"
    )
    assert error.message.endswith(" UTC. Send the link again then.")
    assert error.retry_after == pytest.approx(1800, abs=120)


async def test_what_is_a_day_old_or_somebody_elses_does_not_count(database: Database) -> None:
    await carried(database, ANN, 5 * GB, hours=24.1)
    await carried(database, "telegram:2", 5 * GB)
    assert await refused(database) is None
    assert await refused(database, "telegram:2") is not None


async def test_what_goes_on_counts_as_far_as_it_is(database: Database) -> None:
    await make_job(database, None, ANN)
    fence: Fence = await claim(database)
    for fetched, is_refused in ((GB, False), (2 * GB, True)):
        async with database.write() as session:
            await jobs.report(session, fence, Stage.DOWNLOAD, None, fetched)
        assert (await refused(database) is not None) == is_refused
    async with database.read() as session:
        await quota.check(session, ANN, LIMITED, but=fence.job_id)


async def test_a_job_is_paid_by_the_first_who_waits_for_it_and_has_room(database: Database) -> None:
    await carried(database, ANN, 2 * GB)
    job_id = await make_job(database, None, ANN)

    async def payer() -> str | None:
        async with database.read() as session:
            return await quota.payer(session, job_id, LIMITED)

    assert await payer() is None, "nobody waits for it"
    ann = await make_request(database, job_id, user="1")
    with pytest.raises(JobError) as refusal:
        await payer()
    assert (refusal.value.code, refusal.value.detail) == (Code.QUOTA, ANN)
    bob = await make_request(database, job_id, user="2")
    await make_request(database, job_id, user="3")
    assert await payer() == "telegram:2"
    async with database.write() as session:
        assert not await jobs.leave(session, ann)
        assert not await jobs.leave(session, bob)
    assert await payer() == "telegram:3"


async def test_who_stays_pays_for_what_goes_on_when_the_one_who_paid_leaves(database: Database) -> None:
    job_id = await make_job(database, None, ANN)
    asked = [await make_request(database, job_id, user=user) for user in "1123"]
    fence = await claim(database)
    paid = []
    for request_id in asked:
        async with database.write() as session:
            await jobs.report(session, fence, Stage.DOWNLOAD, None, 2 * GB)
            await jobs.leave(session, request_id)
        paid.append([user for user in "123" if await refused(database, f"telegram:{user}")])
    assert paid == [["1"], ["2"], ["3"], ["3"]]


async def test_nobody_is_limited_unless_it_is_set_and_the_operator_never(database: Database) -> None:
    for user in (ANN, quota.FREE[0]):
        await carried(database, user, 50 * GB)
    assert await refused(database, settings=Settings(_env_file=None)) is None
    assert await refused(database, quota.FREE[0]) is None
