"""The schema goes up and down, and is the one that the models describe, on each kind of database."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

import migrations
from shared.database import Database
from shared.models import Base
from tests.services import PrivatePostgres, postgres

__all__ = ["postgres"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with nothing in it, not even a schema."""
    if request.param == "sqlite":
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/linkferry.db")
        yield database
        await database.close()
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    name = server.create_database()
    database = Database(server.url(name))
    yield database
    await database.close()
    server.drop_database(name)


async def tables(database: Database) -> list[str]:
    """The names of all tables."""
    async with database.connection() as connection:
        return await connection.run_sync(lambda sync: inspect(sync).get_table_names())


async def test_up_gives_the_schema_of_the_models_and_down_removes_everything(database: Database) -> None:
    assert not await migrations.is_current(database)

    await migrations.upgrade(database)
    assert await migrations.is_current(database)
    async with database.connection() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata)
        )
    assert differences == []

    await migrations.downgrade(database, "base")
    assert await tables(database) == ["alembic_version"]
    await migrations.upgrade(database)
    assert await migrations.is_current(database)


async def test_migrating_twice_is_fine(database: Database) -> None:
    await migrations.upgrade(database)
    await migrations.upgrade(database)
    assert await migrations.is_current(database)


@pytest.mark.slow
async def test_processes_that_start_at_once_bring_the_schema_up_once(
    database: Database, tmp_path: Path
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINKFERRY_")}
    environment = kept | {
        "PYTHONPATH": str(ROOT),
        "LINKFERRY_DATA_DIR": str(tmp_path),
        "LINKFERRY_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
    }
    command = [sys.executable, "-m", "linkferry", "migrate"]
    started = [
        subprocess.Popen(
            command, env=environment, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=60) for process in started]
    assert answers == [("The database is up to date.\n", "")] * 4
    assert await migrations.is_current(database)
    assert set(Base.metadata.tables) < set(await tables(database))
