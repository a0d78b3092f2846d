"""The thread behind SQLite is visited once a statement, and nothing is left open when somebody gives up."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shared import sqlite
from shared.database import Database

SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/some.db", pool_size=1)
    async with database.write() as session:
        await session.execute(text("CREATE TABLE things (name TEXT UNIQUE)"))
    yield database
    await database.close()


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the thread was asked for."""
    asked: list[str] = []
    execute = sqlite.Connection._execute

    async def counted(self: sqlite.Connection, fn: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(fn.__name__)
        return await execute(self, fn, *args, **kwargs)

    monkeypatch.setattr(sqlite.Connection, "_execute", counted)
    return asked


async def names(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(text("SELECT name FROM things ORDER BY name")))


async def test_a_transaction_takes_a_trip_for_each_of_its_statements(
    database: Database, trips: list[str]
) -> None:
    async with database.write() as session:
        await session.execute(
            text("INSERT INTO things VALUES (:name)"), [{"name": "a"}, {"name": "b"}, {"name": "c"}]
        )
        found = await session.scalars(text("DELETE FROM things WHERE name < 'c' RETURNING name"))
        assert sorted(found) == ["a", "b"]
    assert trips == ["go", "go", "commit"]
    trips.clear()
    assert await names(database) == ["c"]
    assert trips == ["go", "commit"]
    trips.clear()
    async with database.write():
        pass
    assert trips == []


async def test_who_writes_keeps_others_out_from_the_first_statement_on(database: Database) -> None:
    async with database.write() as session:
        await session.scalar(text("SELECT 1"))
        rival = sqlite3.connect(str(database.engine.url.database), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            rival.execute("INSERT INTO things VALUES ('rival')")
        rival.close()


async def test_what_fails_is_undone(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            for name in ("a", "b", "a"):
                await session.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})
    assert await names(database) == []


@pytest.mark.slow
async def test_a_statement_that_is_given_up_leaves_no_transaction_open(database: Database) -> None:
    async def write() -> None:
        async with database.write() as session:
            await session.execute(text("INSERT INTO things VALUES ('lost')"))
            await session.execute(text(SLOW))

    for pause in (0.0, 0.001, 0.01, 0.1):
        writing = asyncio.create_task(write())
        await asyncio.sleep(pause)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert await names(database) == []
    async with database.write() as session:
        await session.execute(text("INSERT INTO things VALUES ('kept')"))
    assert await names(database) == ["kept"]
