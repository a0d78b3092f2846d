"""Progress is written at its own pace, and nothing about it ends an attempt but a lost lease."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from shared import jobs
from shared.ids import new_id
from shared.jobs import Fence, LeaseLost
from shared.models import Stage
from tests.waiting import eventually
from worker import progress
from worker.progress import Reporter


class Rows:
    """A database that remembers which stages were written; `faults` are raised by the next writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stages: list[Stage] = []
        self.faults: list[Exception] = []
        monkeypatch.setattr(jobs, "report", self._report)
        monkeypatch.setattr(progress, "ROW_INTERVAL", 0.1)
        monkeypatch.setattr(progress, "EVENT_INTERVAL", 0.01)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[None]:
        """A transaction."""
        yield

    async def _report(self, session: object, fence: Fence, stage: Stage, how_far: Any, fetched: int) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.stages.append(stage)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    return Rows(monkeypatch)


async def nobody(_: UUID, __: dict[str, object]) -> None:
    """A watcher who does not look."""


def reporter(rows: Rows, publish: Callable[..., Awaitable[None]] = nobody) -> Reporter:
    return Reporter(Fence(new_id(), 1), rows, publish)  # type: ignore[arg-type]


async def until_written(rows: Rows, stage: Stage) -> None:
    await eventually(lambda: stage in rows.stages)


async def test_a_change_inside_the_row_interval_is_written_when_it_is_over(rows: Rows) -> None:
    async with reporter(rows) as reporting:
        await reporting.enter(Stage.PROBE)
        await until_written(rows, Stage.PROBE)
        await reporting.enter(Stage.DOWNLOAD)
        await until_written(rows, Stage.DOWNLOAD)
        await asyncio.sleep(0.25)
    assert rows.stages == [Stage.PROBE, Stage.DOWNLOAD]


@pytest.mark.parametrize("fault", [OSError("away"), OperationalError("select", {}, Exception("locked"))])
async def test_a_row_that_could_not_be_written_is_written_later(rows: Rows, fault: Exception) -> None:
    rows.faults.append(fault)
    async with reporter(rows) as reporting:
        await reporting.enter(Stage.STORE)
        await until_written(rows, Stage.STORE)


async def test_watchers_that_cannot_be_told_end_nothing(rows: Rows) -> None:
    async def refuse(_: UUID, __: dict[str, object]) -> None:
        raise ConnectionError("no broker")

    async with reporter(rows, refuse) as reporting:
        await reporting.enter(Stage.CONVERT)
        await until_written(rows, Stage.CONVERT)


async def test_a_lost_lease_ends_the_attempt(rows: Rows) -> None:
    rows.faults.append(LeaseLost("gone"))
    with pytest.raises(ExceptionGroup) as caught:
        async with reporter(rows) as reporting:
            await reporting.enter(Stage.DOWNLOAD)
            await asyncio.sleep(60)
    assert caught.group_contains(LeaseLost)


async def test_once_ended_nothing_is_written(rows: Rows) -> None:
    async with reporter(rows) as reporting:
        async with reporting.silence:
            await reporting.enter(Stage.STORE)
            await asyncio.sleep(0.05)
            reporting.end()
        await asyncio.sleep(0.05)
    assert rows.stages == []


async def test_an_attempt_cancelled_while_a_row_is_written_leaves_no_writer_behind(rows: Rows) -> None:
    told, release = asyncio.Event(), asyncio.Event()

    async def tell(_: UUID, __: dict[str, object]) -> None:
        told.set()

    async def attempt(reporting: Reporter) -> None:
        async with reporting:
            await reporting.enter(Stage.PROBE)
            await release.wait()

    reporting = reporter(rows, tell)
    async with reporting.silence:  # as long as the database takes
        attempting = asyncio.create_task(attempt(reporting))
        async with asyncio.timeout(30):
            await told.wait()
        release.set()
        await asyncio.sleep(0)  # the attempt waits for the silence
        attempting.cancel()
        await asyncio.wait([attempting])
        assert attempting.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
