"""A worker whose database does not answer gives its jobs up when their lease is over, not before or after."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from shared import jobs
from shared.ids import new_id
from shared.jobs import Fence, LeaseLost
from tests.shared.chat.virtual import run_virtually, virtual_now
from worker.supervise import _beat

LEASE = 60.0


class Failing:
    """A database that answers for a while; from then on `fail` is what every write meets."""

    def __init__(self, until: float, fail: Callable[[], Awaitable[None]]) -> None:
        self._until = until
        self._fail = fail

    @asynccontextmanager
    async def write(self) -> AsyncIterator[None]:
        if virtual_now() > self._until:
            await self._fail()
        yield


async def hang() -> None:
    await asyncio.Event().wait()


async def refuse() -> None:
    raise OperationalError("", None, OSError("refused"))


async def refuse_slowly() -> None:
    await asyncio.sleep(7)
    raise TimeoutError


@pytest.mark.parametrize("fail", [hang, refuse, refuse_slowly])
def test_a_lease_that_cannot_be_renewed_is_lost_when_it_is_over(
    fail: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[float] = []

    async def renew(*_: Any) -> None:
        renewed.append(virtual_now())

    monkeypatch.setattr(jobs, "renew", renew)

    async def run() -> float:
        database: Any = Failing(25.0, fail)
        with pytest.raises(LeaseLost, match="no heartbeat"):
            await _beat(database, LEASE, Fence(new_id(), 1), asyncio.Event())
        return virtual_now()

    ended = run_virtually(run())
    assert renewed == [10.0, 20.0]
    assert ended == pytest.approx(20.0 + LEASE)
