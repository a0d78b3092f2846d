"""SQLite through aiosqlite, with one trip to its thread per statement.

aiosqlite makes a trip for the cursor, one for the statement, one for the rows and one for closing it again,
and a trip costs more than most of our statements: a job took 170 of them, a third of the service's work.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite

_BATCH = 64  # rows that aiosqlite's own cursors fetch at once; ours fetch all


class Cursor:
    """As much of a cursor as SQLAlchemy uses. What a statement answers is there when it has run."""

    def __init__(self, run: Callable[..., Any], connection: sqlite3.Connection) -> None:
        self._run = run
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run it and fetch every row."""
        await self._run(self._take, self._connection.execute, statement, values)

    async def executemany(self, statement: str, values: Iterable[Sequence[Any]]) -> None:
        """Run it for each of the values."""
        await self._run(self._take, self._connection.executemany, statement, values)

    async def fetchall(self) -> Sequence[Any]:
        """The rows, once."""
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """Nothing to do: it was closed when its rows were there."""

    def _take(self, execute: Callable[[str, Any], sqlite3.Cursor], statement: str, values: Any) -> None:
        cursor = execute(statement, values)
        try:
            self._rows = cursor.fetchall() if cursor.description else ()
            self.description, self.rowcount = cursor.description, cursor.rowcount
            self.lastrowid = cursor.lastrowid
        finally:
            cursor.close()


class Connection(aiosqlite.Connection):
    """A connection whose cursors are ours."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, _BATCH)
        self._thread.daemon = True
        self._is_in_doubt = False  # somebody gave up waiting for a statement, which runs all the same

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor, without a trip."""
        return Cursor(self._execute, self._conn)

    async def rollback(self) -> None:
        """Undo what is open; no trip when nothing is, which is so after every commit."""
        if self._is_in_doubt or self.in_transaction:
            await super().rollback()
            self._is_in_doubt = False

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self._is_in_doubt = True
            raise
