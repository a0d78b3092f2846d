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

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run it and fetch every row. A BEGIN goes along with what comes after it."""
        if statement.startswith("BEGIN"):
            self._connection.begin = statement
        else:
            await self._connection.trip(self._take, sqlite3.Cursor.execute, statement, values)

    async def executemany(self, statement: str, values: Iterable[Sequence[Any]]) -> None:
        """Run it for each of the values."""
        await self._connection.trip(self._take, sqlite3.Cursor.executemany, statement, values)

    async def fetchall(self) -> Sequence[Any]:
        """The rows, once."""
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """Nothing to do: it was closed when its rows were there."""

    def _take(
        self, cursor: sqlite3.Cursor, execute: Callable[..., sqlite3.Cursor], statement: str, values: Any
    ) -> None:
        try:
            execute(cursor, statement, values)
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
        self.begin: str | None = None  # how the next statement begins a transaction
        self._is_in_doubt = False  # somebody gave up waiting for a statement, which runs all the same

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor, without a trip."""
        return Cursor(self)

    async def trip(self, step: Callable[..., None], *values: Any) -> None:
        """Begin what is to begin, and take the step, which gets a new cursor, in the connection's thread."""
        begin, self.begin = self.begin, None

        def go() -> None:
            cursor = self._conn.cursor()
            if begin:
                cursor.execute(begin)
            step(cursor, *values)

        await self._execute(go)

    async def commit(self) -> None:
        """Make it last; no trip when nothing was done."""
        if self.begin is None:
            await super().commit()
        self.begin = None

    async def rollback(self) -> None:
        """Undo what is open; no trip when nothing is, which is so after every commit."""
        self.begin = None
        if self._is_in_doubt or self.in_transaction:
            await super().rollback()
            self._is_in_doubt = False

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self._is_in_doubt = True
            raise
