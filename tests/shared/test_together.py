"""Ends of the same moment are one transaction, and none can harm another, on each kind of database."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs
from shared.database import Database, padded
from shared.jobs import Ending, Fence
from shared.models import Artifact, JobState
from shared.together import Together
from tests.counting import Since
from tests.shared.conftest import HOUR, SETTINGS, an_artifact, claim, finish, load, make_jobs


async def running(database: Database, count: int) -> list[Fence]:
    """So many claimed jobs."""
    await make_jobs(database, count)
    return [await claim(database) for _ in range(count)]


def together(database: Database) -> tuple[Together[Ending, bool], list[int]]:
    """Ends as a worker writes them, and how many each transaction held."""
    sizes: list[int] = []

    async def step(session: AsyncSession, endings: Sequence[Ending]) -> list[bool]:
        sizes.append(len(endings))
        await asyncio.sleep(0.02)  # as a busy database would
        return await jobs.finish_many(session, endings)

    return Together(database, step, patience=SETTINGS.lease), sizes


def ending(fence: Fence, **more: object) -> Ending:
    return Ending(fence, [an_artifact(fence.job_id)], HOUR, **more)  # type: ignore[arg-type]


async def test_ends_of_the_same_moment_share_a_transaction(database: Database) -> None:
    fences = await running(database, 6)
    ends, sizes = together(database)
    lengths = [None, 7.0, None, 8.0, 7.0, None]
    written = [
        ends.write(ending(fence, duration=length)) for fence, length in zip(fences, lengths, strict=True)
    ]
    assert await asyncio.gather(*written) == [True] * 6
    assert sizes == [6]
    done = [await load(database, fence.job_id) for fence in fences]
    assert {job.state for job in done} == {JobState.DONE}
    assert [job.duration for job in done] == lengths


async def test_a_lost_lease_is_told_to_its_own_attempt_only(database: Database) -> None:
    fences = await running(database, 3)
    stale = Fence(fences[1].job_id, fences[1].attempt - 1)
    ends, _ = together(database)
    asked = [ends.write(ending(fence)) for fence in (fences[0], stale, fences[2])]
    assert await asyncio.gather(*asked) == [True, False, True]
    assert (await load(database, stale.job_id)).state is JobState.RUNNING


async def test_what_the_database_refuses_spoils_no_other(database: Database) -> None:
    first, second, third = await running(database, 3)
    stored = an_artifact(first.job_id)
    ends, _ = together(database)
    assert await ends.write(Ending(first, [stored], HOUR))
    again = an_artifact(second.job_id)
    again.storage_key = stored.storage_key
    told = await asyncio.gather(
        ends.write(Ending(second, [again], HOUR)), ends.write(ending(third)), return_exceptions=True
    )
    assert isinstance(told[0], IntegrityError)
    assert told[1] is True
    assert (await load(database, second.job_id)).state is JobState.RUNNING


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_whoever_is_stopped_meanwhile_holds_up_nobody(database: Database, number: int) -> None:
    fences = await running(database, 3)
    ends, _ = together(database)
    tasks = [asyncio.create_task(ends.write(ending(fence))) for fence in fences]
    await asyncio.sleep(0.01)
    tasks.pop(number).cancel()
    assert await asyncio.gather(*tasks) == [True, True]
    others = [await load(database, fence.job_id) for fence in fences[:number] + fences[number + 1 :]]
    assert {job.state for job in others} == {JobState.DONE}


async def test_an_end_whose_answer_was_lost_is_ours_and_is_written_once(database: Database) -> None:
    written, other = await running(database, 2)
    refused = Since("fenced_writes_total")
    await finish(database, written)
    ends, _ = together(database)
    stale = Fence(written.job_id, written.attempt - 1)
    asked = [ends.write(ending(fence)) for fence in (written, other, stale)]
    assert await asyncio.gather(*asked) == [True, True, False]
    assert refused() == 1
    async with database.read() as session:
        files = list(await session.scalars(select(Artifact.job_id)))
    assert sorted(files) == sorted([written.job_id, other.job_id])


async def test_an_end_that_is_nobodys_any_more_is_refused(database: Database) -> None:
    cancelled, taken = await running(database, 2)
    async with database.write() as session:
        await jobs.cancel(session, cancelled.job_id)
        assert await jobs.finish_cancelled(session, cancelled)
        await jobs.release(session, taken)
    await finish(database, await claim(database))
    ends, _ = together(database)
    assert await asyncio.gather(*(ends.write(ending(fence)) for fence in (cancelled, taken))) == [False] * 2


@pytest.mark.parametrize(("count", "length"), [(0, 0), (1, 1), (2, 2), (3, 4), (5, 8), (8, 8), (33, 64)])
def test_lists_for_a_statement_have_few_lengths(count: int, length: int) -> None:
    values = list(range(count))
    found = padded(values)
    assert (found[:count], len(found), set(found)) == (values, length, set(values))
