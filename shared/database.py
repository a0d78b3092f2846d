"""The database's edge: engine, transactions, and what its dialects say differently."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Any, TypeVar

from sqlalchemy import BindParameter, DateTime, Dialect, Float, Table, event, literal, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from shared import sqlite as sqlite_driver

log = logging.getLogger(__name__)

T = TypeVar("T")
V = TypeVar("V")

READ_ONLY = "linkferry_read_only"
STATEMENTS = 256  # that a connection to PostgreSQL keeps prepared: more than there are on the path of a job
PATIENCE = 30.0  # seconds in which PostgreSQL has to be done with a transaction; a silent one never is
LEAST_PATIENCE = 5.0  # of that, in the last try before a deadline: less would only be told as a silence


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC on every database; naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database: SQLite keeps no zone, so the value is brought to UTC first."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database: always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class db_now(FunctionElement[datetime]):
    """The database's own clock, plus `offset` seconds; the only clock that leases and retries use."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, offset: float | BindParameter[float] = 0) -> None:
        super().__init__(offset if isinstance(offset, BindParameter) else literal(float(offset), Float()))


@compiles(db_now, "sqlite")
def _now_sqlite(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    # the text form SQLAlchemy stores: six digits after the second, so that comparing texts compares times
    offset = compiler.process(element.clauses, **kw)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {offset} || ' seconds')"


@compiles(db_now, "postgresql")
def _now_postgresql(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    # the statement's own time: a clock that moves within the statement cannot be looked up in an index
    return f"(statement_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


def upsert(session: AsyncSession, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what a conflict means, in the words of the session's database."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    return sqlite.insert(table) if on_sqlite else postgresql.insert(table)


def is_full(error: DBAPIError) -> bool:
    """Whether it says that the database's disk is full: SQLite by its code, PostgreSQL by its SQLSTATE."""
    codes = (getattr(error.orig, name, None) for name in ("sqlite_errorcode", "sqlstate"))
    return not {sqlite3.SQLITE_FULL, "53100"}.isdisjoint(codes)


def padded(values: Sequence[V]) -> list[V]:
    """Values for an `IN`, the last one repeated up to a power of two.

    To PostgreSQL each number of them is another statement, which it has to take in and to plan: three for
    every two jobs on a busy worker. So there are few.
    """
    room = (1 << (len(values) - 1).bit_length()) - len(values) if values else 0
    return [*values, *(values[-1] for _ in range(room))]


class Database:
    """One engine; `write` and `read` open one transaction each.

    On SQLite a write takes the lock at once (`BEGIN IMMEDIATE`), so that it never fails half way, and
    writers of this process wait in line in Python instead of polling the file lock. Connections are kept, and
    the one used last is used next: opening one costs PostgreSQL and this process more than a whole job does.

    Both raise TimeoutError, an OSError as other outages are, when PostgreSQL has not done it all within
    `PATIENCE`: a server that went silent tells nobody. SQLite has no such limit: whoever waits in its line
    gets there, and a thread that hangs in a file would not heed one.
    """

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        driver = {"async_creator": self._connect_sqlite} if self.is_sqlite else _postgresql()
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_use_lifo=True,
            hide_parameters=True,  # errors are logged, and values may be tokens or the way to somebody's chat
            **driver,
        )
        self._reading = self.engine.execution_options(**{READ_ONLY: True})
        self._writer = asyncio.Lock()
        self._silent_since = 0.0  # connections opened before are dead, too, and none of them tells
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _configure_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine.sync_engine, "connect", _note_time)
            event.listen(self.engine.sync_engine, "checkout", self._connect_anew)

    def _connect_sqlite(self) -> sqlite_driver.Connection:
        places, options = self.engine.dialect.create_connect_args(self.engine.url)
        return sqlite_driver.Connection(partial(sqlite3.connect, *places, **options))

    @asynccontextmanager
    async def write(self, patience: float = inf) -> AsyncIterator[AsyncSession]:
        """One transaction that may write; committed when the block ends well, else rolled back."""
        if self.is_sqlite:
            async with self._writer, self._session(self.engine) as session:
                yield session
        else:
            async with self._session(self.engine, patience) as session:
                yield session

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """One transaction that only reads; on SQLite it never waits for writers."""
        async with self._session(self._reading) as session:
            yield session

    async def write_surely(self, step: Callable[[AsyncSession], Awaitable[T]], patience: float) -> T:
        """`write`, again and again while the database is away; 0 is once.

        No try begins later than after `patience` seconds, and the last one has its time, too.
        A step may run twice when the answer to its commit was lost, so it must be one that a fence guards.
        """
        deadline = time.monotonic() + patience
        pause = 0.1
        while True:
            left = max(deadline - time.monotonic(), LEAST_PATIENCE) if patience else inf
            try:
                async with self.write(left) as session:
                    return await step(session)
            except (DBAPIError, OSError) as error:
                if isinstance(error, IntegrityError) or time.monotonic() + pause > deadline:
                    raise
                log.warning("the database is away; trying again in %.1f s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 2)

    @asynccontextmanager
    async def _session(self, engine: AsyncEngine, patience: float = inf) -> AsyncIterator[AsyncSession]:
        begun = time.monotonic()
        patience = min(patience, PATIENCE)  # and a moment: what is given up is closed, too
        try:
            async with asyncio.timeout(None if self.is_sqlite else patience) as limit:
                async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                    try:
                        yield session
                    except asyncio.CancelledError:
                        if limit.expired():  # while it waited for something else: nothing bounds a rollback
                            await session.invalidate()
                        raise
        except TimeoutError as error:
            if not limit.expired():
                raise
            self._silent_since = max(self._silent_since, begun)
            raise TimeoutError(f"the database did not answer within {patience:.1f} s") from error

    def _connect_anew(self, _: DBAPIConnection, entry: ConnectionPoolEntry, *__: object) -> None:
        """Before a connection is used: one that was opened before a silence is given up."""
        if entry.info["opened"] < self._silent_since:
            raise DisconnectionError

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A bare connection, for migrations and checks."""
        async with self.engine.connect() as connection:
            yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _postgresql() -> dict[str, Any]:
    from shared.postgresql import Connection  # of no use, and slow to import, with SQLite

    return {
        "connect_args": {"prepared_statement_cache_size": STATEMENTS, "connection_class": Connection},
    }


def _note_time(_: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    entry.info["opened"] = time.monotonic()


def _configure_sqlite(connection: DBAPIConnection, _: object) -> None:
    connection.isolation_level = None  # this module says BEGIN itself
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
