"""The schema goes up and down, and is the one that the models describe, on each kind of database."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Uuid, bindparam, inspect, select, text

import migrations
from shared.database import Database
from shared.ids import new_id
from shared.models import Base, Job
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


async def differences(database: Database) -> list[object]:
    """In what the schema is not the one that the models describe.

    The index of the passages' words is one of PostgreSQL's, and on SQLite tables that no model describes.
    """
    is_theirs = ("ix_passages_words", "passage_index") if database.is_sqlite else "passage_index"

    def look(sync: Connection) -> list[object]:
        own = {"include_object": lambda _, name, *more: not name.startswith(is_theirs)}
        return list(compare_metadata(MigrationContext.configure(sync, opts=own), Base.metadata))

    async with database.connection() as connection:
        return await connection.run_sync(look)


async def test_up_gives_the_schema_of_the_models_and_down_removes_everything(database: Database) -> None:
    assert await migrations.current(database) is None

    await migrations.upgrade(database)
    assert await migrations.current(database) == migrations.head()
    assert await differences(database) == []

    await migrations.downgrade(database, "base")
    assert await tables(database) == ["alembic_version"]
    await migrations.upgrade(database)
    assert await migrations.current(database) == migrations.head()


async def test_migrating_twice_is_fine(database: Database) -> None:
    await migrations.upgrade(database)
    await migrations.upgrade(database)
    assert await migrations.current(database) == migrations.head()


async def test_titles_from_before_there_was_a_search_are_found_afterwards(database: Database) -> None:
    await migrations.upgrade(database, "0003")
    columns = "id, link, site, user_key, options, state, turn, attempt, failures, crashes, cancel_requested"
    values = "'a', 'c', '{}', 'done', 0, 1, 0, 0, false, 'Überraschung im Café', CURRENT_TIMESTAMP"
    made = f"INSERT INTO jobs ({columns}, title, created_at) VALUES (:id, 'l', {values})"
    async with database.write() as session:
        await session.execute(text(made).bindparams(bindparam("id", new_id(), Uuid())))

    await migrations.upgrade(database)
    async with database.read() as session:
        assert (await session.scalars(select(Job.title_words))).all() == [" uberraschung im cafe "]


async def test_the_search_comes_and_goes_alone(database: Database) -> None:
    await migrations.upgrade(database, "0003")
    before = await tables(database)
    await migrations.upgrade(database, "0004")
    assert "passages" in await tables(database)
    await migrations.downgrade(database, "0003")
    assert await tables(database) == before
    await migrations.upgrade(database)
    assert await differences(database) == []


async def indexes(database: Database, table: str) -> set[str | None]:
    """The names of a table's indexes."""
    async with database.connection() as connection:
        return {
            index["name"]
            for index in await connection.run_sync(lambda sync: inspect(sync).get_indexes(table))
        }


async def test_the_index_of_kept_files_replaces_that_of_all_and_the_other_way_round(
    database: Database,
) -> None:
    await migrations.upgrade(database, "0006")
    before = await indexes(database, "artifacts")
    await migrations.upgrade(database, "0007")
    assert before ^ await indexes(database, "artifacts") == {"ix_artifacts_expires_at", "ix_artifacts_kept"}
    await migrations.downgrade(database, "0006")
    assert await indexes(database, "artifacts") == before


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
    answers = [process.communicate(timeout=120) for process in started]
    assert answers == [("The database is up to date.\n", "")] * 4
    assert await migrations.current(database) == migrations.head()
    assert set(Base.metadata.tables) < set(await tables(database))
