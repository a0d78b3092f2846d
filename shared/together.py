"""Many small writes of the same moment as one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database

T = TypeVar("T")
V = TypeVar("V")

GATHER = 0.01  # seconds after a write in which the next one gathers, when some wait already


class Together(Generic[V, T]):
    """Writes of the same moment in one transaction: what comes while one is under way, or in the few
    milliseconds after it, goes with the next.

    `step` writes many values and answers for each, in their order; a fence must guard it, because it may run
    twice. `patience`: seconds the database may be away.
    """

    def __init__(
        self,
        database: Database,
        step: Callable[[AsyncSession, Sequence[V]], Awaitable[Sequence[T]]],
        patience: float,
    ) -> None:
        self._database = database
        self._step = step
        self._patience = patience
        self._waiting: dict[asyncio.Future[T], V] = {}
        self._turn = asyncio.Lock()

    async def write(self, value: V) -> T:
        """Write a value; returns its answer once that is committed. Raises what the database raises."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[answer] = value
        try:
            is_busy = self._turn.locked()
            async with self._turn:  # whoever is first writes for all that wait
                if not answer.done():
                    await asyncio.sleep(GATHER if is_busy else 0)  # those of this very moment join in
                    await self._write_waiting(answer)
            return answer.result()
        finally:
            self._waiting.pop(answer, None)

    async def _write_waiting(self, mine: "asyncio.Future[T]") -> None:
        try:
            await self._write(dict(self._waiting))
        except IntegrityError:  # one of them is wrong, and must not spoil the others
            await self._write({mine: self._waiting[mine]})

    async def _write(self, batch: "dict[asyncio.Future[T], V]") -> None:
        values = list(batch.values())
        told = await self._database.write_surely(
            lambda session: self._step(session, values), patience=self._patience
        )
        for answer, what in zip(batch, told, strict=True):
            if not answer.done():
                answer.set_result(what)
